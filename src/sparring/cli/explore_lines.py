"""The command `explore` for models of text: the lines on the way from one latent to another, and those near one, in a page."""

from pathlib import Path
from typing import Any

import torch

from sparring import api
from sparring.errors import InputError, shown
from sparring.latent.parts import path as way
from sparring.report.page import Section, write_page
from sparring.rng import generator
from sparring.spaces import Texts

WAYS, NEIGHBOURS = 6, 10
DISTANCES = (0.1, 0.3, 1.0)                     # how far neighbours are, in each number of a latent


def refuse_for_lines(**given: object) -> None:
    """InputError for what is for pictures."""
    if odd := [f"--{name} {shown(str(value))}" for name, value in given.items() if value not in (None, 0, 0.0, "auto")]:
        raise InputError(f"{' and '.join(odd)}: words have no slopes, so there are no directions and no nearest latents. Leave it out; "
                         "`explore` shows lines between latents and near them.")


def explore_lines(model: api.Model, run: Path, folder: Path, steps: int, seed: int) -> dict[str, Any]:
    """Write index.html into the folder, which is there."""
    z = model.latents(WAYS, seed=seed)
    between = [of(model, way(torch.stack([z[k], z[(k + 1) % WAYS]]), steps)) for k in range(WAYS)]
    noise = torch.randn(len(DISTANCES), NEIGHBOURS, z.shape[1], generator=generator(seed, "near lines"))
    near = [(distance, of(model, z[:1] + distance * noise[k])) for k, distance in enumerate(DISTANCES)]
    sections = [Section("Summary", (f"A model of {model.recipe}, whose latents are {z.shape[1]} numbers from N(0, 1). The same latent "
                                    "always writes the same line.",))]
    sections += [Section(f"From line {k + 1} to line {(k + 1) % WAYS + 1}", (), ("share of the way", "line"),
                         [(f"{i / (steps - 1):.0%}", line) for i, line in enumerate(lines)]) for k, lines in enumerate(between)]
    first = between[0][0]
    sections.append(Section("Near line 1", (f"Line 1: {first}", "Each number of its latent is moved by noise of this deviation."),
                            ("noise", "line"), [(f"{distance:g}", line) for distance, lines in near for line in lines]))
    page = write_page(folder / "index.html", f"What the latents of {run} write", sections)
    told = [f"{i / (steps - 1):>5.0%}  {line}" for i, line in enumerate(between[0])]
    return {"run": str(run), "page": str(page), "latent": z.shape[1], "seed": seed, "ways": between,
            "near": {f"{distance:g}": lines for distance, lines in near}, "text": "\n".join([*told, "", f"Open {page}"])}


def of(model: api.Model, z: torch.Tensor) -> list[str]:
    assert isinstance(model.space, Texts)
    return model.space.write(model.generate(z))
