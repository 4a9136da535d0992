"""Small sets of every kind, laid into the current folder."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RNG = np.random.default_rng(0)
SHADES = RNG.integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
KINDS = np.arange(40) % 4
GAUSS = RNG.normal(size=40)


def image(size: tuple[int, int] = (8, 8)) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (*size, 3)).astype(np.uint8))


def put(folder: str, n: int = 6, size: tuple[int, int] = (8, 8), form: str = "png", begin: int = 0) -> None:
    """n images of noise."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for i in range(begin, begin + n):
        image(size).save(f"{folder}/{i:03}.{form}")


def pets(n: int = 6) -> None:
    put("d/cat", n)
    put("d/dog", n)


def text(name: str, words: str = "x") -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(words)


def tar(name: str, images: tuple[str, ...] = ("a.png", "b.png"), **others: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(name, "w") as archive:
        for one in images:
            data = io.BytesIO()
            image().save(data, "PNG")
            about = tarfile.TarInfo(one)
            about.size = len(data.getvalue())
            archive.addfile(about, io.BytesIO(data.getvalue()))
        for one, words in others.items():
            about = tarfile.TarInfo(one.replace("_", "."))
            about.size = len(words)
            archive.addfile(about, io.BytesIO(words.encode()))


def linked(name: str) -> None:
    tar(name)
    with tarfile.open(name, "a") as archive:
        about = tarfile.TarInfo("c.png")
        about.type, about.linkname = tarfile.SYMTYPE, "a.png"
        archive.addfile(about)


def idx(name: str, values: np.ndarray) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    head = bytes([0, 0, 8, values.ndim]) + b"".join(k.to_bytes(4, "big") for k in values.shape)
    Path(name).write_bytes(head + values.astype(np.uint8).tobytes())


def digits() -> None:
    idx("d/train-images-idx3-ubyte", SHADES[..., 0])
    idx("d/train-labels-idx1-ubyte", KINDS)


def parquet(place: str, **columns: object) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    Path(place).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), place)


def encoded(n: int = 6, size: tuple[int, int] = (8, 8), form: str = "PNG", **more: object) -> list[bytes]:
    found = []
    for _ in range(n):
        data = io.BytesIO()
        image(size).save(data, form, **more)
        found.append(data.getvalue())
    return found


def zipped() -> None:
    pets()
    text("d/metadata.csv")
    with zipfile.ZipFile("d.zip", "w") as archive:
        for path in sorted(Path("d").rglob("*")):
            archive.write(path, path.relative_to("d"))
        archive.writestr("__MACOSX/._cat", b"x")
        archive.writestr("bird/", b"")


def grey(values: np.ndarray) -> None:
    Path("d").mkdir()
    for i, one in enumerate(values):
        Image.fromarray(one).save(f"d/{i:03}.png")


def animated() -> None:
    Path("d").mkdir()
    for i in range(6):
        image().save(f"d/{i}.gif", save_all=True, append_images=[image()])


def icons() -> None:
    Path("d").mkdir()
    for i in range(20):
        values = np.full((8, 8, 4), 255, np.uint8)
        values[..., 3] = 255 * RNG.integers(0, 2, (8, 8))
        Image.fromarray(values).save(f"d/{i}.png")


def labels(name: str = "d/labels.csv", column: object = (lambda i: i % 5)) -> None:
    put("d", 40)
    text(name, "file,kind\n" + "".join(f"{i:03}.png,{column(i)}\n" for i in range(40)))


def arrays(**found: np.ndarray) -> None:
    np.savez("d.npz", **found)


def numbers(*columns: np.ndarray) -> None:
    np.save("d.npy", np.stack(columns, 1))


def dark() -> list[bytes]:
    found = []
    for one in SHADES[:6] // 128:
        data = io.BytesIO()
        Image.fromarray(one).save(data, "PNG")
        found.append(data.getvalue())
    return found


def zip_up() -> None:
    with zipfile.ZipFile("d.zip", "w") as archive:
        for path in sorted(Path("d").rglob("*.png")):
            archive.write(path, path.relative_to("d"))
