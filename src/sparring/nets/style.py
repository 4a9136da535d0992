"""A style-based generator and its discriminator (Karras et al., 2019; 2020a), for any height and width from 8 pixels and 1 to 4 channels.

Written from the papers.  A latent z becomes a style w, and w steers every layer: it scales the maps that the layer's convolution takes,
and what comes out is brought back to a deviation of one.  In training the generator draws noise and mixes styles, and it counts the mean
of w.  In evaluation mode it does none of this, so the same z gives the same image.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.functional import one_hot

from sparring.nets.dcgan import halvings
from sparring.nets.equalized import EqualConv, EqualLinear, bent, exact, normalized
from sparring.nets.filtered import Filter
from sparring.nets.mlp import projection

RATE = 0.01             # of the mapping network's layers, times that of the others (Karras et al., 2019, appendix C)
PACE = 0.005            # at which the mean of w follows


class Mapping(nn.Module):
    """z, float[B, latent], (and int64[B] classes or float[B, classes]) to styles w, float[B, latent] (Karras et al., 2019, section 2).

    z is normalized; a class becomes a vector of the same size, which is normalized and stands beside it (Karras et al., 2020b).
    """

    def __init__(self, latent: int, depth: int, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.embedding = EqualLinear(classes, latent, None) if classes else None
        inputs = [latent * (2 if classes else 1)] + [latent] * (depth - 1)
        self.layers = nn.ModuleList(EqualLinear(size, latent, rate=RATE) for size in inputs)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):      # it costs little, and all styles hang on it
            x = normalized(exact(z))
            if self.embedding is not None:
                assert labels is not None
                told = labels if labels.is_floating_point() else one_hot(labels, self.classes)
                x = torch.cat([x, normalized(self.embedding(told.to(x.dtype)))], 1)
            for layer in self.layers:
                x = bent(layer(x))
            return x


class Modulated(nn.Module):
    """A convolution whose weights follow a style, each sample its own (Karras et al., 2020a, section 2.2).

    float[B, inputs, H, W] and w, float[B, latent], to float[B, outputs, H, W], or twice as large with `up`.  With the scales s of the
    sample, its weights are s_i W_oi, and with `demodulated` these over their norm, sqrt(sum_i,k (s_i W_oik)^2 + 1e-8) (eq. 1 and 3).
    A convolution is linear in both, so this is: scale what goes in, convolve all samples by the same weights, scale what comes out.
    """

    def __init__(self, inputs: int, outputs: int, side: int, latent: int, up: bool = False, demodulated: bool = True) -> None:
        super().__init__()
        self.up, self.demodulated = up, demodulated
        self.weight, self.scale = nn.Parameter(torch.randn(outputs, inputs, side, side)), 1 / math.sqrt(inputs * side * side)
        self.style = EqualLinear(latent, inputs, 1.0)
        self.filter = Filter()

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            s, weight = self.style(exact(w)), self.weight * self.scale
            back = (s.square() @ weight.square().sum((2, 3)).T + 1e-8).rsqrt() if self.demodulated else None
        x = x * s[:, :, None, None].to(x.dtype)
        if self.up:
            x = self.filter.smooth(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), 1, 4.0)
        else:
            x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
        return x if back is None else x * back[:, :, None, None].to(x.dtype)


class StyleLayer(nn.Module):
    """A modulated convolution, noise, bias and leaky ReLU, whose maps have this size.

    The noise is one number a pixel, the same for all maps, times a learned strength that begins at 0: new in training, always the same in
    evaluation mode.  It is added after the style (Karras et al., 2020a, figure 2c).
    """

    always: Tensor

    def __init__(self, inputs: int, outputs: int, latent: int, size: tuple[int, int], up: bool = False) -> None:
        super().__init__()
        self.convolution = Modulated(inputs, outputs, 3, latent, up)
        self.bias, self.strength = nn.Parameter(torch.zeros(outputs)), nn.Parameter(torch.zeros(()))
        self.register_buffer("always", torch.randn(1, 1, *size))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = self.convolution(x, w)
        noise = torch.randn(len(x), 1, *x.shape[2:], device=x.device) if self.training else self.always
        return bent(x + (self.strength * noise).to(x.dtype) + self.bias[:, None, None].to(x.dtype))


class Synthesis(nn.Module):
    """Styles, float[B, count, latent], to images float[B, C, H, W].

    It begins with a learned constant, whose shorter side is 4 to 7, and doubles it.  At every size a layer of its own makes an image,
    which is added to the enlarged one before (skip connections; Karras et al., 2020a, section 4.1).  What is left over is cropped evenly.
    A layer that makes an image has the style of the convolution after it.
    """

    def __init__(self, latent: int, shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        n = halvings(self.height, self.width)
        maps = [width * min(8, 2 ** (n - i)) for i in range(n + 1)]
        sizes = [(-(-self.height // 2**n) << i, -(-self.width // 2**n) << i) for i in range(n + 1)]
        self.count = 2 * n + 2
        self.constant = nn.Parameter(torch.randn(1, maps[0], *sizes[0]))
        self.layers = nn.ModuleList([StyleLayer(maps[0], maps[0], latent, sizes[0])])
        for (before, after), size in zip(pairwise(maps), sizes[1:], strict=True):
            self.layers += [StyleLayer(before, after, latent, size, up=True), StyleLayer(after, after, latent, size)]
        self.images = nn.ModuleList(Modulated(m, channels, 1, latent, demodulated=False) for m in maps)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.filter = Filter()

    def forward(self, styles: Tensor) -> Tensor:
        w = styles.unbind(1)                                    # shape[0]: to torch.export, len is a number that is fixed
        x = self.layers[0](self.constant.expand(styles.shape[0], -1, -1, -1), w[0])
        image = self.images[0](x, w[1])
        for i in range(1, len(self.images)):
            x = self.layers[2 * i](self.layers[2 * i - 1](x, w[2 * i - 1]), w[2 * i])
            image = self.filter.larger(image) + self.images[i](x, w[2 * i + 1])
        top, left = (image.shape[2] - self.height) // 2, (image.shape[3] - self.width) // 2
        return image[:, :, top:top + self.height, left:left + self.width] + self.bias[:, None, None].to(image.dtype)


class StyleGenerator(nn.Module):
    """float[B, latent] (and int64[B] class indices) to image: float[B, C, H, W], about in [-1, 1].

    `width` is the number of feature maps at full resolution; it doubles with every halving, up to eight times.  `depth` layers make a
    style of a latent.  In training a sample has, with probability `mixing`, the style of another latent from a random layer on (Karras et
    al., 2019, section 3.1).  `mean` is the moving average of w in training, and `seen` how often it moved; `total` adds up over the
    processes that share a batch.  In evaluation mode `psi` below 1 draws each w towards the mean: truncation (section 3.2 and appendix B).
    """

    mean: Tensor
    seen: Tensor

    def __init__(self, latent: int, shape: tuple[int, int, int], width: int, depth: int, classes: int = 0, mixing: float = 0.0,
                 total: Callable[[Tensor], Tensor] = torch.clone) -> None:
        super().__init__()
        self.mapping, self.synthesis = Mapping(latent, depth, classes), Synthesis(latent, shape, width)
        self.mixing, self.total = mixing, total
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, z: Tensor, labels: Tensor | None = None, psi: float = 1.0) -> Tensor:
        w = self.mapping(z, labels)
        if not self.training:
            return self.synthesis(self.everywhere(w if psi == 1 else self.mean + psi * (w - self.mean)))
        self.follow(w.detach())
        return self.synthesis(self.mixed(w, z, labels) if self.mixing else self.everywhere(w))

    def everywhere(self, w: Tensor) -> Tensor:
        """The same style for every layer: float[B, count, latent]."""
        return w[:, None].expand(-1, self.synthesis.count, -1)

    def mixed(self, w: Tensor, z: Tensor, labels: Tensor | None) -> Tensor:
        """The style of each sample up to a random layer, and another one from there on, or its own everywhere."""
        other, layers, n = self.mapping(torch.randn_like(z), labels), self.synthesis.count, len(z)
        where, mixes = torch.randint(1, layers, (n,), device=z.device), torch.rand(n, device=z.device) < self.mixing
        own = torch.arange(layers, device=z.device) < torch.where(mixes, where, layers)[:, None]
        return torch.where(own[:, :, None], w[:, None], other[:, None])

    @torch.no_grad()
    def follow(self, w: Tensor) -> None:
        """Move the mean towards that of these styles: all the way at first, then by ever less, down to PACE."""
        sums = self.total(torch.cat([w.sum(0), torch.full_like(w[:1, 0], len(w))]))
        self.seen += 1
        self.mean.lerp_(sums[:-1] / sums[-1], (1 / self.seen).clamp(min=PACE))


class Halving(nn.Module):
    """Two convolutions, the second with a stride behind the filter, and a skip around them (Karras et al., 2020a, section 4.1)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first, self.second = EqualConv(before, before, 3), EqualConv(before, after, 3, 2)
        self.skip, self.filter = EqualConv(before, after, 1, bias=False), Filter()

    def forward(self, x: Tensor) -> Tensor:
        within = bent(self.second(self.filter.smooth(bent(self.first(x)), 2)))
        return (within + self.skip(self.filter.smaller(x))) * math.sqrt(0.5)


