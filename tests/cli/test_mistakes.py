"""What users do wrong: each mistake gets its exit code and a message with the cause and the fix, and loses nothing."""

import errno
import hashlib
import io
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image
from torch import nn

import sparring
from shell import TINY, Shell, make_runs
from sparring.errors import RunFailed

WORDS = " ".join(f"{name}={value}" for name, value in TINY.items())
RING = f"train gan --data ring --out run --steps 6 {WORDS}"      # the command that made the run the mistakes are made on


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    return make_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def shell(runs, tmp_path, monkeypatch, capsys) -> Shell:
    """In a folder with copies of those runs."""
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def contents() -> dict[str, str]:
    """What must survive: every config, checkpoint and model in the current folder."""
    kept = [p for run in ("run", "unfinished", "pictures") for part in ("config.json", "checkpoint/*/*", "model/*")
            for p in Path(run).glob(part) if p.is_file()]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}


# ------------------------------------------------------------------------------------------ what is done beforehand
def picture(mode: str = "L", size: tuple[int, int] = (8, 8), form: str = "PNG", colour: int = 0, **options: Any) -> bytes:
    stream = io.BytesIO()
    with Image.new(mode, size, colour) as image:
        image.save(stream, form, **options)
    return stream.getvalue()


def folder(*images: bytes, name: str = "{}.png") -> Callable[[], None]:
    def make() -> None:
        os.mkdir("images")
        for i, data in enumerate(images):
            Path("images", name.format(i)).write_bytes(data)
    return make


