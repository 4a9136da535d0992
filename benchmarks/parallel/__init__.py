"""What each of several processes does for benchmarks/crew.py."""
