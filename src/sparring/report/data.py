"""The data section of a report: the data as training sees it.  `sparring data` looks at files, sizes and modes."""

from pathlib import Path

import torch
from torch import Tensor

from sparring.data.images.check import look_at_values
from sparring.data.images.findings import LOOK, about_labels, report
from sparring.data.source import Finite, Source
from sparring.metrics.compared_sets import seen, some
from sparring.pictures.grids import columns_for, image_grid
from sparring.pictures.style import save_image
from sparring.rng import generator
from sparring.spaces import Images, Table, Texts, Vectors

MANY = 100_000                  # samples of numbers that are looked at
LOOKED = 2000                   # images that are compared with each other
ROWS, NAMED = 4, 10             # of images in the picture, and classes that are named

Rows = list[tuple[str, str]]


def look(source: Source, folder: Path, seed: int) -> tuple[Rows, list[str], Path | None]:
    """What is in the data: a table, a sentence for each thing that a run suffers from, and a picture of images, data.png."""
    if not isinstance(source, Finite):
        return [("samples", "generated, never repeated")], [], None
    rows = [("samples to learn from", f"{len(source):,}"), ("held out", f"{len(source.held_out):,}" if source.held_out else "none")]
    rows += [("on reading", note) for note in source.notes] + classes(source)
    if isinstance(source.space, Table):
        return [*rows, ("columns", f"{len(source.space.columns)}")], [], None
    if isinstance(source.space, Texts):
        return rows, [], None
    if not isinstance(source.space, Images):
        values, copies, _, said = look_at_numbers(source, seed)
        return [*rows, ("columns", f"{values.shape[1]}"), ("exact copies", f"{copies:,}")], said, None
    chosen = torch.randperm(len(source), generator=generator(seed, "data check"))[:LOOKED]
    part = Finite(source.space, source.values[chosen])          # classes are counted in all of them
    found = report(look_at_values(part, lambda done, total: None), lambda done, total: None)
    rows += [(f"{name.replace('_', ' ')} among {len(part):,}", f"{found[name]:,}")
             for name in ("exact_duplicates", "near_duplicates", "one_colour")]
    shown = source.at(chosen[:ROWS * columns_for(source.space.width, 10)]).x
    picture = save_image(image_grid(shown, columns_for(source.space.width, 10)), folder / "data.png")
    return rows, [*(line.removesuffix(LOOK) for line in found["findings"]), *about_labels(counts(source))], picture


def counts(source: Finite) -> dict[str, int] | None:
    """How many samples every class has; None without classes."""
    names = source.space.labels
    if source.labels is None or not names or source.labels.is_floating_point():
        return None
    return dict(zip(names, torch.bincount(source.labels, minlength=len(names)).tolist(), strict=False))


def classes(source: Finite) -> Rows:
    """The classes with their samples, or the fewest and the most where there are many."""
    if (count := counts(source)) is None:
        return []
    if len(count) <= NAMED:
        return [("classes", ", ".join(f"{name} ({n:,})" for name, n in count.items()))]
    return [("classes", f"{len(count):,}, of {min(count.values()):,} to {max(count.values()):,} samples each")]


def look_at_numbers(source: Source, seed: int) -> tuple[Tensor, int, list[int], list[str]]:
    """Samples in the data's units, float[N, D]; copies among them; columns that never change; and what there is to say."""
    sample = some(source, MANY, seed, "contact sheet")
    values, said = source.space.decode(seen(sample)), list[str]()
    copies = len(sample) - len(torch.unique(values, dim=0)) if isinstance(source, Finite) else 0
    constant = [i for i in range(values.shape[1]) if float(values[:, i].min()) == float(values[:, i].max())]
    if constant:
        names = source.space.columns if isinstance(source.space, Vectors) else ()
        first = names[constant[0]] if names else constant[0]
        said.append(f"{len(constant)} of {values.shape[1]} columns never change, such as column {first}. Leave them out.")
    if copies:
        said.append(f"{copies:,} of {len(sample):,} samples are exact copies of another. Remove those that are there by mistake.")
    return values, copies, constant, said
