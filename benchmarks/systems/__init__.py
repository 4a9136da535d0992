"""What the systems in examples/ learn: each is trained, and held against what its paper claims, for tests and for benchmarks."""
