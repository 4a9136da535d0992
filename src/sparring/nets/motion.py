"""The networks of the first order motion model (Siarohin et al., 2019): key points with local affine maps, dense motion, a generator.

Places are (x, y) in [-1, 1] by [-1, 1]; the outermost pixels have their centres half a pixel inside.  R is an abstract reference frame
that is never computed: the detector says where each key point is in an image, T_{X<-R}(p_k), and how the surroundings are turned and
stretched there, the Jacobian d/dp T_{X<-R}.  Two images are compared through R.

Norms are over groups of maps of each image, where the paper has batch norm: an image is treated alike in any batch, in training or not.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, grid_sample, interpolate, relu, softmax

TEMPERATURE = 0.1       # heat maps are the softmax of logits over this
VARIANCE = 0.01         # of the Gaussians that stand for key points (eq. 6)
COARSE = 32             # pixels of the shorter side at which key points and motion are found, but half to a quarter of what it has;
                        # the paper has 64 of 256
LEVELS = 3              # halvings in an hourglass
GROUPS = 8
VISIBLE = 2.0           # logits of occlusion at first: nearly everything can be seen in the source
SINGULAR = 0.01         # determinants stay as far from zero as this


class KeyPoints(NamedTuple):
    """Where the key points of images are, and their Jacobians; None for a model of order zero, where all are the identity."""

    at: Tensor                  # float[B, K, 2]: x and y
    slope: Tensor | None        # float[B, K, 2, 2]

    def rows(self, chosen: slice | Tensor) -> "KeyPoints":
        """Those of some of the images."""
        return KeyPoints(self.at[chosen], None if self.slope is None else self.slope[chosen])


# ------------------------------------------------------------------------------------------------------------ geometry
def wide(x: Tensor) -> Tensor:
    """At least float32: places need more than the three digits of bfloat16."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def places(height: int, width: int, like: Tensor) -> Tensor:
    """The centres of an image's pixels, float[H, W, 2]."""
    y, x = ((torch.arange(n, device=like.device, dtype=like.dtype) * 2 + 1) / n - 1 for n in (height, width))
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1)


def times(a: Tensor, b: Tensor) -> Tensor:
    """Products of 2x2 matrices, float[..., 2, 2].  They are not written with @, which an autocast region would do in bfloat16."""
    return (a[..., :, :, None] * b[..., None, :, :]).sum(-2)


def applied(a: Tensor, v: Tensor) -> Tensor:
    """Products of matrices float[..., 2, 2] with vectors float[..., 2]."""
    return (a * v[..., None, :]).sum(-1)


def inverse(a: Tensor) -> Tensor:
    """The inverses of 2x2 matrices; of one that is nearly singular, that of a matrix nearby."""
    p, q, r, s = a.flatten(-2).unbind(-1)
    det = p * s - q * r
    det = torch.where(det.abs() < SINGULAR, torch.where(det < 0, -SINGULAR, SINGULAR), det)
    return torch.stack([torch.stack([s, -q], -1), torch.stack([-r, p], -1)], -2) / det[..., None, None]


def warped(x: Tensor, at: Tensor, border: str = "border") -> Tensor:
    """The image whose value at each pixel is that of x at the place given: float[B, C, h, w] of x float[B, C, H, W] and places
    float[B, h, w, 2]; between pixels bilinearly."""
    return grid_sample(wide(x), at, mode="bilinear", padding_mode=border, align_corners=False)


def soft_argmax(heat: Tensor) -> Tensor:
    """The mean place under each map, float[B, K, 2], of maps float[B, K, h, w] that add up to one."""
    at = places(heat.shape[2], heat.shape[3], heat)
    return (heat[..., None] * at).sum((2, 3))


def gaussians(at: Tensor, height: int, width: int, variance: float = VARIANCE) -> Tensor:
    """exp(-|z - p|^2 / (2 variance)) for key points float[B, K, 2]: float[B, K, height, width]."""
    apart = places(height, width, at) - at[:, :, None, None]
    return (-apart.square().sum(-1) / (2 * variance)).exp()


