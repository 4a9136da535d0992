"""Clips: where they are found, how their frames are paired, and what is refused."""

import hashlib
import io
from contextlib import closing, suppress
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from made import SHARED, changes, folder, mutated, refused, saved, shared, zipped
from sparring.data.builtin.moving import HELD_OUT, MOTIONS, drawn, motions, moving, moving_motions
from sparring.data.settings import ClipSettings
from sparring.data.source import batches
from sparring.data.video.films import by_number, one_clip, open_clips, parted
from sparring.data.video.frame_pairs import FramePairs
from sparring.errors import InputError
from sparring.rng import generator
from sparring.spaces import Clips, Images, from_json, to_json

ALL = ClipSettings(held_out=0.0, flip=False)
RNG = np.random.default_rng(0)


def frame(shade, height=16, width=16):
    return np.full((height, width, 3), shade, np.uint8)


def several(shades, form, **options):
    first, *rest = (Image.fromarray(frame(shade)) for shade in shades)
    stream = io.BytesIO()
    first.save(stream, form, save_all=True, append_images=rest, duration=50, loop=0, **options)
    return stream.getvalue()


def strip(shades, down=False):
    return saved(np.concatenate([frame(shade) for shade in shades], 0 if down else 1))


def shades(x):
    return ((x.flatten(-3).mean(-1) + 1) * 127.5).round().int().tolist()


def lengths(source):
    return dict(zip(source.names, source.lengths.tolist(), strict=True))


# ------------------------------------------------------------------------------------------------------------- finding
def test_strips_animated_pictures_and_folders_of_frames_are_clips(tmp_path):
    data = folder(tmp_path / "data", {
        "a/strip.png": strip([10, 20, 30, 40]), "a/down.png": strip([50, 60, 70, 80, 90], down=True),
        "b/film.gif": several([1, 2, 3], "GIF"), "b/film.webp": several([100, 150], "WEBP", lossless=True),
        "b/film.png": several([7, 8, 9], "PNG"), **{f"c/{i}.png": saved(frame(10 * i)) for i in range(12)}})
    source = open_clips(data, ALL)
    assert lengths(source) == {"a/down.png": 5, "a/strip.png": 4, "b/film.gif": 3, "b/film.png": 3, "b/film.webp": 2, "c": 12}
    found = {name: shades(source.clip(i)) for i, name in enumerate(source.names)}
    assert found["a/strip.png"] == [10, 20, 30, 40] and found["a/down.png"] == [50, 60, 70, 80, 90] and found["b/film.webp"] == [100, 150]
    assert found["b/film.gif"] == [1, 2, 3] and found["c"] == [10 * i for i in range(12)]       # 10 after 9, not after 1
    assert source.space == Clips(Images(3, 16, 16)) and from_json(to_json(source.space)) == source.space
    assert any("6 clips of 2 to 12 frames, 29 in all, at 16x16" in note for note in source.notes)
    packed = zipped(tmp_path / "data.zip", {f"x/{path.relative_to(data)}": path.read_bytes() for path in data.rglob("*.*")})
    assert open_clips(packed, ALL).fingerprint == source.fingerprint
    assert open_clips(str(data / "b" / "film.gif"), ALL).lengths.tolist() == [3]


def test_they_are_decoded_once(tmp_path, monkeypatch):
    data = folder(tmp_path / "data", {f"{i}.gif": several([i, 100 + i, 200], "GIF") for i in range(6)})
    first = open_clips(data, ALL)
    monkeypatch.setattr("sparring.data.video.films.decoded", None)
    assert open_clips(data, ALL).fingerprint == first.fingerprint
    again = open_clips(data, ClipSettings(flip=True, held_out=0.0))
    assert torch.equal(again.frames[torch.arange(9)], first.frames[torch.arange(9)]) and again.fingerprint != first.fingerprint


def test_sizes_are_brought_together_and_it_is_told(tmp_path):
    data = folder(tmp_path / "data", {"a.png": strip([1, 2, 3, 4]), **{f"b/{i}.png": saved(frame(i, 40, 20)) for i in range(3)}})
    source = open_clips(data, ClipSettings(size="8", held_out=0.0))
    assert source.space.frame.shape == (3, 8, 8)
    assert any("their sizes differ" in note for note in source.notes) and any("cut off" in note for note in source.odd)


def test_what_is_a_strip_may_be_said(tmp_path):
    data = folder(tmp_path / "data", {f"{i}.png": strip([1, 2, 3]) for i in range(3)})
    assert lengths(open_clips(data, ALL)) == {".": 3}
    assert set(lengths(open_clips(data, ClipSettings(strips="yes", held_out=0.0))).values()) == {3}
    wide = folder(tmp_path / "wide", {f"{i}.png": strip([1, 2, 3, 4]) for i in range(3)})
    assert lengths(open_clips(wide, ClipSettings(strips="no", held_out=0.0))) == {".": 3}


