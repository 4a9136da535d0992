"""Speed against what a person would write, in contests that alternate both in one process.

A machine's speed drifts and jumps; only a ratio within one pair means something, and only with its spread.
"""
