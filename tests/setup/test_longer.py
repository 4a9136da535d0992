"""A run that is asked for with more rounds goes on, and ends with the bits of one that was begun with them, or says why it cannot."""

import hashlib
import json
import os
import shlex
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

import forked
import sparring
from conftest import CELLS, SOURCES
from shell import Shell
from small_games import build, rounds, state
from sparring.api import Silent, run
from sparring.errors import InputError, RunFailed
from sparring.objectives.augment import Adaptive
from sparring.recipes import RECIPES
from sparring.runs.folder import RunFolder, read_lines
from sparring.settings import RunSettings
from sparring.setup.longer import PICTURES, instead, rescaled
from sparring.setup.prepare import prepare
from sparring.setup.request import Request

N = 6
RARELY = ["show_every=1000000", "score_every=1000000"]
SMALL = ["threads=1", "batch=16", "width=16", "depth=1"]
WGAN = ["train", "wgan", "--data", "ring", "first_steps=7", *SMALL]
SELDOM = {"show_every": 10**6, "score_every": 10**6}
GIVEN = {"threads": 1, "batch": 16, "width": 16, "depth": 1, "first_steps": 7}


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def weights(folder: Path | str) -> bytes:
    return (Path(folder) / "model" / "model.safetensors").read_bytes()


def contents(folder: str) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in Path(folder).rglob("*") if p.is_file() and p.name != ".lock"}


# ------------------------------------------------------------------------------------- what goes by the length of a run
def ways(recipe):
    """Settings with which every schedule of this recipe is there, one after the other, or none is."""
    none = {"decay": 0.0, "gamma_last": 1.0, "sigma": 1.0, "coldest": 1.0}
    wanted = [{}, none, none | {"decay": 0.5}, none | {"noise": 0.3}, none | {"augment": "ada"}, none | {"augment": "diff"},
              none | {"gamma_last": 0.5}, none | {"sigma": 0.3}, none | {"coldest": 0.3}, none | {"penalty": "r1", "penalty_every": 2}]
    fields, found = RECIPES[recipe].settings.model_fields, []
    for way in wanted:
        own = {name: value for name, value in way.items() if name in fields}
        with suppress(ValidationError):
            RECIPES[recipe].settings(**own)
            if own not in found and (way in (none, {}) or len(way) == 3 or own.keys() - none.keys()):
                found.append(own)
    return found


ROWS = [(recipe, source, way) for recipe, source in CELLS if source not in ("density", "table") for way in ways(recipe)
        if source == "images" or "augment" not in way]


@pytest.mark.parametrize(("recipe", "source", "way"), ROWS, ids=str)
def test_what_is_told_is_all_that_goes_by_the_length_of_a_run(recipe, source, way):
    """Rounds of a short and of a longer run are the same bits where nothing is told, and are not where something is."""
    (settings, short), (_, long) = (build(recipe, source, steps=steps, **way) for steps in (N, 2 * N))
    logged = [rounds(game, source, settings, 0, N) for game in (short, long)]
    ends, told = [state(game) for game in (short, long)], RECIPES[recipe].laid_out(settings, 2 * N)
    same = logged[0] == logged[1] and all(torch.equal(tensor, ends[1][name]) for name, tensor in ends[0].items())
    paces = [thing.images for game in (short, long) for thing in game.memory.values() if isinstance(thing, Adaptive)]
    assert (not told) == (same and len(set(paces)) < 2), told
    held = {"decay": 0, "noise": 0, "sigma": 1, "gamma_last": 1, "augment": "", "coldest": 1} | settings.model_dump()
    if recipe in ("seqgan", "relgan"):                          # where noise is a size
        held["noise"] = 0
    named = {"decay": held["decay"], "noise": held["noise"], "sigma": held["sigma"] < 1, "gamma_last": held["gamma_last"] < 1,
             "coldest": held["coldest"] < 1, "augment": held["augment"] == "ada"}
    assert {line.split("=")[0] for line in told} == {name for name, there in named.items() if there}


