"""Grids of small images, pixel for pixel: every pixel becomes a square of whole pixels."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sparring.spaces import to_uint8

Pixels = NDArray[np.uint8]                       # uint8[H, W, 3]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
HEAD = 14                                        # pixels above a grid with names over its columns
WIDTH, GAP, LARGEST = 720, 4, 8                  # a grid's width aimed at, between images, and the largest upscaling
CHECK, PALE, PALER = 8, 224, 248                 # the checkerboard under transparency: squares and their two greys


def columns_for(width: int, most: int) -> int:
    """How many images of this width go in a row."""
    return max(2, min(most, 1024 // width))


def enlargement(width: int, columns: int) -> int:
    """By which whole number images are enlarged, so that small ones can be seen."""
    return max(1, min(LARGEST, (WIDTH // columns - GAP) // width))


def opaque(image: Tensor, factor: int) -> Pixels:
    """float[C, H, W] in [-1, 1] to uint8[H * factor, W * factor, 3]; transparent parts show a pale checkerboard."""
    pixels = to_uint8(image.detach().cpu()).permute(1, 2, 0).numpy()
    pixels = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    if pixels.shape[2] == 1:
        return pixels.repeat(3, axis=2)
    if pixels.shape[2] == 3:
        return pixels
    rows, columns = np.indices(pixels.shape[:2]) // CHECK
    board = np.where((rows + columns) % 2 == 0, PALER, PALE)[:, :, None]
    alpha = pixels[:, :, 3:].astype(np.float64) / 255
    mixed: Pixels = np.rint(pixels[:, :, :3] * alpha + board * (1 - alpha)).astype(np.uint8)
    return mixed


def fitting(name: str, font: Font, width: int) -> str:
    """As much of a name as is no wider."""
    most = next((n for n in range(len(name), 0, -1) if font.getlength(name[:n] + "." * (n < len(name))) <= width), 0)
    return name if most == len(name) else name[:most] + "." * (most > 0)


def image_grid(images: Tensor, columns: int, names: tuple[str, ...] = (), heads: tuple[str, ...] = ()) -> Image.Image:
    """float[B, C, H, W] in [-1, 1], row by row; `names` are written before the rows, and `heads` above the columns."""
    _, _, height, width = images.shape
    factor, rows = enlargement(width, columns), -(-len(images) // columns)
    tall, wide = height * factor + GAP, width * factor + GAP
    font = ImageFont.load_default(16)
    shown = [name if len(name) <= 14 else name[:13] + "." for name in names[:rows]]
    margin = max((int(font.getlength(name)) + 16 for name in shown), default=0)
    top = GAP + HEAD * bool(heads)
    sheet = Image.new("RGB", (margin + columns * wide + GAP, top + rows * tall), "white")
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        sheet.paste(Image.fromarray(opaque(image, factor)), (margin + GAP + column * wide, top + row * tall))
    for row, name in enumerate(shown):
        place = (margin - 8, top + row * tall + height * factor // 2)
        ImageDraw.Draw(sheet).text(place, name, fill="black", font=font, anchor="rm")
    small = ImageFont.load_default(11)
    for column, name in enumerate(heads[:columns]):
        place = (margin + GAP + column * wide + width * factor // 2, top - 4)
        ImageDraw.Draw(sheet).text(place, fitting(name, small, width * factor), fill="black", font=small, anchor="mb")
    return sheet


def by_class(labels: tuple[str, ...], columns: int) -> Tensor:
    """Class indices of a grid with one class a row, int64[rows * columns]."""
    return torch.arange(min(10, len(labels))).repeat_interleave(columns)
