"""EfficientNet-Lite (Tan and Le, 2019; its lite variants have no squeeze-and-excitation and ReLU6 for swish), frozen, in plain torch.

It classifies photographs into the 1,000 classes of ImageNet.  Here it is a network whose features others are built on: it never learns,
its batch norms are folded into the convolutions before them, and gradients pass through it to the images.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, relu6

EPSILON = 1e-3          # of the batch norms
STRIDES = (4, 8, 16, 32)


class Stage(NamedTuple):
    """Blocks of one kind: the first one may halve the sides."""

    expansion: int
    kernel: int
    stride: int
    maps: int
    blocks: int


class Variant(NamedTuple):
    """How a network of the family is built, and the side of the images that it learned from."""

    stages: tuple[Stage, ...]
    side: int


def variant(repeats: tuple[int, ...], side: int) -> Variant:
    """The seven stages of EfficientNet-B0 (Tan and Le, 2019, table 1) with other numbers of blocks."""
    shapes = ((1, 3, 1, 16), (6, 3, 2, 24), (6, 5, 2, 40), (6, 3, 2, 80), (6, 5, 1, 112), (6, 5, 2, 192), (6, 3, 1, 320))
    return Variant(tuple(Stage(*shape, n) for shape, n in zip(shapes, repeats, strict=True)), side)


LITE0 = variant((1, 2, 2, 3, 3, 4, 1), 224)
LITE1 = variant((1, 3, 3, 4, 4, 5, 1), 240)
STEM, HEAD, CLASSES = 32, 1280, 1000
PRECISE = 5             # blocks that stay in float32 under autocast: rounding there does most of the harm to gradients
MAPS = (24, 40, 112, 320)               # of the four stages that `stages` gives, at STRIDES


class SameConv(nn.Module):
    """A convolution whose output has ceil(side / stride) places, with the odd place of padding at the right and below, as in the
    network that the weights come from."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """In bf16, where gradients will be asked for, a filter a map with stride 2 is one with stride 1 of which every second place is
        kept: for the gradient of the former a processor takes about four times as long (benchmarks/results/projected_speed.json)."""
        if self.conv.stride[0] == 1:
            return self.conv(x)
        x = pad(x, self.edges(x))
        if self.conv.groups == 1 or x.dtype != torch.bfloat16 or not x.requires_grad:
            return self.conv(x)
        down, across = self.conv.stride
        return conv2d(x, self.conv.weight, self.conv.bias, groups=self.conv.groups)[:, :, ::down, ::across]

    def edges(self, x: Tensor) -> list[int]:
        found = list[int]()
        for side, kernel, stride in zip(x.shape[:1:-1], self.conv.kernel_size, self.conv.stride, strict=True):
            missing = max(0, (-(-side // stride) - 1) * stride + kernel - side)
            found += [missing // 2, missing - missing // 2]
        return found


class Block(nn.Module):
    """An inverted residual bottleneck (Sandler et al., 2018): wider, a filter for each map, narrow again; added to what it was given
    where the shapes agree."""

    def __init__(self, inputs: int, stage: Stage, first: bool) -> None:
        super().__init__()
        wide, stride = inputs * stage.expansion, stage.stride if first else 1
        self.expand = SameConv(inputs, wide, 1) if stage.expansion > 1 else None
        self.depthwise = SameConv(wide, wide, stage.kernel, stride, groups=wide)
        self.project = SameConv(wide, stage.maps, 1)
        self.added = stride == 1 and inputs == stage.maps

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.expand is None else relu6(self.expand(x))
        made = self.project(relu6(self.depthwise(wide)))
        return x + made if self.added else made


class EfficientNet(nn.Module):
    """Images float[B, 3, H, W] in [-1, 1], of any size, to logits float[B, 1000]; `stages` and `features` are what comes before."""

    def __init__(self, form: Variant) -> None:
        super().__init__()
        self.side = form.side
        self.stem = SameConv(3, STEM, 3, 2)
        blocks, maps, self.ends = list[nn.Module](), STEM, list[int]()
        for stage in form.stages:
            for k in range(stage.blocks):
                blocks.append(Block(maps, stage, first=k == 0))
                maps = stage.maps
            if maps in MAPS:
                self.ends.append(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)
        self.head, self.classify = SameConv(maps, HEAD, 1), nn.Linear(HEAD, CLASSES)

    def stages(self, x: Tensor) -> list[Tensor]:
        """What four stages give, float[B, MAPS[i], H / STRIDES[i], W / STRIDES[i]], sides rounded up."""
        found = list[Tensor]()
        with torch.autocast(x.device.type, enabled=False):
            x = relu6(self.stem(x.to(self.stem.conv.weight.dtype) * (127.5 / 128) + 0.5 / 128))         # (pixel - 127) / 128
            for k in range(PRECISE):
                x = self.through(k, x, found)
        for k in range(PRECISE, len(self.blocks)):
            x = self.through(k, x, found)
        return found

    def through(self, k: int, x: Tensor, found: list[Tensor]) -> Tensor:
        """What block k makes of x, which is added to what was found where a stage ends."""
        x = self.blocks[k](x)
        if k in self.ends:
            found.append(x)
        return x

    def features(self, x: Tensor) -> Tensor:
        """float[B, 1280]: the means over the places of the last layer before the classifier."""
        return relu6(self.head(self.stages(x)[-1])).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))


def in_colour(images: Tensor) -> Tensor:
    """Images float[B, C, H, W] in [-1, 1], C = 1, 3 or 4, in three channels: grey ones thrice, transparency on white."""
    if images.shape[1] == 4:
        cover = (images[:, 3:] + 1) / 2
        images = images[:, :3] * cover + (1 - cover)
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images


def names(form: Variant) -> dict[str, tuple[str, str]]:
    """By the name of a convolution here, those of the convolution and the batch norm that it is folded from."""
    found, k = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}, 0
    for stage in form.stages:
        for _ in range(stage.blocks):
            within = [("expand", "_expand_conv", "_bn0")] if stage.expansion > 1 else []
            for mine, conv, norm in [*within, ("depthwise", "_depthwise_conv", "_bn1"), ("project", "_project_conv", "_bn2")]:
                found[f"blocks.{k}.{mine}"] = (f"_blocks.{k}.{conv}", f"_blocks.{k}.{norm}")
            k += 1
    return found


def shapes(form: Variant) -> dict[str, tuple[int, ...]]:
    """The tensors that published weights hold, but for counters."""
    with torch.device("meta"):
        own = EfficientNet(form).state_dict()
    found = {"_fc.weight": tuple(own["classify.weight"].shape), "_fc.bias": tuple(own["classify.bias"].shape)}
    for mine, (conv, norm) in names(form).items():
        shape = tuple(own[f"{mine}.conv.weight"].shape)
        found |= {f"{conv}.weight": shape, **{f"{norm}.{part}": shape[:1] for part in ("weight", "bias", "running_mean", "running_var")}}
    return found


def built(form: Variant, weights: Mapping[str, Tensor]) -> EfficientNet:
    """The network with published weights, float32 as in `shapes`, each batch norm folded into its convolution; frozen, in evaluation
    mode, in channels_last, the layout that convolutions on a processor prefer."""
    own = {"classify.weight": weights["_fc.weight"], "classify.bias": weights["_fc.bias"]}
    for mine, (conv, norm) in names(form).items():
        gain = weights[f"{norm}.weight"].double() / (weights[f"{norm}.running_var"].double() + EPSILON).sqrt()
        own[f"{mine}.conv.weight"] = (weights[f"{conv}.weight"].double() * gain[:, None, None, None]).float()
        own[f"{mine}.conv.bias"] = (weights[f"{norm}.bias"].double() - weights[f"{norm}.running_mean"].double() * gain).float()
    with torch.device("meta"):                  # first weights would be drawn from the caller's random numbers
        net = EfficientNet(form)
    net.load_state_dict(own, assign=True)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net.eval().requires_grad_(False)
