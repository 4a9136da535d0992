"""What each of several processes does for benchmarks/game/processes.py."""
