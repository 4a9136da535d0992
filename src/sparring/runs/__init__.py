"""The run folder and what is in it: config, logs, checkpoints, and the best state so far.

It is the one contract between training, the doctor, reports and people; it leans on games and on the names of metrics.
"""
