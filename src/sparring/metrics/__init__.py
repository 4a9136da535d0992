"""Figures about samples, translations and games: pure functions, with the interval of each, and what is known about built-in data.

They lean on data and on the engine, and know no run; what needs a run lives in evaluation.
"""
