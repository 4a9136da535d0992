"""Features from a file of the user's: TorchScript, or weights of the project's own network.

TorchScript is a program.  It is opened only when the file has the sha256 that the user gives, or that of a file known here, so that
what runs is what somebody decided to trust; nothing in it is checked beyond that.
"""

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sparring.errors import InputError, did_you_mean
from sparring.metrics import grey28
from sparring.metrics.classifier import CPU
from sparring.metrics.features import INCEPTION, OFFERED, Extractor
from sparring.untrusted import Strange, read_file, told

BYTES = 2**31           # no file of features is larger
# NVIDIA's translation of TensorFlow's inception-2015-12-05 to TorchScript, 95,607,719 bytes (Karras et al., 2020, published with the code).
INCEPTION_SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"


def find(features: str, sha256: str = "") -> Extractor:
    """An extractor by name, or from a file and its hash.  InputError when there is none, or it is not what it should be."""
    if features in OFFERED:
        if sha256:
            raise InputError(f"--sha256 is for a file, and '{features}' is a built-in name. Leave it out.")
        return OFFERED[features]()
    path = Path(features).expanduser()
    if not path.exists():
        raise InputError(f"'{told(features, 200)}' is neither the name of features ({', '.join(OFFERED)}) nor a file."
                         f"{did_you_mean(features, OFFERED)} Give one of these, or a .pt of TorchScript or a .safetensors with --sha256.")
    if path.suffix.lower() == ".safetensors":
        require(path, sha256, hash_of(path))
        net = grey28.read_weights(path, sha256.lower())
        return Extractor(f"{path.stem}-{sha256[:8].lower()}", sha256.lower(), grey28.RESIZE, lambda x: net.features(grey28.grey28(x)))
    data = contents(path)
    found = hashlib.sha256(data).hexdigest()
    if not sha256 and found == INCEPTION_SHA256:
        sha256 = found
    require(path, sha256, found)
    return inception(data, path) if found == INCEPTION_SHA256 else script(data, path, found)


def contents(path: Path) -> bytes:
    try:
        return read_file(path, BYTES)
    except Strange as error:
        raise InputError(f"{path} {error}. Give a file of features.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}. Give a file of features.") from None


def hash_of(path: Path) -> str:
    return hashlib.sha256(contents(path)).hexdigest()


def require(path: Path, given: str, found: str) -> None:
    """InputError unless the hash was given, and is that of the file."""
    if not given:
        raise InputError(f"{path} is a program, so its sha256 is needed. If you trust its source and this is the published hash, give "
                         f"--sha256 {found}.")
    if given.lower() != found:
        raise InputError(f"{path} has sha256 {found}, and {told(given, 80)} was given: it is another file, or damaged, and is not opened. "
                         f"Get it again, or give the hash of the file that you trust.")


def load(data: bytes, path: Path) -> Any:
    """The program in evaluation mode, on the CPU, from the very bytes whose hash was compared."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)         # torch's, of TorchScript as such
            return torch.jit.load(io.BytesIO(data), map_location=CPU).eval()
    except Exception as error:                                          # a zip of anything else raises nearly anything
        raise InputError(f"{path} is no TorchScript ({type(error).__name__}). Save it with torch.jit.script(net).save(path), or give a "
                         f".safetensors that benchmarks/metrics/extractor.py wrote.") from None


def script(data: bytes, path: Path, sha256: str) -> Extractor:
    """A program that takes images float[B, C, H, W] in [-1, 1], as the data has them, and gives float[B, F]; it resizes for itself."""
    return Extractor(f"{path.stem}-{sha256[:8]}", sha256, "whatever the file does", load(data, path))


def inception(data: bytes, path: Path) -> Extractor:
    """The features of FID: 2,048, of the network that Heusel et al. (2017) used.

    The file takes uint8 images [B, 3, H, W] and, with return_features=True, gives the 2,048 numbers before the last layer; inside it
    resizes to 299x299, bilinear and without antialiasing, as the TensorFlow graph did.
    """
    net = load(data, path)

    def apply(images: Tensor) -> Tensor:
        x = images[:, :3] if images.shape[1] >= 3 else images.expand(-1, 3, -1, -1)
        return net(x.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8), return_features=True)

    return Extractor(INCEPTION, INCEPTION_SHA256, "inside the network: 299x299, bilinear without antialiasing, as TensorFlow 1 did", apply)