def test_it_is_told_where_a_schedule_ends_and_where_it_would_be():
    settings = RECIPES["gan"].settings(steps=5000, noise=0.2, augment="ada", batch=64)
    assert RECIPES["gan"].laid_out(settings, 10_000) == [
        "decay=1.0 lets the learning rate fall to 0 at round 5,000; in a run of 10,000 rounds it would still be 0.0005 by then",
        "noise=0.2 lets the noise fall to 0 at round 5,000; in a run of 10,000 rounds it would still be 0.1 by then",
        "augment=ada may go from none to full in 80,000 images, a quarter of what 5,000 rounds show; of 10,000 rounds it would be 160,000"]
    plenty = RECIPES["gan"].settings(steps=40_000, decay=0, augment="ada", batch=64)
    assert RECIPES["gan"].laid_out(plenty, 80_000) == []        # the paper's 500,000 images in both
    vae = RECIPES["vae"].settings(steps=11, decay=0)
    assert RECIPES["vae"].laid_out(vae, 20) == ["sigma=0.1 is reached at round 6, halfway; over 20 rounds it would be reached at 10"]


# ------------------------------------------------------------------------------------------------- going on
def test_a_finished_run_goes_on_and_ends_like_one_begun_with_more_rounds(shell):
    assert shell(*WGAN, "--out", "whole", "--steps", 40, "log_every=3", "save_every=7", "score_every=25", RARELY[0]).code == 0
    assert shell(*WGAN, "--out", "run", "--steps", 15).code == 0
    first = weights("run")
    more = shell(*WGAN, "--out", "run", "--steps", 40)
    assert more.code == 0 and "Finished 40 steps" in more.out
    assert "going on with the run in run, which was to have 15 rounds, to 40" in more.err and "resumed from step 15" in more.err
    assert weights("run") == weights("whole") != first
    newest = [sorted(Path(name, "checkpoint").iterdir())[-1] for name in ("run", "whole")]
    assert (newest[0] / "optimizer.safetensors").read_bytes() == (newest[1] / "optimizer.safetensors").read_bytes()

    config, model = (json.loads(Path(name).read_text()) for name in ("run/config.json", "run/model/config.json"))
    assert config["settings"]["steps"] == model["settings"]["steps"] == model["trained"]["steps"] == 40
    assert config["command"].endswith("--out run --steps 40") and [row["steps"] for row in config["lengthened"]] == [15]
    log = [row["step"] for row in read_lines(Path("run/log.jsonl"))]
    assert log == sorted(set(log)) and log[-1] == 40
    assert "run is finished (40 steps); nothing to do" in shell(*WGAN, "--out", "run", "--steps", 40).out
    again = shell("rerun", "run", "--json")
    assert again.code == 0 and again.json()["state"] == "identical"

    assert shell(*WGAN, "--out", "run", "--steps", 50).code == 0            # and once more
    assert [row["steps"] for row in json.loads(Path("run/config.json").read_text())["lengthened"]] == [15, 40]