class StyleDiscriminator(nn.Module):
    """image: float[B, C, H, W] (and int64[B] class indices) to logits float[B].

    Residual, with the deviation over `group` images as one more map before the last convolution (Karras et al., 2018, section 3); classes
    by projection (Miyato and Koyama, 2018, eq. 4).
    """

    def __init__(self, shape: tuple[int, int, int], width: int, classes: int = 0, group: int = 4) -> None:
        super().__init__()
        self.group, (channels, height, wide) = group, shape
        n = halvings(height, wide)
        maps = [width * min(8, 2**i) for i in range(n + 1)]
        self.first = EqualConv(channels, maps[0], 1)
        self.blocks = nn.Sequential(*(Halving(before, after) for before, after in pairwise(maps)))
        self.last = EqualConv(maps[-1] + 1, maps[-1], 3)
        self.dense = EqualLinear(maps[-1] * (height // 2**n) * (wide // 2**n), maps[-1])
        self.score = EqualLinear(maps[-1], 1)
        self.classes = nn.Embedding(classes, maps[-1]) if classes else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.blocks(bent(self.first(x)))
        features = bent(self.dense(bent(self.last(with_deviation(x, self.group))).flatten(1)))
        logits = self.score(features).squeeze(1)
        if self.classes is None:
            return logits
        assert labels is not None
        return logits + (projection(self.classes, labels) * features).sum(1) / math.sqrt(features.shape[1])


def with_deviation(x: Tensor, group: int) -> Tensor:
    """Maps float[B, C, H, W] and, as one more, the mean deviation over the group of images that each belongs to.

    Neighbours are a group, so that processes that share a batch have whole groups.  Where there are too few for the last group, it takes
    the last `group` images.
    """
    size = min(group, len(x))
    whole = len(x) - len(x) % size
    found = deviation(x[:whole].unflatten(0, (-1, size))).repeat_interleave(size)
    if whole < len(x):
        found = torch.cat([found, deviation(x[None, -size:]).expand(len(x) - whole)])
    return torch.cat([x, found.to(x.dtype)[:, None, None, None].expand(-1, 1, *x.shape[2:])], 1)


def deviation(groups: Tensor) -> Tensor:
    """The deviation over each group's images, float[N, size, C, H, W], a mean over everything else: float[N]."""
    return (exact(groups).var(1, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
