"""The public names stay importable, wherever the code behind them lies."""

import subprocess
import sys
from itertools import combinations

import pytest

from sparring.recipes import RECIPES
from sparring.settings import RunSettings

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


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_setting_of_a_recipe_hides_one_of_its_data_or_of_runs(recipe):
    entry = RECIPES[recipe]
    for one, other in combinations((entry.settings, entry.reads.settings, RunSettings), 2):
        assert not one.model_fields.keys() & other.model_fields.keys()