@pytest.mark.parametrize(("recipe", "data", "given"), [
    ("gan", "digits", {"decay": 0, "batch": 8, "width": 4, "penalty": "r1", "penalty_every": 4, "augment": "diff"}),
    ("r3gan", "ring", {"decay": 0, "gamma_last": 1, "batch": 8, "width": 8}),
    ("vae", "ring", {"decay": 0, "sigma": 1, "batch": 8, "width": 8}),
    ("cyclegan", "shapes", {"decay": 0, "width": 4, "blocks": 1, "pool": 3, "size": 16}),
], ids=str)
def test_fit_goes_on_in_its_folder_like_the_command(recipe, data, given, tmp_path):
    looks = SELDOM | {"threads": 1, "precision": "fp32", "compile": "off"}
    for steps in (7, 12):
        sparring.fit(recipe, data, out=tmp_path / "run", steps=steps, seed=3, **given, **looks)
    sparring.fit(recipe, data, out=tmp_path / "whole", steps=12, seed=3, **given, **looks)
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_a_run_that_was_stopped_can_be_given_more_rounds_too(tmp_path):
    piece = prepare(Request("wgan", "ring", GIVEN | SELDOM | {"steps": 20}), tmp_path / "run")
    run(replace(piece, plan=replace(piece.plan, steps=9, show_every=0, score_every=0)), Silent())
    for name, steps in (("run", 30), ("whole", 30)):
        sparring.fit("wgan", "ring", out=tmp_path / name, steps=steps, **GIVEN, **SELDOM)
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_an_interrupted_continuation_is_an_unfinished_run(shell, tmp_path):
    assert shell(*WGAN, "--out", "run", "--steps", 10).code == 0
    assert all((tmp_path / "run" / name).exists() for name in PICTURES)
    piece = prepare(Request("wgan", "ring", GIVEN | {"steps": 30}), Path("run"))
    assert not piece.finished() and not any((tmp_path / "run" / name).exists() for name in ("model", *PICTURES))
    run(replace(piece, plan=replace(piece.plan, steps=17, show_every=0, score_every=0)), Silent())      # as if killed after that
    shutil.rmtree("run/model")                                                                          # which a killed run has not
    assert sparring.load("run").trained["steps"] == 17
    said = shell("rerun", "run")
    assert said.code == 2 and "is not finished" in said.err
    fewer = shell(*WGAN, "--out", "run", "--steps", 10)
    assert fewer.code == 2 and "steps: 30 -> 10" in fewer.err
    resumed = shell(*WGAN, "--out", "run", "--steps", 30)
    assert resumed.code == 0 and "resuming the run in run" in resumed.err and "resumed from step 17" in resumed.err
    assert all((tmp_path / "run" / name).exists() for name in PICTURES)
    sparring.fit("wgan", "ring", out="whole", steps=30, **GIVEN, **SELDOM)
    assert weights("run") == weights("whole")


def test_a_continuation_that_dies_before_it_began_leaves_the_run_of_before(shell, monkeypatch):
    assert shell(*WGAN, *RARELY, "--out", "run", "--steps", 10).code == 0
    first = weights("run")

    def dies(*args):
        raise RunFailed("no room")

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "write_config", dies)
        assert shell(*WGAN, *RARELY, "--out", "run", "--steps", 20).code == 1
    assert json.loads(Path("run/config.json").read_text())["settings"]["steps"] == 10
    assert shell(*WGAN, *RARELY, "--out", "run", "--steps", 10).code == 0 and weights("run") == first   # made again
    assert shell(*WGAN, *RARELY, "--out", "run", "--steps", 20).code == 0
    assert shell(*WGAN, *RARELY, "--out", "whole", "--steps", 20).code == 0 and weights("run") == weights("whole")


class Killed(BaseException):
    """The process ends here."""


def test_killed_at_any_step_of_becoming_longer_a_run_is_left_that_goes_on(tmp_path, monkeypatch):
    given = GIVEN | SELDOM | {"precision": "fp32", "compile": "off"}
    sparring.fit("wgan", "ring", out=tmp_path / "finished", steps=6, **given)
    sparring.fit("wgan", "ring", out=tmp_path / "whole", steps=10, **given)
    for name in PICTURES:
        (tmp_path / "finished" / name).touch()
    killed, states = 0, set()
    while True:
        place, left = tmp_path / f"run-{killed}", [killed]
        shutil.copytree(tmp_path / "finished", place)

        def mortal(step, left=left):
            def run_or_die(*args, **more):
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
                return step(*args, **more)
            return run_or_die

        with monkeypatch.context() as patch:
            for owner, step in ((Path, "rename"), (Path, "unlink"), (shutil, "rmtree"), (os, "replace")):
                patch.setattr(owner, step, mortal(getattr(owner, step)))
            try:
                prepare(Request("wgan", "ring", given | {"steps": 10}), place).folder.unlock()
                break
            except Killed:
                killed += 1
        states.add(((place / "model").exists(), json.loads((place / "config.json").read_text())["settings"]["steps"]))
        assert len(sparring.load(place).sample(2)) == 2
        sparring.fit("wgan", "ring", out=place, steps=10, **given)
        assert weights(place) == weights(tmp_path / "whole")
    assert killed >= 8 and states == {(True, 6), (False, 6)}    # never a model of fewer rounds than config.json says


