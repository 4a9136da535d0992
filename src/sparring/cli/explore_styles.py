"""What `explore` shows of a model with styles: mixing, directions and ways in W."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sparring.api import Model
from sparring.latent import steering, styles
from sparring.latent.directions import Directions
from sparring.nets.style import StyleGenerator
from sparring.pictures.grids import image_grid
from sparring.pictures.style import save_image
from sparring.pictures.traversals import sheet, small
from sparring.report.page import Section

COARSE, FINE, WAYS = 5, 7, 4            # rows and columns of the mixing grid; ways
SIDE = 128                              # pixels of an image
MANY = 1000                             # styles whose spread and components are taken
TITLES = {"styles": "Directions in W by what the layers multiply styles by (Shen and Zhou, 2021).",
          "components": "Directions in W: the main components of styles (Härkönen et al., 2020)."}


def style_section(model: Model, z: Tensor, which: Tensor, n: int, places: Tensor, steps: int,
                  folder: Path) -> tuple[Section, dict[str, Any]]:
    """One section with its pictures, and the directions as plain values.  Latents float[k, latent] at labels such as the model takes."""
    net, space = styles.styled(steering.network(model.game)), model.space
    known = styles.styles(net, model.game.prior(MANY, torch.Generator().manual_seed(0)),
                          steering.network_labels(model.game, space, which[:1].repeat_interleave(MANY, 0)))
    w = styles.styles(net, z, steering.network_labels(model.game, space, which))
    pictures = [(mixing(net, w, folder / "mixing.png"), "Style mixing: coarse layers from the first column, fine ones from the first row.")]
    found = {"styles": styles.closed_form(net, n), "components": styles.principal(known, n)}
    spread = float((known - known.mean(0)).square().sum(1).mean().sqrt())
    for name, of in found.items():
        path = folder / f"style-{name}.png"
        pictures.append((moved(model, net, w[:1], of, places * spread / float(places[-1]), path), TITLES[name]))
    pictures.append((ways(model, net, w, steps, folder / "style-ways.png"), "From one style to the next, on a straight line in W."))
    words = ("A style w is what the mapping network makes of a latent, and says in every layer how much each feature map counts. The "
             "average style is in the middle of them; directions are moved along as far as styles spread.",)
    return Section("Styles", words, pictures=pictures), {name: plain(of) for name, of in found.items()}


def plain(of: Directions) -> dict[str, Any]:
    return {"layer": of.layer, "shares": of.shares.tolist(), "linear": of.linear.tolist(), "vectors": of.vectors.tolist()}


def mixing(net: StyleGenerator, w: Tensor, path: Path) -> Path:
    """The grid: its corner is empty, the first row and column are the images whose styles are mixed."""
    rows, columns = min(COARSE, len(w) - 1), min(FINE, max(1, len(w) - COARSE))
    coarse, fine = w[:rows], w[-columns:]
    cells = styles.drawn(net, styles.mixed(net, coarse, fine).flatten(0, 1)).unflatten(0, (rows, columns))
    down, across = styles.drawn(net, coarse), styles.drawn(net, fine)
    lines = [torch.cat([torch.ones_like(across[:1]), across]), *(torch.cat([down[i:i + 1], cells[i]]) for i in range(rows))]
    return save_image(image_grid(small(torch.cat(lines).clamp(-1, 1), SIDE), columns + 1), path)


def moved(model: Model, net: StyleGenerator, w: Tensor, of: Directions, places: Tensor, path: Path) -> Path:
    """A row for each direction, all from the first style."""
    points = w[:, None] + places[:, None] * of.vectors[:, None]
    samples = styles.drawn(net, points.flatten(0, 1)).clamp(-1, 1).unflatten(0, points.shape[:2])
    return sheet(model.space, samples, path, tuple(f"{i + 1}: {float(share):.1%}" for i, share in enumerate(of.shares)), ("", "", ""))


def ways(model: Model, net: StyleGenerator, w: Tensor, steps: int, path: Path) -> Path:
    legs = torch.stack([styles.between(torch.stack([w[i], w[(i + 1) % len(w)]]), steps) for i in range(min(WAYS, len(w)))])
    samples = styles.drawn(net, legs.flatten(0, 1)).clamp(-1, 1).unflatten(0, legs.shape[:2])
    return sheet(model.space, samples, path, (), ("", "", ""))
