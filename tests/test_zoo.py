"""The map of the GAN zoo: its rows can be read, what they name is there, its commands are accepted, and its picture is of this table."""

import re
import shlex
from pathlib import Path

import pytest
import torch
from benchmarks.zoo import CARD_WIDE, GAP, HEAD, PAGE, PICTURE, WIDE, counted, draw, fingerprint, font, letters, rows
from PIL import Image
from typer.main import get_command

from shell import Shell
from sparring.cli.app import commands
from sparring.errors import InputError
from sparring.experiments import EXPERIMENTS
from sparring.recipes import RECIPES, find
from sparring.settings import RunSettings, make, parse, split
from sparring.setup.build import build
from sparring.setup.own import named
from sparring.setup.request import Request, resolve

ROOT = Path(__file__).resolve().parents[1]
TABLE = rows(PAGE.read_text())
COMMANDS = sorted({command for row in TABLE for command in re.findall(r"`(sparring \w+ [^`]+)`", row.here)})
TRAINED = [command for command in COMMANDS if command.startswith("sparring train ")]
PRETRAINED = "projected"                                        # needs the extra `photos`
SLOW_DATA = ("table", "motion")                                 # whose data take a second to open: here their settings are checked alone


def given(command):
    """What the command line makes of the words of a command; a usage error where it does not accept them."""
    _, name, *words = shlex.split(command)
    return get_command(commands).commands[name].make_context(name, words).params


def request(command):
    """The training request of a command."""
    words = given(command)
    name, system = named(words["recipe"])
    data = words["data"] or [find(name).reads.example]
    return Request(name, data[0] if len(data) == 1 else data, parse(words["settings"] or []), device="cpu", system=system)


def test_there_are_enough_rows_and_no_name_stands_twice():
    names = [row.name.lower() for row in TABLE]
    assert len(names) >= 150
    assert {name for name in names if names.count(name) > 1} == set()


def test_every_row_has_authors_a_year_and_a_sentence():
    for row in TABLE:
        assert re.fullmatch(r".+, (20[12]\d)", row.authors), row
        assert row.idea.endswith(".") and row.idea[0].isupper(), row


@pytest.mark.parametrize("row", ["| X | A, 2014 | An idea. | elsewhere |", "| X | A, 2014 | **recipe** `gan` |",
                                 "| X | | An idea. | **lacks** it. |"])
def test_a_row_that_is_not_like_the_others_is_refused(row):
    page = f"## Family\n\n| name | authors, year | idea | here |\n| --- | --- | --- | --- |\n{row}\n"
    with pytest.raises(ValueError, match="expected"):
        rows(page)


def test_every_row_says_what_its_kind_needs():
    """A command, a recipe with its command, an example, a file to copy, or something that is missing."""
    begins = {"settings": r"`sparring \w+ ", "recipe": r"`([\w-]+)`.*: `sparring train \1 ", "example": r"`examples/\w+\.py`",
              "could be": r"`(examples|recipes)/\w+\.py`", "lacks": r"\w"}
    for row in TABLE:
        assert re.match(begins[row.standing], row.here), row


def test_recipes_and_files_are_there():
    for row in TABLE:
        if row.standing == "recipe":
            assert re.match(r"`([\w-]+)`", row.here)[1] in RECIPES, row
        for path in re.findall(r"`([\w/]+\.py)`", row.here):
            where = ROOT if path.startswith("examples/") else ROOT / "src" / "sparring"
            assert (where / path).is_file(), row


def test_every_recipe_of_a_gan_is_on_the_map():
    named_here = {word for row in TABLE for word in re.findall(r"`sparring train ([\w-]+)", row.here)}
    assert set(RECIPES) - named_here == {"images", "vae", "tvae"}       # which chooses among others, and which are no GANs


def prepare(wanted):
    """All that is done before training: settings and data, and the game where settings are given; with defaults other tests build it."""
    if wanted.recipe in SLOW_DATA:
        dealt = split(wanted.given, {"recipe": wanted.entry.settings, "data": wanted.entry.reads.settings, "run": RunSettings})
        make(wanted.entry.settings, dealt["recipe"])
    else:
        resolved = resolve(wanted)
        if wanted.given:
            build(resolved.recipe, resolved.settings, resolved.source.space, torch.device("cpu"), 0)


@pytest.mark.parametrize("command", TRAINED)
def test_a_command_to_train_is_accepted(command):
    wanted = request(command)
    try:
        prepare(wanted)
    except InputError as error:
        if wanted.recipe == PRETRAINED and "photos" in str(error):
            pytest.skip("the extra `photos` is not installed")
        raise


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in TRAINED])
def test_any_other_command_is_accepted(command):
    kind, words = shlex.split(command)[1], given(command)
    assert kind in ("experiment", "explore")
    if kind == "experiment":
        assert words["name"] in EXPERIMENTS


@pytest.mark.parametrize("command", ["sparring train gan --data ring objective=hing", "sparring train gan --data rung",
                                     "sparring train gan --data ring objective=wasserstein",
                                     "sparring train gan --data ring conditional=true"])
def test_a_wrong_command_would_be_found(command):
    with pytest.raises(InputError):
        prepare(request(command))


@pytest.mark.slow
@pytest.mark.parametrize("command", TRAINED)
def test_a_command_trains(command, monkeypatch, capsys, tmp_path):
    words = [word for word in shlex.split(command)[1:] if not word.startswith("steps=")]
    said = Shell(monkeypatch, capsys)(*words, "--out", tmp_path / "run", "--steps", 2, "threads=1", "precision=fp32", "compile=off")
    assert said.code == 0, said.err


def test_the_counts_are_those_of_the_table():
    assert counted(PAGE.read_text()) == PAGE.read_text()


def test_the_picture_is_of_this_table():
    with Image.open(PICTURE) as picture:
        assert picture.text["table"] == fingerprint(TABLE), "draw it anew: python -m benchmarks.zoo"
        assert 1200 <= picture.width <= 1600
    assert draw(TABLE).width == WIDE


def test_no_text_of_the_picture_leaves_its_card():
    within = CARD_WIDE - 2 * GAP
    assert max(letters(row.standing).getlength(row.name) for row in TABLE) <= within
    assert max(font(HEAD, "-Bold").getlength(row.family) for row in TABLE) <= within
