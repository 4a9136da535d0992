"""A run that is played step by step, looked at, taken back and changed is the run that `sparring train` trains."""

import json
from pathlib import Path

import pytest

from sparring import api
from sparring.errors import InputError
from sparring.lab.frames import pack, unpack
from sparring.lab.live import LiveRun, Snapshots, lively
from sparring.lab.scene import Wish
from sparring.progress import Silent
from sparring.runs.folder import read_lines
from sparring.setup.prepare import prepare
from sparring.setup.request import Request

SMALL = {"steps": 60, "batch": 16, "width": 8, "latent": 2, "discriminator_steps": 2, "log_every": 7, "save_every": 20, "check_every": 30,
         "show_every": 1000, "score_every": 1000}
ALL = Wish(heat=True, best=True, arrows=True, warp=True)


def request(recipe="gan", data="ring", **given):
    known = lively(recipe, {**SMALL, **given})
    return Request(recipe, data, known if recipe == "gan" else {k: v for k, v in known.items() if k != "discriminator_steps"}, 3, "cpu")


def trained(path: Path, asked: Request) -> Path:
    api.run(prepare(asked, path), Silent())
    return path


def files(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*.safetensors"))}


def rows(path: Path) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name != "time"} for row in read_lines(path / "log.jsonl")]


def to_the_end(run: LiveRun) -> None:
    while run.play() is None:
        pass
    run.close()


@pytest.mark.parametrize(("recipe", "data", "given"), [
    ("gan", "ring", {}), ("gan", "gaussian", {"objective": "minimax", "penalty": "r1", "penalty_every": 4}),
    ("gan", "quadratic", {"objective": "hinge"}), ("wgan-gp", "mixture", {}), ("r3gan", "ring", {}), ("vae", "ring", {}),
    ("gan", "digits", {"conditional": False, "steps": 6, "width": 4})])
def test_the_run_ends_with_the_same_bits_as_sparring_train(tmp_path, recipe, data, given):
    asked = request(recipe, data, **given)
    trained(tmp_path / "trained", asked)
    run = LiveRun(asked, tmp_path / "played", Silent())
    for i in range(40):                                         # move by move, with a look at everything in between
        if run.course.done:
            break
        run.move()
        if i % 5 == 0:
            run.scene.frame(ALL)
    to_the_end(run)
    assert files(tmp_path / "played") == files(tmp_path / "trained")
    assert rows(tmp_path / "played") == rows(tmp_path / "trained")
    assert (tmp_path / "played" / "model" / "config.json").exists()


def test_going_back_and_on_again_ends_with_the_same_bits(tmp_path):
    asked = request()
    trained(tmp_path / "trained", asked)
    run = LiveRun(asked, tmp_path / "played", Silent())
    while run.step < 57:
        run.play()
    run.move()                                                  # in the middle of a round
    run.back(13)
    assert run.step == 13 and run.moving is None
    assert rows(tmp_path / "played") == [row for row in rows(tmp_path / "trained") if row["step"] <= 13]
    run.back(0)
    assert run.step == 0 and not list((tmp_path / "played" / "checkpoint").glob("0*"))
    to_the_end(run)
    assert files(tmp_path / "played") == files(tmp_path / "trained")
    assert rows(tmp_path / "played") == rows(tmp_path / "trained")


def test_a_run_that_is_closed_in_the_middle_of_a_round_is_resumed_by_the_command_line(tmp_path):
    asked = request()
    trained(tmp_path / "trained", asked)
    run = LiveRun(asked, tmp_path / "played", Silent())
    while run.step < 33:
        run.play()
    run.move()
    run.save()
    run.close()
    trained(tmp_path / "played", asked)
    assert files(tmp_path / "played" / "model") == files(tmp_path / "trained" / "model")


def test_a_change_is_the_fork_that_sparring_train_would_make(tmp_path):
    first, other = request(), request(objective="hinge", lr=0.01)
    run = LiveRun(first, tmp_path / "played", Silent())
    while run.step < 20:
        run.play()
    run.save()
    run.close()
    fork = LiveRun(other, tmp_path / "played", Silent(), tmp_path / "played fork")
    assert fork.step == fork.first == 20
    fork.back(5)
    assert fork.step == 20                                      # what was before is in the other folder
    to_the_end(fork)
    api.run(prepare(other, tmp_path / "played", tmp_path / "trained fork"), Silent())
    assert files(tmp_path / "played fork") == files(tmp_path / "trained fork")


