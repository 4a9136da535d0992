"""Layers whose weights are drawn from N(0, 1) and scaled when they are used (equalized learning rates; Karras et al., 2018, section 4.1).

Adam moves every weight by about its learning rate, whatever its scale.  With weights of one scale, all layers learn at one speed.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GAIN = math.sqrt(2)     # of a leaky ReLU, which keeps about half of what comes in


class EqualLinear(nn.Linear):
    """float[B, inputs] to float[B, outputs].  `rate` multiplies the layer's learning rate (Karras et al., 2019, appendix C); `bias` is
    where the bias begins, None for none."""

    def __init__(self, inputs: int, outputs: int, bias: float | None = 0.0, rate: float = 1.0) -> None:
        super().__init__(inputs, outputs, bias is not None)
        self.scale, self.rate = rate / math.sqrt(inputs), rate
        nn.init.normal_(self.weight, 0.0, 1 / rate)
        if bias is not None:
            nn.init.constant_(self.bias, bias / rate)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, None if self.bias is None else self.bias * self.rate)


class EqualConv(nn.Conv2d):
    """float[B, inputs, H, W] to float[B, outputs, ...], by squares of `side`; without a stride the size stays."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(inputs, outputs, side, stride, side // 2 if stride == 1 else 0, bias=bias)
        self.scale = 1 / math.sqrt(inputs * side * side)
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


def bent(x: Tensor) -> Tensor:
    """The leaky ReLU of all these networks, scaled so that the size of activations stays."""
    return F.leaky_relu(x, 0.2) * GAIN


def exact(x: Tensor) -> Tensor:
    """At least float32, for sums of squares and what is divided by them."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def normalized(x: Tensor) -> Tensor:
    """Each vector, float[B, N], brought to a mean square of one."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()
