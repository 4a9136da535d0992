"""Pictures of a table's columns for a report."""

from pathlib import Path

import torch

from sparring.data.source import Finite
from sparring.errors import InputError, RunFailed
from sparring.evaluation.rows import cells_of
from sparring.latent.where import Drawn
from sparring.metrics.rows import associations, binned
from sparring.pictures.style import save_figure
from sparring.pictures.tables import association_maps, marginals
from sparring.report.neighbours import Opened
from sparring.spaces import Table
from sparring.spaces.columns import Constant

ROWS = 2_000            # of each kind
PAIRED = 24             # columns whose pairs are shown


def columns_of(at: Opened, drawn: Path) -> list[tuple[Path, str]]:
    """Pictures in the folder `drawn`, with what they show; none where samples are no rows of a table, or cannot be drawn."""
    source, space = at.source, at.model.space
    if not isinstance(source, Finite) or not isinstance(space, Table):
        return []
    try:
        made = torch.cat(list(Drawn(at.model.game, space, 0).cells(ROWS)))
    except (InputError, RunFailed):
        return []                                               # told beside the metrics
    held = source.held_out
    real = cells_of(held or source, space, ROWS, 0)
    kind = "held-out" if held is not None else "training"
    pictures = [(save_figure(marginals(space, made, "", real), drawn / "marginals.png"),
                 f"Each column of {len(made):,} generated rows and {len(real):,} {kind} rows.")]
    names = [one.name for one in space.columns if not isinstance(one, Constant)]
    if len(names) >= 2:
        first = Table(tuple(one for one in space.columns if not isinstance(one, Constant))[:PAIRED])
        at_first = [space.columns.index(one) for one in first.columns]
        pairs = [associations(binned(first, cells[:, at_first], real[:, at_first])) for cells in (real, made)]
        more = f" The first {PAIRED} of {len(names)} columns." if len(names) > PAIRED else ""
        pictures.append((save_figure(association_maps(names[:PAIRED], *pairs), drawn / "associations.png"),
                         f"How strongly two columns belong together, in real and in generated rows.{more}"))
    return pictures
