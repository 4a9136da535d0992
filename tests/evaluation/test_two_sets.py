"""Two sets are compared as they are: every change to either is said, and colour is not held against grey without being asked for."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sparring
import sparring.data.settings as settings_module
from sparring.data import open_source
from sparring.data.source import Finite
from sparring.errors import InputError
from sparring.evaluation import two_sets
from sparring.spaces import Images

ROWS, COLUMNS = np.mgrid[0:16, 0:16]
N = 40


def blobs(seed: int, n: int = N) -> np.ndarray:
    """Soft discs, float64[n, 16, 16] in [0, 1], and all of it in use."""
    rng = np.random.default_rng(seed)
    apart = [np.hypot(COLUMNS - rng.uniform(4, 12), ROWS - rng.uniform(4, 12)) / rng.uniform(2, 5) for _ in range(n)]
    return np.clip(1.3 - np.stack(apart), 0, 1)


A, B = blobs(1), blobs(2)
GREY_A, GREY_B = (np.rint(255 * x).astype(np.uint8) for x in (A, B))
RED = np.stack([GREY_B, GREY_B // 2, GREY_B // 3], -1)
SAVED_IN_COLOUR = np.stack([GREY_B] * 3, -1)
FLOATS = (2 * A - 1)[:, None].astype(np.float32)
WASHED = B[:, None].astype(np.float32)                          # never below 0, though it may be meant in [-1, 1]
TOP_LEFT = WASHED.copy()
TOP_LEFT[0, 0, 0, 0] = -0.01


def pictures(name: str, values: np.ndarray) -> str:
    Path(name).mkdir()
    for i, one in enumerate(values):
        Image.fromarray(one).save(f"{name}/{i:03}.png")
    return name


def halved(values: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(one).resize((8, 8))) for one in values])


def broken(name: str) -> str:
    pictures(name, GREY_B)
    Path(f"{name}/broken.png").write_bytes(b"nothing")
    Path(f"{name}/notes.txt").write_text("hello")
    return name


def saved(name: str, values: np.ndarray) -> str:
    np.save(name, values)
    return name


def wide(name: str) -> str:
    return pictures(name, np.concatenate([GREY_B, GREY_B], 2))


def clear(name: str) -> str:
    return pictures(name, np.concatenate([RED, np.full((*GREY_B.shape, 1), 100, np.uint8)], 3))


def animated(name: str) -> str:
    Path(name).mkdir()
    for i, one in enumerate(GREY_B):
        Image.fromarray(one).save(f"{name}/{i:03}.gif", save_all=True, append_images=[Image.fromarray(255 - one)])
    return name


def in_memory(values: np.ndarray) -> Finite:
    return Finite(Images(values.shape[1], 16, 16), torch.from_numpy(np.ascontiguousarray(values)))


THREE = RED.transpose(0, 3, 1, 2)

# real, generated, more, and what is said of it (a note), or why it is refused (an error)
SAID = {
    "both grey": (lambda: pictures("a", GREY_A), lambda: pictures("b", GREY_B), {}, "generated: 40 images at 16x16"),
    "smaller": (lambda: pictures("a", GREY_A), lambda: pictures("b", halved(GREY_B)), {}, "generated: .*brought to this size, all are 8x8"),
    "larger real": (lambda: pictures("a", halved(GREY_A)), lambda: pictures("b", GREY_B), {},
                    "generated: .*at 8x8 .*brought to this size, all are 16x16"),
    "another shape": (lambda: pictures("a", GREY_A), lambda: wide("b"), {}, "generated: only the middle .*50% of an image is cut off"),
    "broken files": (lambda: pictures("a", GREY_A), lambda: broken("b"), {}, "generated: skipped 1 of 41 images .*broken.png"),
    "other files": (lambda: pictures("a", GREY_A), lambda: broken("b"), {}, "generated: 1 files that are not images were skipped"),
    "broken real ones": (lambda: broken("a"), lambda: pictures("b", GREY_A), {}, "real: skipped 1 of 41 images"),
    "transparency": (lambda: pictures("a", RED), lambda: clear("b"), {}, "generated: 40 images have transparency, laid on white"),
    "frames": (lambda: pictures("a", GREY_A), lambda: animated("b"), {}, "generated: 40 images have several frames"),
    "sliver": (lambda: pictures("a", GREY_A), lambda: pictures("b", GREY_B // 10), {}, "generated: values use a sliver"),
    "fewer": (lambda: pictures("a", GREY_A), lambda: pictures("b", GREY_B[:20]), {}, "20 samples .*of 40 real and 20 generated"),
    "two ranges": (lambda: FLOATS, lambda: WASHED, {}, r"generated: its values look like \[0, 1\] and were read as \[-1, 1\]"),
    "two ranges, turned": (lambda: WASHED, lambda: FLOATS, {}, r"real: its values look like \[0, 1\] and were read as \[-1, 1\]"),
    "two ranges in files": (lambda: saved("a.npy", FLOATS), lambda: saved("b.npy", WASHED), {}, "generated: its values look like"),
    "one pixel below 0": (lambda: FLOATS, lambda: TOP_LEFT, {}, r"generated: values from -0.01 to 1 were read as \[-1, 1\]"),
    "one range": (lambda: A[:, None], lambda: WASHED, {}, r"generated: values from 0 to 1 were read as \[0, 1\]"),
    "bytes and floats": (lambda: GREY_A, lambda: WASHED, {}, r"generated: values from 0 to 1 were read as \[0, 1\]"),
    "stored in colour": (lambda: pictures("a", GREY_A), lambda: pictures("b", SAVED_IN_COLOUR), {},
                         "generated: stored in colour, but grey in every pixel"),
    "real stored in colour": (lambda: pictures("a", SAVED_IN_COLOUR), lambda: pictures("b", GREY_A), {}, "real: stored in colour"),
    "colour, as grey": (lambda: pictures("a", GREY_A), lambda: pictures("b", RED), {"as_": "grey"}, "both sets were made grey, as asked"),
    "real colour, as grey": (lambda: pictures("a", RED), lambda: pictures("b", GREY_A), {"as_": "grey"}, "both sets were made grey"),
    "colours, as grey": (lambda: pictures("a", RED), lambda: pictures("b", RED[::-1] // 2), {"as_": "grey"}, "both sets were made grey"),
    "memory, as grey": (lambda: in_memory(GREY_A[:, None]), lambda: in_memory(THREE), {"as_": "grey"}, "both sets were made grey"),
    "vectors": (lambda: saved("a.npy", A[:, 0]), lambda: saved("b.npy", B[:, 0]), {}, "generated: 40 vectors of 16 numbers"),
}
REFUSED = {
    "colour beside grey": (lambda: pictures("a", GREY_A), lambda: pictures("b", RED), {}, "generated images are in colour and"),
    "grey beside colour": (lambda: pictures("a", RED), lambda: pictures("b", GREY_A), {}, "real images are in colour and"),
    "arrays": (lambda: GREY_A, lambda: RED, {}, "--as grey makes both grey"),
    "memory": (lambda: in_memory(GREY_A[:, None]), lambda: in_memory(THREE), {}, "--as grey makes both grey"),
    "a word": (lambda: GREY_A, lambda: GREY_B, {"as_": "gray"}, "--as gray: expected grey"),
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", SAID)
def test_every_change_is_said(case):
    real, generated, more, wanted = SAID[case]
    found = sparring.evaluate(real=real(), generated=generated(), metrics="kid", n=N, **more)
    assert [note for note in found["notes"] if re.search(wanted, note)], found["notes"]


@pytest.mark.parametrize("case", REFUSED)
def test_colour_is_not_held_against_grey_unless_asked_for(case):
    real, generated, more, wanted = REFUSED[case]
    with pytest.raises(InputError, match=wanted):
        sparring.evaluate(real=real(), generated=generated(), metrics="kid", n=N, **more)


def kid(real: object, generated: object, **more: object) -> float:
    found = sparring.evaluate(real=real, generated=generated, metrics="kid", n=N, **more)["metrics"]
    return next(iter(found.values()))["value"]


def test_one_range_for_both_sets_means_that_a_washed_set_is_told_from_a_good_one():
    good = kid(FLOATS, (2 * B - 1)[:, None].astype(np.float32))
    assert abs(kid(FLOATS, WASHED) - kid(FLOATS, TOP_LEFT)) < 1e-3 < kid(FLOATS, WASHED) - good


def test_grey_stored_in_colour_is_the_same_set():
    a, b, c = pictures("a", GREY_A), pictures("b", GREY_B), pictures("c", SAVED_IN_COLOUR)
    assert kid(a, b) == kid(a, c) and kid(c, a) == kid(b, a)


def test_sets_are_judged_at_their_own_size(monkeypatch):
    large = np.kron(GREY_A, np.ones((1, 5, 5), np.uint8))
    a, b = pictures("a", large), pictures("b", large[::-1])
    found = sparring.evaluate(real=a, generated=b, metrics="kid")["metrics"]["kid(pixels)"]
    assert found["protocol"]["images"] == "80x80"
    assert sparring.evaluate(real=a, generated=b, metrics="kid", size="20")["metrics"]["kid(grey28-v1)"]["protocol"]["images"] == "20x20"
    monkeypatch.setattr(settings_module, "physical_memory", lambda: 2 * N * 40 * 40)          # room for 40 images of 40x40
    found = sparring.evaluate(real=a, generated=b, metrics="kid")
    assert found["metrics"]["kid(grey28-v1)"]["protocol"]["images"] == "26x26"
    assert any(note.startswith("at their own size the images cannot be held, so they are judged at 26") for note in found["notes"])


def test_many_numbers_a_sample_are_said_to_leave_samples_out(monkeypatch):
    monkeypatch.setattr("sparring.evaluation.samples.NUMBERS", 20 * 256)
    found = sparring.evaluate(real=GREY_A, generated=GREY_B, metrics="kid", features="pixels")
    assert any("20 samples against as many real ones (no more, since each has 256 features" in note for note in found["notes"])


def test_a_normal_pair_of_sets_gets_no_more_than_how_each_was_read():
    notes = sparring.evaluate(real=pictures("a", RED), generated=pictures("b", RED[::-1] // 2), metrics="kid")["notes"]
    assert [note.split(":")[0] for note in notes] == ["real", "generated", "40 samples against as many real ones; split", "features"]


TINY = {"steps": 2, "batch": 8, "width": 4, "threads": 1, "precision": "fp32"}


def test_a_run_is_not_held_against_images_with_other_colours():
    pictures("grey", GREY_A)
    pictures("red", RED)
    pictures("saved", SAVED_IN_COLOUR)
    run = sparring.fit("gan", "grey", out="run", **TINY)
    assert run.space.channels == 1
    with pytest.raises(InputError, match="the real images are in colour and the samples grey"):
        sparring.evaluate("run", real="red", metrics="kid", n=N)
    with pytest.raises(InputError, match="size=32: samples of a run are judged at their own size"):
        sparring.evaluate("run", metrics="kid", n=N, size="32")
    found = sparring.evaluate("run", real="red", metrics="kid", n=N, as_="grey")
    assert "both sets were made grey, as asked for" in found["notes"]
    assert any("stored in colour" in note for note in sparring.evaluate("run", real="saved", metrics="kid", n=N)["notes"])


def test_a_run_in_colour_and_grey_images():
    pictures("red", RED)
    pictures("grey", GREY_A)
    run = sparring.fit("gan", "red", out="run", **TINY)
    assert run.space.channels == 3
    with pytest.raises(InputError, match="the samples are in colour and the real images grey"):
        sparring.evaluate("run", real="grey", metrics="kid", n=N)
    for real in ("grey", "red", None):
        found = sparring.evaluate("run", real=real, metrics=["kid", "memorization"], n=N, as_="grey")
        assert found["metrics"].keys() == {"kid(grey28-v1)", "memorization(grey28-v1)"}


def test_the_range_of_a_run_is_that_of_what_it_is_held_against():
    np.save("a.npy", FLOATS)
    np.save("b.npy", WASHED)
    sparring.fit("gan", "a.npy", out="signed", **TINY)
    sparring.fit("gan", "b.npy", out="unsigned", **TINY)
    notes = sparring.evaluate("signed", real="b.npy", metrics="kid", n=N)["notes"]
    assert "real: its values look like [0, 1] and were read as [-1, 1], the range of the run's data" in notes
    notes = sparring.evaluate("unsigned", real=FLOATS, metrics="kid", n=N)["notes"]
    assert any("were read as [-1, 1], and those of the run's data as [0, 1]" in note for note in notes)


def test_grey_of_a_set_is_that_of_its_files():
    pictures("red", RED)
    assert torch.equal(two_sets.finite_grey(open_source("red")).values, open_source("red", settings_module.DataSettings(channels=1)).values)
