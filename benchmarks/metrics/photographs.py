"""What `lite1` and `pixels` see of photographs that were spoilt in one way, and what they do not: zebras at 64 pixels.

Set SPARRING_DATA to the folder that holds horse2zebra/.
"""

import io
import time
import zipfile
from functools import cache
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from benchmarks.record import DATA, record
from sparring.metrics import lite1
from sparring.metrics.catalogue import measure
from sparring.metrics.features import extract, photos, pixels
from sparring.rng import generator

SIDE, N, SEED, ZEBRA = 64, 250, 0, 340
ASKED = ("kid", "precision", "recall")


@cache
def animals(kind: str) -> Tensor:
    """Training photographs of one kind, float[N, 3, SIDE, SIDE] in [-1, 1], in a random order."""
    with zipfile.ZipFile(DATA / "horse2zebra" / "horse2zebra_jpg.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.startswith({"zebras": "trainB/", "horses": "trainA/"}[kind]))
        order = torch.randperm(len(names), generator=generator(SEED, kind))[:2 * N].tolist()
        found = []
        for name in (names[k] for k in order):
            with Image.open(io.BytesIO(archive.read(name))) as photo:
                small = photo.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
            found.append(torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(SIDE, SIDE, 3).permute(2, 0, 1))
    return torch.stack(found) / 127.5 - 1


def tiles(x: Tensor, side: int) -> Tensor:
    """Every image cut into tiles, which are put together in another order."""
    n, rng = SIDE // side, generator(SEED, "tiles")
    cut = x.unfold(2, side, side).unfold(3, side, side).reshape(len(x), 3, n * n, side, side)
    cut = torch.stack([one[:, torch.randperm(n * n, generator=rng)] for one in cut])
    return cut.view(len(x), 3, n, n, side, side).permute(0, 1, 2, 4, 3, 5).reshape(x.shape)


def coarse(x: Tensor, side: int) -> Tensor:
    """As enlarged from so many pixels."""
    return interpolate(avg_pool2d(x, SIDE // side), (SIDE, SIDE), mode="bilinear")


def noisy(x: Tensor) -> Tensor:
    return (x + 0.05 * torch.randn(x.shape, generator=generator(SEED, "noise"))).clamp(-1, 1)


WAYS = {
    "as they are": lambda x: x, "horses": lambda x: animals("horses")[:N], "red and blue exchanged": lambda x: x.flip(1),
    "tiles of 8 pixels exchanged": lambda x: tiles(x, 8), "as from 16 pixels": lambda x: coarse(x, 16), "mirrored": lambda x: x.flip(3),
    "noise of 2.5 % of the range": noisy, "25 images, ten times each": lambda x: x[:N // 10].repeat(10, 1, 1, 1),
    "blurred, 3x3 mean": lambda x: avg_pool2d(x, 3, 1, 1), "tiles of 16 pixels exchanged": lambda x: tiles(x, 16),
    "without colour": lambda x: x.mean(1, keepdim=True).expand(-1, 3, -1, -1), "as from 8 pixels": lambda x: coarse(x, 8)}


@cache
def real() -> dict[str, Tensor]:
    return {one.name: extract(one, animals("zebras")[N:]) for one in (photos(), pixels())}


def case(how: str) -> dict[str, Any]:
    torch.set_num_threads(1)
    x = WAYS[how](animals("zebras")[:N])
    found: dict[str, Any] = {}
    for one in (photos(), pixels()):
        features = extract(one, x)
        found |= {one.named(name): f"{e.value:.3f} ({e.low:.3f} to {e.high:.3f})"
                  for name, e in measure(ASKED, real()[one.name], features, SEED).items()}
        if one.name == lite1.NAME:
            net = lite1.pretrained(lite1.JUDGING)
            found["called zebra"] = float((net.classify(features).argmax(1) == ZEBRA).float().mean())
    return found


def timed() -> dict[str, Any]:
    """Processor seconds on one thread: the machine may be busy."""
    torch.set_num_threads(1)
    x, y = (torch.randn(2000, 1280, generator=generator(SEED, "clouds", i)).relu() for i in range(2))
    found: dict[str, Any] = {}
    for names in (("fid", "fid_infinity"), ("kid",), ("precision", "recall", "density", "coverage"), ("swd",)):
        began = time.process_time()
        measure(names, x, y, SEED)
        found[f"{', '.join(names)} of 2 x 2,000, s"] = time.process_time() - began
    began = time.process_time()
    extract(photos(), animals("zebras")[:200])
    return found | {"features of 200 images, s": time.process_time() - began}


if __name__ == "__main__":
    record("photographs", f"{N} zebras of horse2zebra's training part at {SIDE}x{SIDE}, spoilt in one way, against {N} others; value "
           "(95 % interval); share that lite1's own classifier calls a zebra. 'horses': as many of these. 'time': processor seconds "
           "on one thread.",
           {"all": "none: this shows what each of the two sees"}, [*((how, lambda how=how: case(how)) for how in WAYS), ("time", timed)])
