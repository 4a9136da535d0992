"""Features of EfficientNet-Lite here and in another library, from the same weights: the largest difference.

The other library is `efficientnet-lite-pytorch`, installed into a temporary folder that a process of its own looks into; torch is the one
that is here.  It pads for one size of images alone, at which it does as we do: that which each network learned from.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_sample_images
from torch import Tensor
from torch.nn.functional import interpolate

from benchmarks.record import record
from sparring.data.pretrained import JUDGING, TRAINING, Published, place, pretrained

OTHER = "efficientnet-lite-pytorch==0.1.0 --hash=sha256:ce0fe869b0e829aceafc32f84275a40c0e3418d19216401b03f695f5f20cbc41"
THEIRS = """
import sys
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import load_file, save_file
import torch
name, weights, images, out = sys.argv[1:]
torch.set_num_threads(1)
net = EfficientNet.from_pretrained(name, weights_path=weights).eval()
x = load_file(images)["x"]
with torch.no_grad():
    save_file({"features": net.extract_features(x).mean((2, 3)), "logits": net(x)}, out)
"""


def images(side: int) -> Tensor:
    """Eight cuts of two photographs and four of noise, float[12, 3, side, side] in [-1, 1]."""
    cuts = []
    for photo in load_sample_images().images:
        x = torch.tensor(photo).permute(2, 0, 1)[None] / 127.5 - 1
        cuts += [interpolate(part, (side, side), mode="bilinear", antialias=True)
                 for part in (x, x[:, :, :300, :300], x[:, :, 100:, 200:], x[:, :, 50:130, 300:380])]
    noise = torch.rand(4, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return torch.cat([*cuts, noise])


def theirs(weights: Published, x: Tensor, folder: Path) -> dict[str, Tensor]:
    """What the other library makes of images in [-1, 1], which it takes as (pixel - 127) / 128."""
    if not (folder / "other").exists():
        (folder / "needs.txt").write_text(OTHER)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", folder / "other",
                        "-r", folder / "needs.txt"], check=True)
    save_file({"x": (x * 127.5 + 127.5 - 127) / 128}, folder / "x.safetensors")
    subprocess.run([sys.executable, "-c", THEIRS, f"efficientnet-{weights.name}", str(place(weights)), folder / "x.safetensors",
                    folder / "found.safetensors"], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "PYTHONPATH": str(folder / "other")})
    return load_file(folder / "found.safetensors")


def case(weights: Published) -> dict[str, Any]:
    torch.set_num_threads(1)
    net = pretrained(weights)
    x = images(net.side)
    with TemporaryDirectory() as folder, torch.no_grad():
        other = theirs(weights, x, Path(folder))
        ours = {"features": net.features(x), "logits": net(x)}
    return {"side": net.side, "images": len(x), "sha256": weights.sha256,
            **{f"largest difference, {name}": f"{(ours[name] - other[name]).abs().max():.1e}" for name in ours},
            "largest feature": float(other["features"].max()),
            "same class": int((ours["logits"].argmax(1) == other["logits"].argmax(1)).sum())}


if __name__ == "__main__":
    record("conformance", "Features and logits in float32 on one thread, of eight cuts of scikit-learn's two photographs and four images "
           "of noise, at the side that each network learned from; beside efficientnet-lite-pytorch 0.1.0, from the same file of weights.",
           {"all": "largest difference of features <= 1e-4; the same class for every image"},
           [(weights.name, lambda weights=weights: case(weights)) for weights in (TRAINING, JUDGING)])
