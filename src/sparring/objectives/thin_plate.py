"""Random thin-plate-spline warps, and what a detector of key points should do under them (Siarohin et al., 2019, section 3.1).

T(z) = z + A (z, 1) + sum_i w_i U(|z - c_i|), with U(r) = r^2 log r^2 (Bookstein, 1989), A and w_i small random numbers and c_i a grid of
control points.  A place z of the warped image Y shows what the image X has at T(z): T is T_{X<-Y}.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sparring.nets.motion import KeyPoints, applied, inverse, places, times, warped

AFFINE, BEND = 0.1, 0.003      # deviations of the numbers in A and w
CONTROL = 5                     # control points a side
TINY = 1e-6                     # added to squared distances: U and its slope are 0 at a control point


class Warp(NamedTuple):
    """One warp for each image of a batch."""

    affine: Tensor      # float[B, 2, 3]: the change by A
    bend: Tensor        # float[B, N, 2]: w
    control: Tensor     # float[N, 2]: c

    def points(self, z: Tensor) -> Tensor:
        """T(z) of places float[B, M, 2]."""
        square = (z[:, :, None] - self.control).square().sum(-1) + TINY
        bent = ((square * square.log())[..., None] * self.bend[:, None]).sum(2)
        return z + applied(self.affine[:, None, :, :2], z) + self.affine[:, None, :, 2] + bent

    def slope(self, z: Tensor) -> Tensor:
        """The Jacobian of T at places float[B, M, 2]: float[B, M, 2, 2]."""
        away = z[:, :, None] - self.control
        square = away.square().sum(-1, keepdim=True) + TINY
        steep = 2 * away * (square.log() + 1)                   # the gradient of U
        bent = (self.bend[:, None, :, :, None] * steep[:, :, :, None, :]).sum(2)
        return torch.eye(2, device=z.device, dtype=z.dtype) + self.affine[:, None, :, :2] + bent

    def image(self, x: Tensor) -> Tensor:
        """The warped images, float[B, C, H, W]."""
        at = places(x.shape[2], x.shape[3], x)
        moved = self.points(at.reshape(1, -1, 2).expand(len(x), -1, -1)).unflatten(1, tuple(x.shape[2:]))
        return warped(x, moved, "reflection")


def random_warp(like: Tensor) -> Warp:
    """A warp for each of a batch of images, from torch's generator."""
    n, control = len(like), places(CONTROL, CONTROL, like).reshape(-1, 2)
    affine, bend = (torch.randn(n, *shape, device=like.device, dtype=like.dtype) for shape in ((2, 3), (len(control), 2)))
    return Warp(AFFINE * affine, BEND * bend, control)


def equivariance(warp: Warp, found: KeyPoints, of_warped: KeyPoints) -> dict[str, Tensor]:
    """How far key points of images, and of the same images warped, are from T_{X<-R} = T_{X<-Y} after T_{Y<-R}, and their Jacobians from
    1 = (d/dp T_{X<-R})^-1 (d/dp T_{X<-Y}) (d/dp T_{Y<-R}): mean absolute differences (section 3.1)."""
    apart = {"points": (found.at - warp.points(of_warped.at)).abs().mean()}
    if found.slope is None or of_warped.slope is None:
        return apart
    one = torch.eye(2, device=found.at.device, dtype=found.at.dtype)
    product = times(inverse(found.slope), times(warp.slope(of_warped.at), of_warped.slope))
    return apart | {"jacobians": (one - product).abs().mean()}
