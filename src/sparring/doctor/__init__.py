"""The training doctor: what is wrong with a run and what to do, from its log and its check-ups.

Pure functions of logged rows; only `checkup` and `attend` look at a game.  It uses run folders and metrics, and knows no recipe and no
training loop.
"""

from sparring.doctor.chart import Chart, chart, moment
from sparring.doctor.finding import Diagnosis, Finding
from sparring.doctor.judge import diagnose, judge, timeline, weighed
from sparring.doctor.treat import Treatment, hopeful, treatment

__all__ = ["Chart", "Diagnosis", "Finding", "Treatment", "chart", "diagnose", "hopeful", "judge", "moment", "timeline", "treatment",
           "weighed"]
