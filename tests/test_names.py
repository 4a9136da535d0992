"""The public names stay importable, wherever the code behind them lies."""

import subprocess
import sys

NAMES = """
import sparring
from sparring import InputError, Model, RunFailed, evaluate, fit, load
from sparring.data import NAMED, open_source
from sparring.evaluation import evaluate as same
from sparring.game import Game, Player, Report, Turn, play, play_at_once
from sparring.losses import OBJECTIVES, hinge, minimax, nonsaturating, relativistic, wasserstein
from sparring import game, losses
import sparring.game, sparring.losses
assert same is evaluate and losses.nonsaturating is nonsaturating and game.play is play
"""


def test_public_names():
    assert subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, check=False).stderr == ""
