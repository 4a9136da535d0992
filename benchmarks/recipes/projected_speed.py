"""How many images a second each part of a round of `projected` takes, forwards and with gradients, in fp32 and in bf16.

    python -m benchmarks.recipes.projected_speed        on one core that does nothing else; half a minute
"""

import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from benchmarks.record import record
from sparring.data.pretrained import TRAINING, pretrained
from sparring.metrics import lite1
from sparring.nets import efficientnet
from sparring.nets.projected import ProjectedDiscriminator
from sparring.nets.residual_gan import ResidualGenerator
from sparring.objectives.augment import diff

BATCH, SIZE, SEEN, TIMES = 16, 64, 128, 7
LOWEST = torch.bfloat16


def images_a_second(play: Callable[[], object]) -> float:
    """The median of some measurements, in processor time, after two to warm up."""
    seconds = []
    for k in range(TIMES + 2):
        began = time.process_time()
        play()
        if k >= 2:
            seconds.append(time.process_time() - began)
    return round(BATCH / statistics.median(seconds), 1)


def forwards(part: Callable[[Tensor], Any], x: Tensor, low: bool) -> object:
    with torch.no_grad(), torch.autocast("cpu", LOWEST) if low else nullcontext():
        return part(x)


def backwards(part: Callable[[Tensor], Any], x: Tensor, parameters: list[nn.Parameter], low: bool) -> object:
    """With the gradient by the parameters, or, without these, by the input."""
    x = x.clone().requires_grad_(not parameters)
    with torch.autocast("cpu", LOWEST) if low else nullcontext():
        made = part(x)
    total = sum(one.float().sum() for one in (made if isinstance(made, list) else [made]))
    assert isinstance(total, Tensor)
    return torch.autograd.grad(total, parameters or [x])


def case(low: bool) -> dict[str, Any]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = pretrained(TRAINING)
    G, D = ResidualGenerator(128, (3, SIZE, SIZE), 32), ProjectedDiscriminator((3, SIZE, SIZE), net.stages, SEEN)
    for one in (G, D):
        one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    z, x = torch.randn(BATCH, 128), (torch.rand(BATCH, 3, SIZE, SIZE) * 2 - 1).contiguous(memory_format=torch.channels_last)
    large = torch.nn.functional.interpolate(x, (SEEN, SEEN), mode="bilinear").contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        mixed = [part.contiguous(memory_format=torch.channels_last) for part in D.mixing(net.stages(large))]

    def heads(part: Tensor) -> list[Tensor]:
        return [head(one) for head, one in zip(D.heads, mixed, strict=True)]

    learned = [p for p in D.parameters() if p.requires_grad]
    found = {
        "generator": images_a_second(partial(forwards, G, z, low)),
        "generator, with gradients": images_a_second(partial(backwards, G, z, list(G.parameters()), low)),
        "augmentation": images_a_second(partial(forwards, diff, x, False)),
        "pretrained network": images_a_second(partial(forwards, net.stages, large, low)),
        "pretrained network, with gradients": images_a_second(partial(backwards, net.stages, large, [], low)),
        "four discriminators, with gradients": images_a_second(partial(backwards, heads, x, learned, low)),
        "the whole way from an image to its scores and back": images_a_second(partial(backwards, D, x, [], low)),
    }
    deep = efficientnet.PRECISE
    efficientnet.PRECISE = 0
    found["pretrained network, no block kept in float32"] = images_a_second(partial(forwards, net.stages, large, low))
    found["the whole way and back, no block kept in float32"] = images_a_second(partial(backwards, D, x, [], low))
    efficientnet.PRECISE = deep
    found["features that judge (lite1), in float32"] = images_a_second(partial(forwards, lite1.features, x, False))
    maps = torch.randn(BATCH, 144, 32, 32).contiguous(memory_format=torch.channels_last).to(LOWEST if low else torch.float32)
    one = efficientnet.SameConv(144, 144, 5, 2, groups=144).to(memory_format=torch.channels_last, dtype=maps.dtype)
    one.requires_grad_(False)
    found["one 5x5 filter a map with a stride of 2, with gradients"] = images_a_second(partial(backwards, one, maps, [], False))
    strided = efficientnet.SameConv.forward
    efficientnet.SameConv.forward = plain  # type: ignore[method-assign]
    found["pretrained network, with gradients of strided filters as torch has them"] = images_a_second(
        partial(backwards, net.stages, large, [], low))
    found["the same filter as torch has it"] = images_a_second(partial(backwards, one, maps, [], False))
    efficientnet.SameConv.forward = strided  # type: ignore[method-assign]
    return found


def plain(self: efficientnet.SameConv, x: Tensor) -> Tensor:
    """The convolution without the way around slow gradients."""
    return conv2d(torch.nn.functional.pad(x, self.edges(x)) if self.conv.stride[0] > 1 else x, self.conv.weight, self.conv.bias,
                  self.conv.stride, self.conv.padding, groups=self.conv.groups)


if __name__ == "__main__":
    record("projected_speed", f"Images a second of one core, median of {TIMES} measurements in processor time; batches of {BATCH} of "
           f"{SIZE}x{SIZE} pixels, shown to the pretrained network at {SEEN}x{SEEN}.", {},
           [(precision, partial(case, precision == "bf16")) for precision in ("fp32", "bf16")])