def test_nothing_is_lost_where_there_is_no_checkpoint_to_go_on_from(shell):
    assert shell(*WGAN, "--out", "run", "--steps", 10, *RARELY).code == 0
    for path in Path("run/checkpoint").iterdir():
        (path / "model.safetensors").write_bytes(b"")
    before = contents("run")
    said = shell(*WGAN, "--out", "run", "--steps", 20, *RARELY)
    assert said.code == 2 and "run has no whole checkpoint to go on from" in said.err and contents("run") == before
    shutil.rmtree("run/checkpoint")
    said = shell(*WGAN, "--out", "run", "--steps", 20, *RARELY)
    assert said.code == 2 and "run has no whole checkpoint to go on from." in said.err and Path("run/model/config.json").exists()


def test_two_processes_go_on_together(tmp_path):
    words = ["train", "gan", "--data", "ring", "decay=0", *SMALL, *RARELY, "compile=off"]
    for name, lengths in (("run", (6, 12)), ("whole", (12,))):
        for steps in lengths:
            done = forked.together(2, forked.sparring, tmp_path, *words, "--steps", steps, "--out", tmp_path / name)
            assert [ended.code for ended in done] == [0, 0], done
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


# ------------------------------------------------------------------------------------------------- not going on
def test_a_schedule_is_named_and_the_line_to_type_is_right(shell):
    words = ["train", "gan", "--data", "ring", "--out", "a run", *SMALL, *RARELY]
    assert shell(*words, "--steps", 6).code == 0
    before = contents("a run")
    said = shell(*words, "--steps", 12, "--json")
    error = said.json()["error"]
    assert said.code == 2 and contents("a run") == before
    assert "a run cannot go on to 12 rounds (steps: 6 -> 12)" in error and "Nothing was changed." in error
    assert "decay=1.0 lets the learning rate fall to 0 at round 6; in a run of 12 rounds it would still be 0.0005 by then" in error
    line = next(line for line in error.splitlines() if line.startswith("  sparring train"))
    assert "--fork 'a run-12'" in line
    forked_run = shell(*shlex.split(line)[1:]).json()
    assert (forked_run["run"], forked_run["state"], forked_run["step"]) == ("a run-12", "finished", 12)
    assert contents("a run") == before
    once_more = shell(*shlex.split(line)[1:-2], "--fork", "a run-12", "--steps=20", "--json")      # the fork itself, given more
    assert once_more.code == 2                                  # steps is there twice, and the last one counts
    assert "--out 'a run-12' --fork 'a run-12-20'" in once_more.json()["error"]


def test_python_is_told_of_its_own_way(tmp_path):
    few = SELDOM | {"threads": 1, "batch": 8, "width": 8}
    x = np.random.default_rng(0).normal(size=(64, 2))
    sparring.fit("gan", x, out=tmp_path / "run", steps=4, **few)
    with pytest.raises(InputError, match=r"decay=1\.0 lets the learning rate fall to 0 at round 4") as told:
        sparring.fit("gan", x, out=tmp_path / "run", steps=8, **few)
    assert f"\n  sparring.fit('gan', ..., steps=8, out={str(tmp_path / 'run')!r}, fork={str(tmp_path / 'run-8')!r})" in str(told.value)
    model = sparring.fit("gan", x, out=tmp_path / "run", fork=tmp_path / "run-8", steps=8, **few)
    assert model.trained["steps"] == 8 and json.loads((tmp_path / "run-8/config.json").read_text())["forked_from"] == str(tmp_path / "run")
    with pytest.raises(InputError, match="Give that with out="):
        sparring.fit("gan", x, fork=tmp_path / "new", steps=8, **few)


