"""Attacks on the promises of docs/promises.md: each module has PROMISE, one sentence, and trials(n, folder, seed) -> Tally.

Tests call them with small n; `python -m benchmarks.chaos.reliability` (or `make chaos`) with the numbers that are published.
"""