def test_clips_are_held_out(tmp_path):
    data = folder(tmp_path / "data", {f"{i}.gif": several([i, 100 + i], "GIF") for i in range(20)})
    source = open_clips(data, ClipSettings())
    assert len(source.lengths) == 18 and len(source.held_out.lengths) == 2
    assert not set(source.names) & set(source.held_out.names)
    assert set(shades(source.examples(9, 0).x[:, 0])) <= {int(name[:-4]) for name in source.held_out.names}
    split = folder(tmp_path / "split", {f"{part}/{i}.gif": several([i, 9], "GIF") for part in ("train", "test") for i in range(4)})
    found = open_clips(split, ClipSettings(held_out=0.0))
    assert len(found.lengths) == 4 and all(name.startswith("test/") for name in found.held_out.names)
    few = open_clips(folder(tmp_path / "few", {f"{i}.gif": several([i, 9], "GIF") for i in range(3)}), ClipSettings())
    assert few.held_out is None and any("no clips are held out" in note for note in few.notes)


@given(st.integers(2, 60), st.floats(0, 0.9))
def test_at_least_one_clip_is_left_to_train_on(n, share):
    train, rest = parted([str(i) for i in range(n)], share)
    assert sorted(train + rest) == sorted(map(str, range(n))) and train
    assert share or not rest


def test_numbers_in_names_are_numbers():
    assert sorted(["f10.png", "f9.png", "f1.png"], key=by_number) == ["f1.png", "f9.png", "f10.png"]


# ------------------------------------------------------------------------------------------------------------- refused
def test_what_is_no_clip_is_refused_with_the_reason(tmp_path):
    one = folder(tmp_path / "one", {"a.png": saved(frame(1))})
    refused(r"there is no clip in .*a.png: it is a single picture, and a clip needs two frames", open_clips, one, ALL)
    refused("there is no clip", open_clips, folder(tmp_path / "none", {"readme.txt": b"x"}), ALL)
    uneven = folder(tmp_path / "uneven", {"c/1.png": saved(frame(1)), "c/2.png": saved(frame(1, 20, 16))})
    refused("its frames differ in size .16x16 and 20x16", open_clips, uneven, ALL)
    refused("is no clip", open_clips, folder(tmp_path / "text", {"a.txt": b"x"}) / "a.txt", ALL)
    refused("not a set of clips", open_clips, "ring", ALL)
    refused("2 data sets are given", open_clips, ["a", "b"], ALL)
    refused("there is no file or folder", open_clips, tmp_path / "nowhere", ALL)
    bad = folder(tmp_path / "bad", {"a.gif": several([1, 2], "GIF"), "b.gif": b"GIF89a nonsense"})
    refused("1 of 2 clips in .* cannot be used, more than 1 in 20 .b.gif: ", open_clips, bad, ALL)