def packed(name: str, data: bytes, times: int = 1) -> Callable[[], None]:
    def make() -> None:
        with zipfile.ZipFile("images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for i in range(times):
                archive.writestr(name.format(i), data)
    return make


def array(values: Any) -> Callable[[], None]:
    return lambda: np.save("x.npy", np.asarray(values))


def written(path: str, data: bytes | str) -> Callable[[], None]:
    return lambda: Path(path).write_bytes(data.encode() if isinstance(data, str) else data) and None


def edited(path: str, **values: Any) -> Callable[[], None]:
    return lambda: Path(path).write_text(json.dumps(json.loads(Path(path).read_text()) | values)) and None


def damaged(*steps: int) -> Callable[[], None]:
    def make() -> None:
        for step in steps:
            path = Path(f"unfinished/checkpoint/{step:09d}/model.safetensors")
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.write_bytes(data)
    return make


def bomb() -> bytes:
    return b"\x89PNG" + bytes(64 << 20)


def enormous() -> bytes:
    """A PNG that says it is 60000x60000, in the 57 bytes of a small one's beginning."""
    data = bytearray(picture())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


class Mistake(NamedTuple):
    """A command, what its message must contain, its exit code, and what is done beforehand."""

    words: str
    says: tuple[str, ...]
    code: int = 2
    first: Callable[[], None] | None = None


TRAIN = f"train gan --out new --steps 2 {WORDS}"
IMAGES, ZIP, NPY = (f"train gan --out new --steps 2 threads=1 batch=2 width=4 --data {data}" for data in ("images", "images.zip", "x.npy"))
MANY = [picture()] * 10
MISTAKES = [
    # names
    Mistake("train gann", ("no recipe 'gann'", "Did you mean 'gan'", "Recipes: gan")),
    Mistake("show gna", ("no recipe 'gna'", "Did you mean 'gan'")),
    Mistake("trian gan", ("No such command 'trian'", "train")),
    Mistake("train", ("Missing argument",)),
    Mistake("train gan --stepz 3", ("No such option: --stepz", "--steps")),
    Mistake("train gan --data ringg", ("'ringg' is not the name of a data set", "Did you mean 'ring'")),
    Mistake("train gan --data imagse", ("no such file or folder", "Did you mean 'images'"), first=folder(*MANY)),
    Mistake("train gan --data https://example.org/x.zip", ("is an address", "Download it")),
    Mistake("show gan --data qadratic", ("Did you mean 'quadratic'",)),
    Mistake("sample rnu", ("nothing at rnu", "Did you mean 'run'", "Give a run folder")),
    Mistake("show ./images", ("neither a recipe nor a run", "Recipes: gan"), first=folder()),
    # settings
    Mistake("train gan bacth=3", ("no setting 'bacth'", "Did you mean 'batch'", "Settings: steps, batch")),
    Mistake("train gan batch", ("'batch' is not a setting", "key=value")),
    Mistake("train gan ring", ("'ring' is not a setting", "--data")),
    Mistake("train gan =3", ("'=3' is not a setting", "key=value")),
    Mistake("train gan batch=3 batch=4", ("batch is given twice", "batch=3 and batch=4", "Give it once")),
    Mistake("train gan --steps 3 steps=4", ("steps is given twice", "--steps 3 and steps=4", "Give it once")),
    Mistake("train gan batch=0", ("batch=0", "samples in a batch", "from 1 to 65536", "default 64")),
    Mistake("train gan --steps 0", ("steps=0", "rounds to train", "from 1")),
    Mistake("train gan --steps -5", ("steps=-5", "from 1")),
    Mistake("train gan --steps many", ("--steps", "integer")),
    Mistake("train gan steps=1e3", ("steps=1e3", "an integer from 1", "default 5000")),
    Mistake("train gan batch=2.5", ("batch=2.5", "an integer")),
    Mistake("train gan lr=fast", ("lr=fast", "learning rate", "a number above 0 to 1", "default 0.001")),
    Mistake("train gan lr=nan", ("lr=nan", "finite", "a number above 0 to 1")),
    Mistake("train gan lr=inf", ("lr=inf", "a number above 0 to 1")),
    Mistake("train gan lr=", ("lr=", "a number above 0 to 1")),
    Mistake("train gan beta1=1", ("beta1=1", "less than 1", "below 1")),
    Mistake("train gan conditional=maybe", ("conditional=maybe", "true or false")),
    Mistake("train gan objective=minmax", ("objective=minmax", "minimax or nonsaturating")),
    Mistake("train gan lr=0 batch=0", ("lr=0", "above 0", "batch=0", "from 1")),
    Mistake("train gan threads=-1", ("threads=-1", "an integer from 0 to 1024")),
    Mistake("train gan log_every=often", ("log_every=often", "an integer from 0")),
    Mistake("train gan --data ring conditional=true", ("conditional=true needs labels", "subfolders")),
    Mistake("train gan --data ring size=32", ("can only be set for images", "Leave it out")),
    Mistake("train gan --data digits size=huge", ("size", "HEIGHTxWIDTH")),
    Mistake("train gan --seed one", ("--seed", "integer")),
    Mistake("train gan --device tpu", ("no device 'tpu'", "auto, cuda, mps, cpu")),
    Mistake(f"{TRAIN} --data ring --device cuda", ("has no cuda", "--device cpu")),
    Mistake(f"{TRAIN} --data ring --device mps", ("has no mps", "--device cpu")),
    # data
    Mistake(IMAGES, ("no image in images", "no files at all", "PNG"), first=folder()),
    Mistake(IMAGES, ("no image in images", "1 .txt"), first=folder(b"x", name="{}.txt")),
    Mistake(IMAGES, ("1 of the 11 images", "10.png", "Repair or remove"), first=folder(*MANY, picture()[:45])),
    Mistake(IMAGES, ("1 of the 11 images", "10.png", "Repair or remove"), first=folder(*MANY, b"<html>not an image</html>")),
    Mistake(IMAGES, ("1 of the 11 images", "10.png"), first=folder(*MANY, enormous())),
    Mistake(IMAGES, ("5 of the 5 images", "0.png"), first=folder(*[picture(size=(1, 1))] * 5)),
    Mistake(IMAGES.replace("batch=2", "batch=64"), ("10 samples, fewer than one batch of 64", "batch=5"), first=folder(*MANY)),
    Mistake(ZIP, ("'../0.png'", "points outside", "Pack it again"), first=packed("../{}.png", picture(), 9)),
    Mistake(ZIP, ("zip bomb",), first=packed("{}.png", bomb())),
    Mistake(ZIP, ("cannot be read as a zip", "pack it again"), first=written("images.zip", b"PK not a zip")),
    Mistake(NPY, ("x.npy", "NaN"), first=array([[1.0, np.nan]] * 8)),
    Mistake(NPY, ("x.npy", "infinite"), first=array([[1.0, np.inf]] * 8)),
    Mistake(NPY, ("x.npy", "[2, 2, 2, 2, 2]"), first=array(np.zeros((2,) * 5))),
    Mistake(NPY, ("x.npy", "text"), first=array(["a", "b", "c"])),
    Mistake(NPY.replace("batch=2", "batch=16"), ("3 samples, fewer than one batch of 16", "batch=1"),
            first=array(np.arange(6.0).reshape(3, 2))),
    Mistake(NPY, ("x.npy", "damaged or cut short", "save it again"), first=written("x.npy", b"\x93NUMPY\x01\x00")),
    Mistake("train gan --data t.csv", ("line 3", "column b is empty"), first=written("t.csv", "a,b\n1,2\n3,\n")),
    # folders
    Mistake(TRAIN.replace("new", "file/run"), ("file/run cannot be used", "Not a directory", "--out"), first=written("file", "x")),
    Mistake(TRAIN.replace("new", "file"), ("file cannot be used", "File exists", "--out"), first=written("file", "x")),
    Mistake(TRAIN.replace("new", "images"), ("images holds other files", "0.png", "new or empty"), first=folder(*MANY)),
    Mistake(RING.replace("train gan", "train gan lr=1e-5"), ("lr: 0.001 -> 1e-05", "--out NEWDIR", "--fork NEWDIR")),
    Mistake(f"{RING} log_every=5", ("log_every: 1 -> 5", "--fork NEWDIR")),
    Mistake(RING.replace("ring", "grid"), ("the data changed", "--out NEWDIR")),
    Mistake(RING, ("holds a run of 'wgan', not of 'gan'", "another --out"), first=edited("run/config.json", recipe="wgan")),
    Mistake(RING, ("run/config.json cannot be read as JSON", "copy"), first=written("run/config.json", '{"recipe": "g')),
    Mistake(RING, ("run/config.json should hold a JSON object", "copy"), first=written("run/config.json", "[]")),
    Mistake(RING, ("damaged", "run_settings", "copy"), first=edited("run/config.json", run_settings=None)),
    Mistake(RING, ("was started on cuda", "no cuda", "--fork NEWDIR"), first=edited("run/config.json", device="cuda")),
    Mistake(f"{TRAIN} --data ring --fork other", ("--fork continues the run in --out", "new has no whole checkpoint")),
    Mistake("train gan --steps 9 --fork other", ("--fork", "runs/gan-quadratic has no whole checkpoint", "folder with --out")),
    Mistake(f"{RING} --fork run2 width=8".replace(" width=16", ""), ("does not fit", "width: 16 -> 8", "without --fork")),
    Mistake(f"{RING} --fork run2", ("has 6 rounds already", "steps=12")),
    Mistake(RING.replace("run", "unfinished"), ("all checkpoints in unfinished/checkpoint are damaged", "Nothing was deleted", "--out"),
            code=1, first=damaged(2, 4, 6)),
    # samples
    Mistake("sample run -n 0", ("n=0", "at least 1")),
    Mistake("sample run -n -3", ("n=-3", "at least 1")),
    Mistake("sample run -n 1000000000000", ("n=1,000,000,000,000", "memory", "Draw fewer")),
    Mistake("sample run --out x.jpg", ("'.jpg' is not a format", "FILE.png")),
    Mistake("sample run --out folder", ("only images go into a folder", "FILE.csv")),
    Mistake("sample run --out file/x.png", ("file/x.png cannot be written", "another --out"), first=written("file", "x")),
    Mistake("sample pictures --out x.csv", ("images do not go into a .csv", "FILE.npy")),
    Mistake("sample pictures --label cta", ("no class 'cta'", "Did you mean 'cat'", "Classes: cat, dog")),
    Mistake("sample run --label cat", ("without classes",)),
    Mistake("sample .", ("holds no model", "Give a run folder")),
    Mistake("sample run/config.json", ("holds no model",)),
    Mistake("sample unfinished", ("no checkpoint in", "whole"), code=1, first=damaged(2, 4, 6)),
    Mistake("sample run", ("model.safetensors is damaged", "run the training command again"), code=1,
            first=written("run/model/model.safetensors", b"x")),
    Mistake("sample run", ("model", "damaged"), code=1, first=written("run/model/manifest.json", "{}")),
    Mistake("sample run", ("cannot be read",), code=1, first=lambda: os.remove("run/model/config.json")),
    Mistake("sample unfinished", ("no recipe 'stylegan9'",), first=edited("unfinished/config.json", recipe="stylegan9")),
    Mistake("sample unfinished", ("does not describe a model",), first=edited("unfinished/config.json", space=None)),
    Mistake("show unfinished", ("foo", "Settings: steps"), first=edited("unfinished/config.json", settings={"foo": 1})),
    Mistake("sample unfinished", ("your own networks", "generator=..."),
            first=edited("unfinished/config.json", own_networks={"generator": "Net()"})),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.words[:60])
def test_a_mistake_is_told_with_its_cause_and_fix_and_loses_nothing(shell, mistake):
    if mistake.first:
        mistake.first()
    before, there = contents(), os.listdir()
    said = shell(*mistake.words.split())
    assert (said.code, said.out) == (mistake.code, ""), said
    assert [part for part in mistake.says if part not in said.err] == [], said.err
    assert contents() == before
    if mistake.code == 2:
        assert set(os.listdir()) <= {*there, "runs"}, "a folder was left where no run began"
    assert not Path("new/config.json").exists()


def test_there_are_at_least_fifty():
    assert len({(m.words, m.says) for m in MISTAKES}) >= 50


def test_a_folder_where_a_run_could_not_begin_can_still_be_used(shell):
    assert shell(*TRAIN.split(), "--data", "ring", "--device", "cuda").code == 2
    assert shell(*TRAIN.split(), "--data", "ring").code == 0


# --------------------------------------------------------------------------------------------------- bad data, told
def test_a_few_bad_images_are_skipped_and_counted(shell):
    folder(*[picture()] * 38, picture(colour=200), b"<html>")()
    said = shell(*IMAGES.split())
    assert said.code == 0
    assert "skipped 1 of 40 images (39.png: " in said.err and "39 samples" in said.err


def test_odd_images_are_read(shell):
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 90, 180)]
    animated = io.BytesIO()
    frames[0].save(animated, "GIF", save_all=True, append_images=frames[1:])
    odd = {"cmyk.jpg": picture("CMYK", form="JPEG"), "palette.png": picture("P"), "deep.png": picture("I;16"),
           "animated.gif": animated.getvalue(), "clear.png": picture("RGBA"), "wide.png": picture("RGB", (300, 10))}
    os.mkdir("images")
    for name, data in odd.items():
        Path("images", name).write_bytes(data)
    said = shell(*IMAGES.split(), "size=8")
    assert said.code == 0 and "6 samples, shape 3x8x8" in said.err and "several frames" in said.err, said


