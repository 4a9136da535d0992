"""`sparring data` of clips, as a person uses it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made import folder, saved
from shell import Shell
from sparring.data.video.check import looks_like_clips


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def strip(*grounds, moves=True):
    """Sixteen frames of 16x16 side by side: a square that moves over grounds of these shades, each for as many frames."""
    whole = np.zeros((16, 256, 3), np.uint8)
    for i in range(16):
        frame = whole[:, 16 * i:16 * i + 16]
        frame[:] = grounds[i * len(grounds) // 16]
        at = i // 2 if moves else 3
        frame[4:8, at:at + 5] = 255 - frame[0, 0]
    return saved(whole)


def test_what_is_odd_in_clips_is_told_with_their_names(shell, tmp_path):
    folder(tmp_path / "clips", {"a.png": strip(20), "again.png": strip(20), "b.png": strip(60), "cut.png": strip(10, 200),
                                "still.png": strip(90, moves=False), "note.txt": b"x"})
    said = shell("data", "clips")
    assert said.code == 0, said.err
    for words in ("clips            5", "16 to 16 frames", "16x16", "nothing moves (still.png)", "like a cut (cut.png at frame 9)",
                  "A clip is the same as another or nearly so: again.png and a.png", "other files were skipped", "5 clips are few",
                  "sparring train motion --data clips"):
        assert words in said.out, words
    with Image.open("runs/data-clips/clips.png") as picture:
        assert picture.width > picture.height


def test_clips_as_json_and_the_made_ones(shell):
    found = json.loads(shell("data", "moving", "--json").out)
    assert found["kind"] == "clips" and found["clips"] == 160 and found["still"] == 0 and found["usable"]


def test_clips_that_no_run_would_take_are_one_line(shell, tmp_path):
    folder(tmp_path / "clips", {"a.png": strip(20), "b.mp4": b"no film at all"})
    said = shell("data", "clips")
    assert said.code == 2 and "Traceback" not in said.err
    assert "b.mp4" in said.err


@pytest.mark.parametrize(("files", "clips"), [
    ({"a.png": saved(np.zeros((16, 16, 3), np.uint8))}, False), ({"a.png": strip(1), "b.png": strip(2)}, True),
    ({"a.mp4": b""}, True), ({"notes.txt": b"x"}, False), ({}, False)])
def test_what_is_taken_for_clips(tmp_path, files, clips):
    assert looks_like_clips(folder(tmp_path / "some", files)) is clips
    assert not looks_like_clips(Path(tmp_path / "nowhere"))