def sparse_motions(source: KeyPoints, driving: KeyPoints, height: int, width: int) -> Tensor:
    """Where each place of the driving frame was in the source frame, by each key point alone: float[B, K + 1, height, width, 2].

    T_{S<-D}(z) = T_{S<-R}(p_k) + J_k (z - T_{D<-R}(p_k)), J_k = (d/dp T_{S<-R}) (d/dp T_{D<-R})^-1 (eqs. 4 and 5).  The first one is the
    background's, which stays where it is.
    """
    still = places(height, width, source.at)
    away = still - driving.at[:, :, None, None]
    if source.slope is not None and driving.slope is not None:
        away = applied(times(source.slope, inverse(driving.slope))[:, :, None, None], away)
    return torch.cat([still.expand(away.shape[0], 1, -1, -1, -1), source.at[:, :, None, None] + away], 1)


def coarse(height: int, width: int) -> tuple[int, int]:
    """The size at which motion is found in images of this size."""
    side = min(height, width)
    scale = max(0.25, min(0.5, COARSE / side))
    return max(4, round(height * scale)), max(4, round(width * scale))


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Images at another size: means where it is smaller, bilinear where it is larger."""
    if tuple(x.shape[2:]) == size:
        return x
    return interpolate(x, size, mode="area") if size[0] <= x.shape[2] else interpolate(x, size, mode="bilinear", align_corners=False)


# ------------------------------------------------------------------------------------------------------------ networks
def convolved(maps: int, out: int) -> nn.Sequential:
    """A 3x3 convolution, norm and ReLU."""
    return nn.Sequential(nn.Conv2d(maps, out, 3, padding=1, bias=False), nn.GroupNorm(math.gcd(GROUPS, out), out), nn.ReLU())


class Hourglass(nn.Module):
    """float[B, channels, h, w] to float[B, maps, h, w]: halved and doubled again, each size joined with what was there before."""

    def __init__(self, channels: int, width: int, levels: int = LEVELS) -> None:
        super().__init__()
        sizes = [channels, *(width * min(4, 2**i) for i in range(1, levels + 1))]
        self.down = nn.ModuleList(convolved(a, b) for a, b in pairwise(sizes))
        self.up, last = nn.ModuleList(), sizes[-1]
        for i in reversed(range(levels)):
            self.up.append(convolved(last, width * min(4, 2**i)))
            last = width * min(4, 2**i) + sizes[i]
        self.maps = last

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for layer in self.down:
            y = layer(seen[-1])
            seen.append(avg_pool2d(y, 2, ceil_mode=True))
        y = seen.pop()
        for layer in self.up:
            mirror = seen.pop()
            y = torch.cat([layer(interpolate(y, mirror.shape[2:])), mirror], 1)
        return y


class Detector(nn.Module):
    """Images float[B, C, H, W] to their `count` key points (section 3.1): the mean of a heat map, and Jacobians, averaged by the same
    map, that are the identity at first."""

    def __init__(self, channels: int, count: int, width: int, slopes: bool) -> None:
        super().__init__()
        self.body = Hourglass(channels, width)
        self.heat = nn.Conv2d(self.body.maps, count, 3, padding=1, bias=False)      # a softmax over places follows
        self.slopes = nn.Conv2d(self.body.maps, 4 * count, 3, padding=1) if slopes else None
        if self.slopes is not None:
            nn.init.zeros_(self.slopes.weight)
            assert self.slopes.bias is not None
            with torch.no_grad():
                self.slopes.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 1.0]).repeat(count))

    def forward(self, x: Tensor) -> KeyPoints:
        maps = self.body(resized(x, coarse(*x.shape[2:])))
        heat = softmax(wide(self.heat(maps)).flatten(2) / TEMPERATURE, -1).unflatten(2, maps.shape[2:])
        if self.slopes is None:
            return KeyPoints(soft_argmax(heat), None)
        each = wide(self.slopes(maps)).unflatten(1, (heat.shape[1], 2, 2))
        return KeyPoints(soft_argmax(heat), (heat[:, :, None, None] * each).sum((4, 5)))


class Flow(NamedTuple):
    """A dense motion: where each pixel of the driving frame was in the source frame, and how much of it is seen there."""

    at: Tensor                  # float[B, h, w, 2]
    seen: Tensor                # float[B, 1, h, w], from 0 (hidden in the source) to 1
    shares: Tensor              # float[B, K + 1, h, w]: of the background and of each key point

    def moved(self, x: Tensor) -> Tensor:
        """Images or maps as they are seen in the driving frame, and black where they are not."""
        at = resized(self.at.movedim(3, 1), (x.shape[2], x.shape[3])).movedim(1, 3)
        return warped(x, at) * self.seen_at(x)

    def seen_at(self, x: Tensor) -> Tensor:
        """What is seen, at the size of x."""
        return resized(self.seen, (x.shape[2], x.shape[3]))


class DenseMotion(nn.Module):
    """A source image and two sets of key points to the motion between them (section 3.1, eqs. 6 and 7) and the occlusion (section 3.2)."""

    def __init__(self, channels: int, count: int, width: int) -> None:
        super().__init__()
        self.body = Hourglass((count + 1) * (channels + 1), width)
        self.shares = nn.Conv2d(self.body.maps, count + 1, 3, padding=1)
        self.seen = nn.Conv2d(self.body.maps, 1, 3, padding=1)
        assert self.seen.bias is not None
        nn.init.constant_(self.seen.bias, VISIBLE)

    def forward(self, x: Tensor, source: KeyPoints, driving: KeyPoints) -> Flow:
        size = coarse(*x.shape[2:])
        small, motions = resized(x, size), sparse_motions(source, driving, *size)
        ways = motions.shape[1]
        moved = warped(small.repeat_interleave(ways, 0), motions.flatten(0, 1)).unflatten(0, (x.shape[0], ways))
        change = gaussians(driving.at, *size) - gaussians(source.at, *size)                 # eq. 6
        change = torch.cat([torch.zeros_like(change[:, :1]), change], 1)
        maps = self.body(torch.cat([change[:, :, None], moved], 2).flatten(1, 2))
        shares = softmax(wide(self.shares(maps)), 1)
        return Flow((shares[..., None] * motions).sum(1), wide(self.seen(maps)).sigmoid(), shares)     # eq. 7


class Block(nn.Module):
    """x + f(x), where f is twice a norm, a ReLU and a 3x3 convolution."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        groups = math.gcd(GROUPS, maps)
        self.body = nn.Sequential(nn.GroupNorm(groups, maps), nn.ReLU(), nn.Conv2d(maps, maps, 3, padding=1),
                                  nn.GroupNorm(groups, maps), nn.ReLU(), nn.Conv2d(maps, maps, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Warping(nn.Module):
    """A source image and a dense motion to the driving frame, float[B, C, H, W] in [-1, 1] (section 3.2): the source's maps are moved, and
    blacked out where nothing of the source is to be seen, xi' = O * f_w(xi, T) (eqs. 8 and 9); the rest is made up.

    The source itself is treated so too, and the result is O * f_w(S, T) + (1 - O) * what was made.  That is not in the paper, whose
    generator paints every pixel: here a short training does not have to learn first to paint what does not move.
    """

    def __init__(self, channels: int, width: int, blocks: int, halvings: int) -> None:
        super().__init__()
        maps = [width * min(8, 2**i) for i in range(halvings + 1)]
        self.first = nn.Sequential(nn.Conv2d(channels, width, 7, padding=3, bias=False), nn.GroupNorm(math.gcd(GROUPS, width), width),
                                   nn.ReLU())
        self.down = nn.ModuleList(convolved(a, b) for a, b in pairwise(maps))
        self.blocks = nn.Sequential(*(Block(maps[-1]) for _ in range(blocks)))
        self.up = nn.ModuleList(convolved(b, a) for a, b in reversed(list(pairwise(maps))))
        self.last = nn.Conv2d(width, channels, 7, padding=3)

    def forward(self, x: Tensor, flow: Flow) -> Tensor:
        y, sizes = self.first(x), []
        for layer in self.down:
            sizes.append(y.shape[2:])
            y = avg_pool2d(layer(y), 2, ceil_mode=True)
        y = self.blocks(flow.moved(y))
        for layer in self.up:
            y = layer(interpolate(y, sizes.pop()))
        return flow.moved(x) + (1 - flow.seen_at(x)) * wide(self.last(relu(y))).tanh()


class Animator(nn.Module):
    """The three networks, which learn together."""

    def __init__(self, channels: int, height: int, width_px: int, count: int, width: int, blocks: int, slopes: bool) -> None:
        super().__init__()
        self.detector = Detector(channels, count, width, slopes)
        self.motion = DenseMotion(channels, count, width)
        self.warping = Warping(channels, width, blocks, 1 if min(height, width_px) < 128 else 2)

    def forward(self, x: Tensor) -> KeyPoints:
        """The key points of images float[B, C, H, W] in [-1, 1]."""
        found: KeyPoints = self.detector(x)
        return found

    def render(self, x: Tensor, source: KeyPoints, driving: KeyPoints) -> Tensor:
        """The images x, whose key points are `source`, moved to the key points `driving`."""
        made: Tensor = self.warping(x, self.motion(x, source, driving))
        return made