def test_which_move_is_next_and_which_was_last(tmp_path):
    run = LiveRun(request(), tmp_path / "run", Silent())
    assert run.next_turn() == "discriminator"
    seen = []
    for _ in range(3):
        run.move()
        seen.append((run.last.turn, run.last.repeat, run.next_turn(), run.step))
    assert seen == [("discriminator", 0, "discriminator", 0), ("discriminator", 1, "generator", 0), ("generator", 0, "discriminator", 1)]
    run.close()


def test_frames_have_what_was_wished_for_and_the_numbers_of_the_theory(tmp_path):
    run = LiveRun(request(), tmp_path / "run", Silent())
    facts, arrays = unpack(pack(*run.scene.frame(ALL)))
    assert facts["kind"] == "plane" and facts["of"] == 8
    assert {name: list(array.shape) for name, array in arrays.items()} == {
        "real": [400, 2], "fake": [400, 2], "heat": [56, 56], "arrows": [60, 2], "warp": [15, 15, 2], "best": [56, 56]}
    assert facts["best_loss"] == pytest.approx(1.386294 - 2 * facts["jsd"], abs=1e-5)
    assert set(run.scene.frame(Wish(heat=False))[1]) == {"real", "fake"}
    run.close()
    line = LiveRun(request(data="mixture"), tmp_path / "line", Silent())
    arrays = unpack(pack(*line.scene.frame(ALL)))[1]
    width = arrays["x"][1] - arrays["x"][0]
    assert arrays["p"].sum() * width == pytest.approx(1, abs=1e-3) and arrays["q"].sum() * width == pytest.approx(1, abs=1e-3)
    best = arrays["p"] / (arrays["p"] + arrays["q"] + 1e-12)
    there = arrays["p"] + arrays["q"] > 0.01
    assert abs(best - arrays["best"] / 255)[there].max() < 0.01
    line.close()


def test_pushes_go_where_the_generators_loss_falls(tmp_path):
    run = LiveRun(request(), tmp_path / "run", Silent())
    while run.step < 20:
        run.play()
    fake = run.game.sample(run.scene.latents, live=True)[:60]
    pushed = run.scene.pushes(fake)
    judged = [float(run.game.judge(x).mean()) for x in (fake, fake + 0.01 * pushed)]
    assert judged[1] > judged[0]                                # D takes them more for real
    run.close()


def test_what_the_lab_does_not_draw_is_told(tmp_path):
    with pytest.raises(InputError, match="of another kind"):
        LiveRun(Request("pix2pix", "shapes", lively("pix2pix", {"steps": 3}), 0, "cpu"), tmp_path / "a", Silent())
    run = LiveRun(request(), tmp_path / "b", Silent())          # and the folder is free again
    run.close()


def test_snapshots_are_dense_near_and_sparse_far_back():
    kept = Snapshots()
    for step in range(0, 20_000, 50):
        kept.add(step, {})
    steps = sorted(kept.states)
    assert steps[0] == 0 and len(steps) <= 64 and steps[-1] == 19_950
    assert max(b - a for a, b in zip(steps[-16:], steps[-15:], strict=False)) == 50
    assert kept.before(19_976) == 19_950 and kept.before(49) == 0


def test_every_chapter_and_exhibit_can_be_opened(tmp_path):
    from sparring.lab.server import PAGE

    chapters = json.loads((PAGE / "chapters.json").read_text())
    assert len(chapters) == 8
    starts = []
    for chapter in chapters:
        assert all(chapter[part]["en"] and chapter[part]["zh"] for part in ("title", "question", "do", "see", "why"))
        start = chapter["start"]
        starts.append(start)
        for button in chapter.get("buttons", []):
            more = button.get("more", {})
            given = button["given"] if more.get("recipe", start["recipe"]) != start["recipe"] else {**start["given"], **button["given"]}
            starts.append({**start, **more, "given": given})
    for i, start in enumerate(starts):
        asked = Request(start["recipe"], start["data"], lively(start["recipe"], start["given"]), 0, "cpu")
        run = LiveRun(asked, tmp_path / str(i), Silent())
        run.scene.frame(ALL)
        run.close()
