"""`sparring train motion` and `sparring animate` as a person uses them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from made import folder, saved
from shell import Shell
from sparring.spaces import Clips, Images
from untrained import untrained

FAST = ["width=4", "points=3", "threads=1", "batch=2", "perceptual=0", "precision=fp32", "compile=off", "log_every=1", "save_every=2"]


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def clip(seed, frames=5, form="GIF"):
    """A bright square that moves over a dark ground."""
    pictures = []
    for i in range(frames):
        picture = np.full((16, 16, 3), 30 + 10 * seed, np.uint8)
        picture[4 + i:9 + i, 2 + seed:8 + seed] = 220
        pictures.append(Image.fromarray(picture))
    stream = io.BytesIO()
    pictures[0].save(stream, form, save_all=True, append_images=pictures[1:], duration=100, loop=0)
    return stream.getvalue()


@pytest.fixture
def run(tmp_path):
    """A model as it is before training, and a photo and a clip."""
    untrained("motion", Clips(Images(3, 16, 16)), points=3, jacobian=True).save(tmp_path / "run")
    folder(tmp_path, {"clip.gif": clip(1), "photo.png": saved(np.full((16, 16, 3), 90, np.uint8)),
                      "wide.png": saved(np.full((16, 40, 3), 90, np.uint8))})
    return "run"


def frames(path):
    with Image.open(path) as film:
        return [frame.size for frame in ImageSequence.Iterator(film)]


def test_clips_are_learned_animated_and_the_run_repeated(shell, tmp_path):
    data = folder(tmp_path / "clips", {f"{i}.gif": clip(i) for i in range(6)} | {"photo.png": saved(np.full((16, 16, 3), 9, np.uint8))})
    (data / "photo.png").rename(tmp_path / "photo.png")
    words = ["train", "motion", "--data", data, "--steps", 3, *FAST]
    said = shell(*words)
    assert said.code == 0, said.err
    assert "sparring animate runs/motion-clips --source IMAGE --driving CLIP --out FILM.gif" in said.out
    assert "6 clips of 5 to 5 frames, 30 in all" in said.err and "1 clips are held out" in said.err
    assert "l1_copied" in said.out and "is finished" in shell(*words).out
    assert Path("runs/motion-clips/samples/000003.png").exists()
    said = shell("animate", "runs/motion-clips", "--source", "photo.png", "--driving", data / "2.gif", "--out", "film.gif")
    assert said.code == 0 and "5 frames of 16x16 in" in said.out and "a second: film.gif" in said.out, said
    assert len(frames("film.gif")) in range(1, 6)               # Pillow joins frames that are equal
    again = shell("rerun", "runs/motion-clips")
    assert again.code == 0 and "Identical" in again.out, again.err
    refused = shell("sample", "runs/motion-clips")
    assert refused.code == 2 and "animates images" in refused.err
    assert "l1_copied, stands in scores.jsonl" in shell("evaluate", "runs/motion-clips").err
    for command in (["explore", "runs/motion-clips"], ["report", "runs/motion-clips"],
                    ["doctor", "runs/motion-clips"], ["show", "runs/motion-clips"]):
        said = shell(*command)
        assert said.code in (0, 2) and "Traceback" not in said.err, said
    page = Path("runs/motion-clips/report.html").read_text()
    assert page.count('src="data:image/webp;base64') == 2 and "Films" in page


def test_films_of_every_form(shell, run):
    common = ["animate", run, "--driving", "clip.gif", "--source", "photo.png"]
    for out in ("film.webp", "film.png", "frames"):
        said = shell(*common, "--out", out, "--show-keypoints", "--relative", "--find-best-frame")
        assert said.code == 0, said.err
    assert frames("film.png")[0] == (3 * 192, 192)
    assert sorted(path.name for path in Path("frames").iterdir()) == [f"{i:06}.png" for i in range(5)]
    assert shell(*common, "--out", "frames").code == 2          # it is not empty


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".webm"])
def test_films_through_pyav(shell, run, suffix):
    av = pytest.importorskip("av", reason="PyAV is not installed")
    said = shell("animate", run, "--driving", "clip.gif", "--source", "photo.png", "--out", f"film{suffix}")
    assert said.code == 0, said.err
    with av.open(f"film{suffix}") as film:
        assert film.streams.video[0].average_rate == 10 and sum(1 for _ in film.decode(video=0)) == 5
    said = shell("animate", run, "--driving", f"film{suffix}", "--source", "photo.png", "--out", "again.webp")
    assert said.code == 0 and "5 frames" in said.out, said.err


def test_several_sources_get_a_film_each(shell, run):
    said = shell("animate", run, "--driving", "clip.gif", "--source", "photo.png", "--source", "wide.png", "--out", "film.webp", "--json")
    assert said.code == 0 and said.json()["out"] == ["film-photo.webp", "film-wide.webp"] and said.json()["pace"] == 10
    said = shell("animate", run, "--driving", "clip.gif", "--source", "wide.png", "--out", "film.webp")
    assert "wide.png is 16x40 (height x width): its middle is used" in said.out


def test_mistakes_are_told_with_what_to_do(shell, run, tmp_path):
    def said(*more, source="photo.png", driving="clip.gif", out="film.gif", of=run):
        told = shell("animate", of, "--source", source, "--driving", driving, "--out", out, *more)
        assert told.code == 2 and "Traceback" not in told.err, told
        return told.err

    folder(tmp_path, {"several/1.gif": clip(1), "several/2.gif": clip(2), "text.txt": b"x", "broken.png": b"x"})
    untrained("pix2pix", __import__("conftest").SOURCES["pairs"].space).save(tmp_path / "translator")
    assert "holds 2 clips" in said(driving="several")
    assert "is a single picture" in said(driving="photo.png")
    assert "there is no file or folder" in said(driving="nowhere.gif")
    assert "is no clip" in said(driving="text.txt")
    assert "broken.png cannot be animated" in said(source="broken.png")
    assert "there is no file or folder" in said(source="nowhere.png")
    assert "'.xyz' is not a format for films" in said(out="film.xyz")
    assert "Did you mean '.webm'?" in said(out="film.wbm")
    assert "would replace the source" in said(out="photo.png")
    assert "does not animate" in said(of="translator")
    assert "relative motion alone" in said("--find-best-frame")
    assert "expected frames a second" in said("--pace", "-1")


def spoken(path, seconds=1.0):
    """A film of 25 frames with a tone."""
    av = pytest.importorskip("av", reason="reading films needs the extra `video`")
    with av.open(str(path), "w") as film:
        pictures, tone = film.add_stream("libx264", rate=25), film.add_stream("aac", rate=44_100)
        pictures.width = pictures.height = 16
        pictures.pix_fmt, tone.layout = "yuv420p", "mono"
        for i in range(25):
            film.mux(pictures.encode(av.VideoFrame.from_ndarray(np.full((16, 16, 3), 5 * i, np.uint8), format="rgb24")))
        film.mux(pictures.encode(None))
        wave = np.sin(np.arange(round(44_100 * seconds)) / 16).astype(np.float32)[None]
        heard = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        heard.sample_rate, heard.pts = 44_100, 0
        film.mux(tone.encode(heard))
        film.mux(tone.encode(None))


def streams(path):
    import av

    with av.open(str(path)) as film:
        return [stream.type for stream in film.streams], film.duration / 1e6


@pytest.mark.parametrize("form", ["mp4", "mov", "webm"])
def test_a_film_has_the_sound_of_its_driving_clip(shell, run, form):
    spoken("tone.mp4", seconds=3.0)                             # longer than its pictures: cut to them
    said = shell("animate", run, "--source", "photo.png", "--driving", "tone.mp4", "--out", f"film.{form}")
    assert said.code == 0 and "with the sound of the driving clip" in said.out, said.err
    kinds, seconds = streams(f"film.{form}")
    assert kinds == ["video", "audio"] and seconds == pytest.approx(1.0, abs=0.1)


def test_sound_is_left_out_of_films_of_another_pace_and_of_pictures(shell, run):
    spoken("tone.mp4")
    said = shell("animate", run, "--source", "photo.png", "--driving", "tone.mp4", "--out", "slow.mp4", "--pace", 5)
    assert "the sound of tone.mp4 is left out, since it would not fit 5 frames a second" in said.out
    assert streams("slow.mp4")[0] == ["video"]
    said = shell("animate", run, "--source", "photo.png", "--driving", "tone.mp4", "--out", "film.gif")
    assert said.code == 0 and "sound" not in said.out
