"""What a person sees at a terminal: nothing cut off, what matters first, in whatever width there is."""

import os
import re
import shlex
import sys
from types import SimpleNamespace

import pytest

import sparring
from shell import Shell
from sparring.cli import answer
from sparring.cli.app import commands
from sparring.cli.gallery import in_words
from sparring.cli.help import GROUPS, first_sentence
from sparring.experiments import EXPERIMENTS
from sparring.progress import Line, fitted, in_notebook, pace, spoken, watched
from sparring.recipes import RECIPES
from sparring.settings import RunSettings
from sparring.terminal import columns, fold

GAN = {"discriminator/adversarial": 1.386, "generator/adversarial": 0.693, "discriminator/D(x)": 0.5, "discriminator/D(G(z))": 0.5,
       "discriminator/accuracy": 0.75}


class Terminal:
    """A stream that people look at."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass

    def seen(self) -> str:
        """What stands in its last line."""
        return self.text.rstrip("\n").rpartition("\r")[2].rpartition("\n")[2].rstrip()


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


# ------------------------------------------------------------------------------------------------- the line of progress
def line_at(width: int, monkeypatch: pytest.MonkeyPatch, values: dict[str, float], name: str = "gan", health: str = "") -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    line = Line(name, Terminal(), every=0)
    line.update(10, 5000, {})
    line.began -= 10
    line.feel(health)
    line.update(1250, 5000, values)
    return line.stream.seen()


def test_the_losses_come_first_and_the_rest_as_far_as_there_is_room(monkeypatch):
    said = {width: line_at(width, monkeypatch, GAN, health="health: failing (mode collapse, discriminator won)")
            for width in (160, 80, 55, 40, 20)}
    head = "gan  1,250/5,000  25 %  D 1.386  G 0.693"
    assert said[160] == f"{head}  124/s  30 s left  health: failing (mode collapse, discriminator won)  D(x) 0.500  D(G(z)) 0.500  " \
        "accuracy 0.750"
    assert said[80] == f"{head}  124/s  30 s left  health: failing"
    assert said[55] == f"{head}  30 s left"
    assert said[40] == "1,250/5,000  25 %  D 1.386  G 0.693"
    assert said[20] == "1,250/5,000  25 %"


@pytest.mark.parametrize("width", range(12, 140, 3))
@pytest.mark.parametrize("name", ["gan", "cyclegan", "a name that is longer than anyone would give to anything"])
def test_nothing_is_cut_and_nothing_wraps_in_any_width(width, name, monkeypatch):
    values = GAN | {"penalty/gradient_penalty": 12345.678, "generator/accuracy": float("nan")}
    whole = line_at(1000, monkeypatch, values, name).split("  ")
    text = line_at(width, monkeypatch, values, name)
    assert len(text) < width
    assert all(part in whole for part in text.split("  "))


def test_the_line_says_how_it_ended_and_does_not_swallow_what_comes_next(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    terminal = Terminal()
    line = Line("gan", terminal, every=0)
    line.update(1, 3, {"discriminator/adversarial": 1.5})
    line.leave()
    assert terminal.text.endswith("D 1.500\n")
    line.say("a message " * 20)
    assert max(map(len, terminal.text.splitlines())) <= 80
    line.update(3, 3, GAN)
    line.leave()
    assert "gan  3/3  done in 0 s  D 1.386  G 0.693" in terminal.text
    assert terminal.text.endswith("\n") and not terminal.text.endswith("\n\n")


def test_terms_have_short_names_and_are_told_by_player_where_two_have_one():
    plain = {"generator/adversarial": 1.0, "discriminator/adversarial": 2.0, "discriminator/D(x)": 0.5}
    assert spoken(plain) == (["D 2.000", "G 1.000"], ["D(x) 0.500"])
    assert spoken(plain | {"generator/accuracy": 0.25, "discriminator/accuracy": 0.75})[1] == ["D(x) 0.500", "G accuracy 0.250",
                                                                                              "D accuracy 0.750"]
    assert spoken({"generators/adversarial_a": 1.0, "generators/cycle_a": 2.0, "discriminators/adversarial_a": 3.0, "penalty/a": 4.0}) == (
        ["D_a 3.000", "G_a 1.000"], ["cycle_a 2.000", "penalty a 4.000"])
    assert spoken({"bound/reconstruction": -12345.6, "bound/kl": 3.0, "bound/elbo": 1.0}) == (["recon -1.23e+04", "kl 3.000"],
                                                                                             ["elbo 1.000"])
    assert spoken({"discriminator_first/adversarial": 1.0, "discriminator/adversarial": 2.0}) == (["D_first 1.000", "D 2.000"], [])
    assert spoken({}) == ([], [])
    assert [pace(speed) for speed in (1234.5, 4.56, 0.4)] == ["1,234/s", "4.6/s", "2.5 s each"]
    assert fitted([(0, ["ab"]), (1, ["long", "c"])], 5) == "ab  c"


# ------------------------------------------------------------------------------------------------- watching fit()
FEW = {"steps": 3, "width": 4, "batch": 8, "threads": 1, "show_every": 10**6}


def test_fit_is_watched_where_somebody_looks(monkeypatch, capsys):
    sparring.fit("gan", "ring", **FEW)
    assert capsys.readouterr() == ("", "")                      # neither a terminal nor a notebook
    sparring.fit("gan", "ring", progress=True, **FEW)
    assert capsys.readouterr().err.startswith("gan  3/3  done in")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    sparring.fit("gan", "ring", **FEW)
    assert "gan  3/3  done in" in terminal.text
    terminal.text = ""
    sparring.fit("gan", "ring", progress=False, **FEW)
    assert terminal.text == ""


def test_a_notebook_shows_the_line_in_its_output_and_not_as_an_error(monkeypatch, capsys):
    shells = {"a terminal": SimpleNamespace(), "a notebook": SimpleNamespace(kernel=object())}
    for name, shell in shells.items():
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert in_notebook() == (name == "a notebook")
    assert watched("gan", False) is None
    sparring.fit("gan", "ring", **FEW)
    said = capsys.readouterr()
    assert said.err == "" and said.out.startswith("\rgan  3/3  done in") and said.out.endswith("\n")
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())                     # half imported, or another thing of that name
    assert not in_notebook()


# ------------------------------------------------------------------------------------------------- folding
def test_text_is_folded_between_words_under_its_column():
    table = "name    value  what it means in words that go on"
    assert fold(table, 40) == "name    value  what it means in words\n               that go on"
    assert fold(table, 80) == table
    assert fold("- a finding of several words, in a list", 30) == "- a finding of several words,\n  in a list"
    assert fold("short\n" + "word " * 5, 12).split("\n") == ["short", "word word", "word word", "word "[:4]]
    path = "/a/very/long/path/that/is/one/word/and/stays/whole"
    assert path in fold(f"see {path} there", 20).split("\n")
    assert fold("", 20) == "" and fold(" " * 30, 20) == " " * 30


def test_a_command_is_folded_so_that_a_shell_takes_it():
    command = "sparring train gan --data 'a folder with spaces' --out runs/gan-of-that --steps 10000 penalty=r1"
    for line in (command, f"  {command}", f"Draw from it: {command}", f"  torchrun ... -m {command}"):
        for width in (30, 40, 60):
            folded = fold(line, width)
            assert all(part.endswith(" \\") for part in folded.split("\n")[:-1])
            assert shlex.split(folded[folded.index("sparring"):].replace("\\\n", "")) == shlex.split(command)
    prose = "`sparring show` explains all of them, and sparring train gan is how they are given"
    assert "\\" not in fold(prose, 30)


def test_a_terminal_gets_folded_text_and_a_pipe_whole_lines(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "50")
    answer.say("word " * 30)
    assert len(capsys.readouterr().out) == 151
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    answer.say("word " * 30, err=True)
    assert max(map(len, capsys.readouterr().err.split("\n"))) <= 50


def test_the_width_is_asked_of_the_stream_that_is_written_to(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert columns(Terminal()) == 80                            # it has no descriptor
    monkeypatch.setattr(os, "get_terminal_size", lambda number: os.terminal_size((0 if number else 132, 24)))
    assert columns(SimpleNamespace(fileno=lambda: 0)) == 132 and columns(SimpleNamespace(fileno=lambda: 1)) == 80
    for given, width in (("70", 70), ("0", 80), ("wide", 80)):
        monkeypatch.setenv("COLUMNS", given)
        assert columns(Terminal()) == width


# ------------------------------------------------------------------------------------------------- help
def test_every_command_is_listed_once_with_a_whole_sentence(shell, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    known = {command.callback.__name__: " ".join(command.callback.__doc__.split()) for command in commands.registered_commands}
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(known)
    said = shell("--help")
    assert said.code == 0 and "..." not in said.out.replace("[ARGS]...", "")
    flat = " ".join(said.out.split())
    for name, text in known.items():
        assert f"{name} {first_sentence(text)}" in flat
        assert first_sentence(text).endswith(".")
    assert all(f"\n{title}:\n" in said.out for title in GROUPS)


@pytest.mark.parametrize("width", [60, 80])
def test_help_of_every_command_fits(shell, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    for words in ([], *([name] for names in GROUPS.values() for name in names)):
        said = shell(*words, "--help")
        assert said.code == 0
        assert max(map(len, said.out.splitlines())) <= width, words
        assert not re.search(r"<(str|list\[str\])>\s*$|\{\w+\}|\[\[", said.out.split("Options:")[0]), words


def test_usage_is_as_one_types(shell):
    for name, line in (("train", "RECIPE [KEY=VALUE]..."), ("evaluate", "[RUN]"), ("translate", "RUN INPUT..."), ("gallery", "[NAME]..."),
                       ("compare", "RUN..."), ("recipes", "")):
        assert shell(name, "--help").out.splitlines()[0] == f"Usage: sparring {name} [OPTIONS] {line}".rstrip()


# ------------------------------------------------------------------------------------------------- show
@pytest.mark.parametrize("recipe", RECIPES)
def test_show_is_short_and_names_ten_settings_that_there_are(recipe, shell):
    entry, short = RECIPES[recipe], shell("show", recipe).out
    fields = entry.settings.model_fields.keys() | entry.reads.settings.model_fields.keys() | RunSettings.model_fields.keys()
    assert len(entry.matters) == 10 and set(entry.matters) <= fields
    lines = short.splitlines()
    first = lines.index("Settings that matter most") + 1
    assert [line.split("=")[0].strip() for line in lines[first:first + 10]] == list(entry.matters)
    assert all(len(line) <= 79 and line.endswith(".") for line in lines[first:first + 10])
    assert lines[-1] == f"Every setting, with its bounds: sparring show {recipe} --all"
    assert len(fold(short, 80).splitlines()) <= 32


def test_show_all_is_everything_and_json_is_the_same_with_and_without(shell):
    whole, said = shell("show", "gan", "--data", "ring", "--all").out, shell("show", "gan", "--data", "ring", "--json").json()
    for part in ("settings", "data_settings", "run_settings"):
        for row in said[part]:
            told = f"{row['meaning'].rstrip('.')} ({row['bounds']}; default "
            assert re.search(rf"^  {row['name']}=\S+ +{re.escape(told)}", whole, re.M)
    assert shell("show", "gan", "--data", "ring", "--all", "--json").json() == said
    assert shell("show", "gan", "--data", "ring").out.endswith("sparring show gan --data ring --all\n")
    assert "95 times, in the first 25 rounds" in shell("show", "wgan").out


def test_a_run_shows_the_settings_of_data_that_it_has(shell):
    assert shell("train", "gan", "--data", "digits", "--out", "run", "--steps", 1, "size=8", "width=4", "threads=1").code == 0
    assert "size=8x8" in shell("show", "run", "--all").out


@pytest.mark.parametrize(("scores", "says"), [
    ({"modes": 8.0, "high_quality": 0.0625, "reverse_kl": 0.002}, "modes 8, high_quality 0.0625, reverse_kl 0.002"), ({}, "none"),
])
def test_an_exhibit_shows_every_last_score(scores, says):
    assert in_words(scores) == says


def test_lists_have_columns(shell):
    for words, names in ((("recipes",), RECIPES), (("experiment",), EXPERIMENTS)):
        lines = shell(*words).out.splitlines()[:len(names)]
        assert [line.split("  ")[0] for line in lines] == list(names)
        assert len({re.match(r"\S+ {2,}", line).end() for line in lines}) == 1
