"""The training doctor: from what a run wrote down to what is wrong with it, and what to do.

Pure functions of rows, which ask nothing of a run but its log; `checkup` and `attend` alone look at a game.
It leans on run folders and metrics, and knows no recipe and no training loop.
"""

from sparring.doctor.chart import Chart, chart, moment
from sparring.doctor.finding import Diagnosis, Finding
from sparring.doctor.judge import diagnose, judge, timeline, weighed
from sparring.doctor.treat import Treatment, hopeful, treatment

__all__ = ["Chart", "Diagnosis", "Finding", "Treatment", "chart", "diagnose", "hopeful", "judge", "moment", "timeline", "treatment",
           "weighed"]
