"""What a translator makes of a few images: source, translation, and the way back or the truth, where there is one."""

from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from sparring.data.source import Arranged
from sparring.data.translation.sets import TwoSets
from sparring.game import Translation
from sparring.pictures.grids import columns_for, image_grid

SHOWN = 8


def translations(translation: Translation, source: Arranged, seed: int) -> Image:
    """A column for each of the same few images, held out where that can be, and a row for each thing that is made of it.

    Into every domain: source, translation, reconstruction when the model goes back too, and the truth for pairs.  Of several domains:
    source, with the name of its domain above, every domain in turn, and the way back from the last.
    """
    examples = source.examples(columns_for(source.space.shape[2], SHOWN), seed)
    names, rows = rows_of(translation, source, examples)
    heads = () if isinstance(source, TwoSets) else tuple(translation.names[home] for home in examples.labels.tolist())
    channels = max(row.shape[1] for row in rows)
    return image_grid(torch.cat([row if row.shape[1] == channels else row.expand(-1, channels, -1, -1) for row in rows]).cpu(),
                      len(rows[0]), tuple(names), heads)


def rows_of(translation: Translation, source: Arranged, examples: Any) -> tuple[list[str], list[Tensor]]:
    names, rows = list[str](), list[Tensor]()
    if not isinstance(source, TwoSets):
        made = [translation.run(examples.x, to).cpu() for to in range(len(translation.names))]
        back = torch.cat([translation.run(one[None], int(home)).cpu() for one, home in zip(made[-1], examples.labels, strict=True)])
        return ["source", *translation.names, "and back"], [examples.x, *made, back]
    everyone = source.space.names
    for to, name in sorted(enumerate(translation.names), key=lambda pair: -everyone.index(pair[1])):       # from the first domain first
        half = everyone.index(name)
        x, truth = examples[1 - half], examples[half]
        made_of = translation.run(x, to).cpu()
        names += [everyone[1 - half], f"to {name}"]
        rows += [x, made_of]
        if everyone[1 - half] in translation.names:
            names.append("and back")
            rows.append(translation.run(made_of, translation.names.index(everyone[1 - half])).cpu())
        else:
            names.append("truth")
            rows.append(truth)
    return names, rows
