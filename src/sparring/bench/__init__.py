"""Speed against what a person would write, in contests that alternate both in one process.

A machine's speed drifts and jumps, so only a ratio within a pair means something, with its spread.  Leans on fit() and what is below it.
"""