def test_a_few_broken_clips_are_left_out_and_told(tmp_path):
    files = {f"{i:02}.gif": several([i, 100, 200], "GIF") for i in range(24)}
    whole = several(RNG.integers(0, 255, 40), "GIF")
    data = folder(tmp_path / "data", files | {"cut.gif": whole[:len(whole) // 2]})
    source = open_clips(data, ALL)
    assert len(source.lengths) in (24, 25) and any("cut.gif" in note for note in source.odd)


@settings(max_examples=25)
@given(changes, st.floats(0.1, 1))
def test_a_damaged_animation_is_read_or_refused(tmp_path_factory, edits, end):
    root = tmp_path_factory.getbasetemp() / "damaged"
    root.mkdir(exist_ok=True)
    for number, (form, data) in enumerate({"gif": several([1, 90, 200], "GIF"), "webp": several([1, 90], "WEBP")}.items()):
        path = root / f"{hashlib.sha256(repr((edits, end)).encode()).hexdigest()[:8]}{number}.{form}"
        path.write_bytes(mutated(data, edits, end))
        with suppress(InputError):
            assert int(open_clips(path, ALL).lengths.min()) >= 2
        path.unlink()


# --------------------------------------------------------------------------------------------------------------- films
def written(path, count=9, size=(16, 24), codec="mpeg4", **options):
    av = pytest.importorskip("av", reason="PyAV is not installed")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for i in range(count):
            picture = np.full((*size, 3), 20 + 20 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "film.avi", "film.mkv"])
def test_films_are_read(tmp_path, name):
    frames, pace = one_clip(written(tmp_path / name), Images(3, 16, 24))
    assert pace == 10 and frames.shape == (9, 3, 16, 24)
    assert np.abs(np.array(shades(frames)) - (20 + 20 * np.arange(9))).max() <= 4
    source = open_clips(tmp_path, ALL)
    assert lengths(source) == {name: 9} and source.space.frame.shape == (3, 16, 24)


def test_broken_films_are_refused_with_the_reason(tmp_path):
    good = written(tmp_path / "good.mp4").read_bytes()
    for name, data in {"cut.mp4": good[:len(good) // 2], "text.mp4": b"#EXTM3U\nhttp://example.com/x", "empty.mov": b""}.items():
        place = folder(tmp_path / name[:-4], {name: data}) / name
        assert name in refused("there is no clip in", open_clips, place, ALL)
    place = written(tmp_path / "single.mp4", count=1)
    refused("it has 1 frame, and a clip needs two", open_clips, place, ALL)


def test_without_pyav_it_is_said_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    place = folder(tmp_path, {"a.mp4": b"x"}) / "a.mp4"
    refused(r"reading .mp4 films needs av, which is not installed. Get it: pip install 'sparring\[video\]'", open_clips, place, ALL)


# --------------------------------------------------------------------------------------------------------------- pairs
def numbered(sizes, **more):
    """Clips whose frames say where they are: the red is the clip's number, the green the frame's."""
    frames = [torch.tensor([clip, i, 0]).view(3, 1, 1).expand(3, 4, 4) for clip, n in enumerate(sizes) for i in range(n)]
    return FramePairs(torch.stack(frames).to(torch.uint8), torch.tensor(sizes), Clips(Images(3, 4, 4)), **more)


def told(batch):
    values = ((batch.x[..., 0, 0] + 1) * 127.5).round().int()
    return values[:, :, 0], values[:, :, 1]


@settings(max_examples=25)
@given(st.lists(st.integers(2, 9), min_size=1, max_size=6), st.integers(0, 5))
def test_both_frames_are_of_one_clip_and_never_the_same(sizes, seed):
    source = numbered(sizes)
    n = len(source)
    with closing(batches(source, n, seed)) as stream:
        for batch in islice(stream, 3):
            clips, at = told(batch)
            assert torch.equal(clips[:, 0], clips[:, 1]) and bool((at[:, 0] != at[:, 1]).all())
            seen = zip(clips[:, 0].tolist(), at[:, 0].tolist(), strict=True)
            assert sorted(seen) == [(c, i) for c, k in enumerate(sizes) for i in range(k)]


def test_driving_frames_are_drawn_evenly():
    source = numbered([5])
    counts = torch.zeros(5, 5)
    for batch in islice(batches(source, 5, 0), 600):
        _, at = told(batch)
        counts[at[:, 0].long(), at[:, 1].long()] += 1
    assert (counts.diagonal() == 0).all()
    assert (counts[~torch.eye(5, dtype=torch.bool)] / 600 - 0.25).abs().max() < 0.08


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_a_function_of_their_number(workers):
    source = numbered([7, 4, 9], flip=True)
    whole = list(islice(batches(source, 6, 3), 12))
    for start in (1, 5, 9):
        later = list(islice(batches(source, 6, 3, start, workers), 12 - start))
        assert all(torch.equal(a.x, b.x) for a, b in zip(later, whole[start:], strict=True))
    parts = [list(islice(batches(source, 6, 3, rows=rows), 12)) for rows in (slice(0, 3), slice(3, 6))]
    assert all(torch.equal(torch.cat([a.x, b.x]), c.x) for a, b, c in zip(*parts, whole, strict=True))


def test_both_frames_of_a_pair_are_mirrored_or_none():
    ramp = torch.arange(4).view(1, 1, 1, 4).expand(6, 3, 4, 4).to(torch.uint8) * 40
    source = FramePairs(ramp, torch.tensor([3, 3]), Clips(Images(3, 4, 4)), flip=True)
    x = torch.cat([batch.x for batch in islice(batches(source, 6, 0), 20)])
    mirrored = x[..., 0, 0] > x[..., 0, 3]
    assert torch.equal(mirrored, mirrored[:, :1, :1].expand_as(mirrored))
    assert 0.3 < mirrored.float().mean() < 0.7


# -------------------------------------------------------------------------------------------------------------- moving
def test_what_is_known_of_the_made_clips_is_true():
    source = moving(ClipSettings(size="48"), train=4, held_out=8)
    truth = motions(8, 16, generator(0, "moving held out"))
    assert torch.equal(source.held_out.frames.unflatten(0, (8, 16)), drawn(truth, 48, 48))
    assert torch.equal(moving_motions(HELD_OUT, True).kind[:4], torch.arange(4)) and len(MOTIONS) == 4
    for kind, (angle, scale) in enumerate([(0, 0), (1, 0), (0, 1), (0, 0)]):
        assert (float(truth.angle[kind].std()) > 0.1) == bool(angle) and (float(truth.scale[kind].std()) > 0.05) == bool(scale)
    head = truth.parts[:, :, 1]                                 # the head is where its colour is
    at = ((head + 1) / 2 * 48).long().clamp(0, 47)
    frames = source.held_out.frames.unflatten(0, (8, 16)).float() / 255
    for clip in range(8):
        for t in range(16):
            x, y = at[clip, t].tolist()
            assert (frames[clip, t, :, y, x] - truth.colours[clip, 3]).abs().max() < 0.02, (clip, t)


@shared
@pytest.mark.slow
@pytest.mark.parametrize(("name", "clips", "frames"), [("weizmann_actions_64_strips_jpg", 72, 5290),
                                                       ("moving_shapes_64_strips_png", 500, 16000)])
def test_the_shared_clips_are_read(name, clips, frames):
    source = open_clips(SHARED / "video" / f"{name}.zip", ClipSettings())
    assert len(source.lengths) + len(source.held_out.lengths) == clips
    assert len(source) + len(source.held_out) == frames and source.space.frame.shape == (3, 64, 64)