@pytest.mark.parametrize(("more", "words"), [
    (("--steps", 5), ("steps: 10 -> 5",)),
    (("--steps", 20, "clip=0.02"), ("steps: 10 -> 20", "clip: 0.01 -> 0.02")),
    (("--steps", 20, "--seed", 3), ("steps: 10 -> 20", "seed: 0 -> 3")),
    (("--steps", 20, "save_every=3"), ("steps: 10 -> 20", "save_every: 4 -> 3")),
    (("clip=0.02", "--steps", 10), ("clip: 0.01 -> 0.02",)),
])
def test_whatever_else_changed_is_refused_as_ever(more, words, shell):
    assert shell(*WGAN, "--out", "run", "--steps", 10, "save_every=4", *RARELY).code == 0
    before = contents("run")
    said = shell(*WGAN, "--out", "run", *RARELY, *more)
    assert said.code == 2 and contents("run") == before
    for part in ("run holds a run with other settings:", *words, "To resume it, give the same settings. To start a new run, give --out"):
        assert part in said.err


def test_a_doctor_that_acts_goes_by_the_length_of_the_run(shell):
    words = [*WGAN, "--out", "run", "doctor=act", *RARELY]
    assert shell(*words, "--steps", 10).code == 0
    said = shell(*words, "--steps", 20)
    assert said.code == 2 and "doctor=act changes settings after check-ups that are spread over 10 rounds" in said.err


def test_minutes_give_no_run_more_rounds(tmp_path, monkeypatch):
    given = {"threads": 1, "batch": 8, "width": 8, "precision": "fp32", "compile": "off"}
    sparring.fit("wgan", "ring", out=tmp_path, steps=3, **given)
    monkeypatch.setattr("sparring.setup.forecast.WATCHED", 0.01)
    with pytest.raises(InputError, match="holds a run with other settings"):
        prepare(Request("wgan", "ring", given, minutes=0.05), tmp_path)


# ------------------------------------------------------------------------------------------------- how often to look
def test_frequencies_that_followed_from_the_length_follow_it(shell):
    short, long = (RunSettings().for_steps(steps) for steps in (1000, 100_000))
    looks = short.model_dump()
    assert rescaled(looks, set(), 1000, 100_000) == {name: getattr(long, name) for name in
                                                     ("log_every", "show_every", "score_every", "save_every", "check_every")}
    assert "show_every" not in rescaled(looks | {"show_every": 7}, set(), 1000, 100_000)                # which was asked for
    assert "log_every" not in rescaled(looks, {"log_every"}, 1000, 100_000)                             # or is now
    assert "save_every" not in rescaled(looks | {"on_nan": "rollback"}, set(), 1000, 100_000)           # it goes back to one of these
    assert "check_every" not in rescaled({"log_every": 3}, set(), 1000, 100_000)                        # of a run from before

    assert shell(*WGAN, "--out", "run", "--steps", 20, "save_every=0", "show_every=9").code == 0
    assert shell(*WGAN, "--out", "run", "--steps", 60, "save_every=0", "show_every=9").code == 0        # 0 is by the length both times
    held = json.loads(Path("run/config.json").read_text())["run_settings"]
    assert (held["save_every"], held["show_every"], held["score_every"]) == (3, 9, 12)


def test_a_line_is_given_only_for_what_a_user_typed(tmp_path):
    assert instead(Request("gan", "ring", {}, command="sparring demo"), tmp_path / "run", 20) is None
    (tmp_path / "run-20").mkdir()
    line = instead(Request("gan", "ring", {}, command="sparring train gan --out=run --steps 20 --json"), tmp_path / "run", 20)
    assert line == f"sparring train gan --steps 20 --json --out {tmp_path}/run --fork {tmp_path}/run-20-2"


def test_sources_cover_every_kind_of_recipe():
    assert {recipe for recipe, _, _ in ROWS} == set(RECIPES) and SOURCES