# ----------------------------------------------------------------------------------------------------- failing runs
class Poisoned(nn.Module):
    """A generator whose weights stay good and whose output is not a number after so many calls."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 15)
        self.register_buffer("left", torch.tensor(good))

    def forward(self, z):
        self.left -= int(self.training)
        return self.layer(z) * (1.0 if self.left >= 0 else float("nan"))


def test_a_term_that_is_not_finite_names_turn_term_and_round(runs, tmp_path):
    with pytest.raises(RunFailed, match=r"discriminator/adversarial became nan in round 7.*half the learning rate"):
        sparring.fit("gan", generator=Poisoned(6), out=tmp_path / "new", steps=9, save_every=1,
                     **{k: v for k, v in TINY.items() if k != "save_every"})
    assert sorted(p.name for p in (tmp_path / "new" / "checkpoint").iterdir()) == ["000000004", "000000005", "000000006"]
    assert len((tmp_path / "new" / "log.jsonl").read_text().splitlines()) == 6


def test_a_damaged_checkpoint_is_passed_over(shell):
    damaged(6, 4)()
    said = shell(*RING.replace("run", "unfinished").split())
    assert said.code == 0
    assert said.err.count("is damaged") == 2 and "Using the checkpoint before it" in said.err
    assert Path("unfinished/model/model.safetensors").read_bytes() == Path("run/model/model.safetensors").read_bytes()


def test_a_torn_last_line_of_the_log_is_left_out(shell):
    shutil.rmtree("unfinished/checkpoint/000000006")
    good = Path("unfinished/log.jsonl").read_text()
    Path("unfinished/log.jsonl").write_bytes(good.encode() + b'{"step": 7, "time": 0.\xff\xfe')
    assert shell(*RING.replace("run", "unfinished").split()).code == 0
    rows = [json.loads(line) for line in Path("unfinished/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row | {"time": 0} for row in rows] == [json.loads(line) | {"time": 0} for line in good.splitlines()]


@pytest.mark.parametrize("words, what", [(f"{TRAIN} --data ring", "could not be written"),
                                         (f"{RING} --fork forked".replace("--steps 6", "--steps 8"), "could not be written"),
                                         (RING.replace("run", "unfinished"), "could not be written")])
def test_a_full_disk_fails_the_run_and_loses_nothing(shell, monkeypatch, words, what):
    shutil.rmtree("unfinished/checkpoint/000000006")             # there is something left to train and save
    before = contents()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        said = shell(*words.split(), "--json")
    assert said.code == said.json()["exit_code"] == 1
    assert what in said.err and "No space left on device" in said.err and "ake room" in said.err
    assert contents() == before
    assert shell(*words.split()).code == 0                       # with room again, the same command goes on


def test_one_writer(shell):
    with FileLock("run/.lock"):
        said = shell(*RING.split())
    assert said.code == 2 and "another process is training in run" in said.err and "another --out" in said.err
    assert shell(*RING.split()).code == 0
