"""What a model that animates makes of a few pairs of frames, and where it sees its key points."""

import colorsys

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from sparring.data.source import Arranged
from sparring.game import Animation
from sparring.pictures.grids import columns_for, enlargement, image_grid, opaque

SHOWN = 8
DOT = 40                # a key point's radius is this part of a picture's side, and at least a pixel


def animations(animation: Animation, source: Arranged, seed: int) -> Image.Image:
    """A column for each of the same few pairs of frames, of held-out clips where there are such: the source frame, the driving frame with
    the key points, what is made of both, and how far that is from the driving frame."""
    columns = columns_for(source.space.shape[-1], SHOWN)
    first, truth = source.examples(columns, seed).x.unbind(1)
    of_first, of_truth = animation.points(first), animation.points(truth)
    made = animation.render(first, of_first, of_truth).cpu()
    columns = len(first)
    factor = enlargement(first.shape[3], columns)
    seen = [dotted(first, of_first.at, factor), dotted(truth, of_truth.at, factor)]
    rows = [*seen, plain(made, factor), plain((made - truth).abs() - 1, factor)]
    return image_grid(torch.cat(rows), columns, ("source", "driving", "made", "difference"))


def beside(animation: Animation, source: Tensor, clip: Tensor, made: Tensor, least: int) -> Tensor:
    """Frames with the source float[C, H, W], the driving clip and the result side by side, the first two with their key points; the
    shorter side has `least` pixels or more: float[T, 3, H', W']."""
    factor = max(1, -(-least // min(source.shape[1:])))
    still = dotted(source[None], animation.points(source[None]).at, factor)
    moving = torch.cat([dotted(part, animation.points(part).at, factor) for part in clip.split(16)])
    return torch.cat([still.expand_as(moving), moving, plain(made, factor)], 3)


def plain(images: Tensor, factor: int = 1) -> Tensor:
    """Images float[B, C, H, W] in [-1, 1] as RGB, enlarged: float[B, 3, H * factor, W * factor] in [-1, 1]."""
    return torch.stack([back(opaque(image, factor)) for image in images])


def dotted(images: Tensor, at: Tensor, factor: int = 1) -> Tensor:
    """The same with key points float[B, K, 2] drawn into them, each in a colour of its own."""
    drawn = list[Tensor]()
    for image, places in zip(images, at.cpu(), strict=True):
        picture = Image.fromarray(opaque(image, factor))
        draw, radius = ImageDraw.Draw(picture), max(1.5, min(picture.size) / DOT)
        for number, (x, y) in enumerate(places.tolist()):
            across, down = ((one + 1) / 2 * side - 0.5 for one, side in ((x, picture.width), (y, picture.height)))
            shade = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(number / len(places), 0.9, 1.0))
            draw.ellipse((across - radius, down - radius, across + radius, down + radius), fill=shade, outline="black")
        drawn.append(back(np.asarray(picture)))
    return torch.stack(drawn)


def back(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8[H, W, 3] to float[3, H, W] in [-1, 1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 127.5 - 1
