"""The run folder and what is in it: config, logs, checkpoints, the best state so far, lists of runs, and the lines of long logs.

It is the one contract between training, the doctor, reports and people; it leans on games and on the names of metrics.
"""
