"""How good samples and translations are, with intervals and protocols: what needs a run, or two sets of any data.

It leans on models and on the pure functions of metrics; commands and reports print what it finds.
"""
