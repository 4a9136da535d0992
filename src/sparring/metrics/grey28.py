"""The project's own features of small grey images: 64 numbers from a network that tells digits and clothes apart.

`benchmarks/metrics/extractor.py` trained it on MNIST and Fashion-MNIST, as one task of twenty classes, and wrote the file beside this one.
"""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from torch import Tensor, nn
from torch.nn.functional import interpolate

from sparring.errors import InputError
from sparring.untrusted import Form, Strange, layout, read_file

NAME, FEATURES, CLASSES, SIDE = "grey28-v1", 64, 20, 28
FILE = Path(__file__).with_name(f"{NAME}.safetensors")
SHA256 = "8cbe834f6c285f1a6ae42422e30a2b5a258784f97fcca4ef4adcf1fbfdef6907"
BYTES = 2**20                           # no file of such weights is larger
LUMA = (0.299, 0.587, 0.114)            # of red, green and blue in grey (ITU-R BT.601)
RESIZE = f"grey (BT.601), transparency on white, {SIDE}x{SIDE} bilinear with antialiasing"


class Grey28(nn.Module):
    """Images float[B, 1, 28, 28] in [-1, 1] to logits float[B, 20]; `features` are those of `FEATURES`, before the last ReLU.

    Every feature has mean 0 and deviation 1 over the images that it was trained on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*layer(1, 16, 1), *layer(16, 32, 2), *layer(32, 64, 1), *layer(64, 64, 2), *layer(64, 64, 1),
                                  *layer(64, 24, 1), nn.Flatten())
        self.squeeze = nn.Linear(24 * (SIDE // 4)**2, FEATURES, bias=False)
        self.norm = nn.BatchNorm1d(FEATURES, affine=False)
        self.head = nn.Linear(FEATURES, CLASSES)

    def features(self, x: Tensor) -> Tensor:
        return self.norm(self.squeeze(self.body(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).relu())


def layer(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def grey28(images: Tensor) -> Tensor:
    """What the network sees of images float[B, C, H, W] in [-1, 1], C = 1, 3 or 4: float[B, 1, 28, 28], as RESIZE says."""
    x = images
    if x.shape[1] == 4:
        cover = (x[:, 3:] + 1) / 2
        x = x[:, :3] * cover + (1 - cover)
    if x.shape[1] == 3:
        x = (x * x.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    if x.shape[2:] != (SIDE, SIDE):
        x = interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
    return x


def read_weights(path: Path, sha256: str) -> Grey28:
    """The network with the weights of a safetensors file, in evaluation mode; InputError unless it has this hash and fits."""
    try:
        data = read_file(path, BYTES)
    except Strange as error:
        raise InputError(f"{path} {error}. Give a file that benchmarks/metrics/extractor.py wrote.") from None
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise InputError(f"{path} has sha256 {found}, and {sha256} was expected: it is another file, or damaged. Get it again.")
    with torch.device("meta"):          # first weights would be drawn from the caller's random numbers
        net = Grey28()
    wanted = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    try:
        given = layout(data)
    except Strange as error:
        raise InputError(f"{path} {error}. Give a file that benchmarks/metrics/extractor.py wrote.") from None
    if {name: form.shape for name, form in given.items()} != wanted:
        odd = sorted(name for name in given.keys() | wanted.keys() if given.get(name, Form(torch.float16, ())).shape != wanted.get(name))
        raise InputError(f"{path} does not hold weights for {NAME}'s network (see {odd[0]!r}). Give another kind of network as "
                         "TorchScript.")
    held = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in load_tensors(data).items()}
    net.load_state_dict(held, assign=True)
    return net.eval().requires_grad_(False)
