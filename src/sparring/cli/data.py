"""The command `data`: a look at data before training on them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sparring.cli.data_clips import described_clips
from sparring.cli.data_lines import described as described_lines
from sparring.cli.data_lines import lines_in
from sparring.cli.data_rows import SUFFIXES, as_table, described, mixed
from sparring.data import NAMED, open_source
from sparring.data.images.check import Sight, Sights, look_at_files, look_at_values
from sparring.data.images.decode import decode, quiet, reformat
from sparring.data.images.files import image_files
from sparring.data.images.findings import about_labels, report, sentence
from sparring.data.opening import image_files_at
from sparring.data.settings import AUTO, DataSettings, choose_size
from sparring.data.source import Finite, Source
from sparring.data.video.check import clips_at
from sparring.errors import InputError
from sparring.pictures.grids import columns_for, image_grid
from sparring.pictures.samples import draw_samples
from sparring.pictures.style import save_image
from sparring.progress import Line
from sparring.report.data import classes, counts, look_at_numbers
from sparring.rng import generator
from sparring.settings import make
from sparring.spaces import Images

CLEAN = "No problems found."
LISTED = 10                     # of a kind in the table
SHOWN = 1000                    # samples of numbers that are drawn


def data(source: str, out: Path | None, seed: int, table: bool = False) -> dict[str, Any]:
    """What is in a set of images, clips, numbers, rows or lines of text, as a table, with a contact sheet; `code` 1 when no run would
    take it.  A `table` is looked at as such where all its cells are numbers too."""
    folder, line = out or Path("runs") / f"data-{Path(source).stem[:100] or 'set'}", Line("reading")
    if table:
        with told_when_unwritable(folder):
            return described(source, as_table(source), folder)
    if (lines := lines_in(source)) is not None:
        return described_lines(source, lines, seed)
    if (clips := clips_at(source)) is not None:
        with told_when_unwritable(folder):
            return described_clips(source, clips, folder, seed)
    files = image_files_at(source)
    if files is None:
        if source in NAMED:                                     # of files that was said before
            line.say(f"reading {source}")
        try:
            opened = as_it_is(source)
        except InputError as error:                             # perhaps a table, though not of numbers
            if (rows := mixed(source, error)) is None:
                raise
        else:
            rows = mixed(source, opened)
        if rows is not None:
            with told_when_unwritable(folder):
                return described(source, rows, folder)
        if not isinstance(opened, Finite) or not isinstance(opened.space, Images):
            return numbers(source, opened, folder, seed)
        sights = look_at_values(opened, steps(line))
    else:
        opened, sights = None, look_at_files(files, steps(line))
    found = report(sights, steps(Line("comparing")))
    pairs = found.pop("pairs")
    found["notes"] = [note for note in opened.notes if note not in opened.odd] if opened is not None else []    # those are findings
    with told_when_unwritable(folder):
        sheets = pictures(sights, opened, files, pairs, folder, seed)
    return {"source": source, "kind": "images", **found, "held_out": sights.held_out, "pictures": [str(path) for path in sheets],
            "text": summary(source, found, sheets), "code": 0 if found["usable"] else 1}


def summary(source: str, found: dict[str, Any], sheets: list[Path]) -> str:
    """The table, the findings, and where the pictures are."""
    rows = [("images", f"{found['images']:,}")]
    rows += [(name.replace("_", " "), f"{found[name]:,}") for name in ("broken", "exact_duplicates", "near_duplicates", "transparent",
                                                                     "several_frames", "one_colour") if found[name]]
    for name in ("sizes", "modes", "forms", "labels", "other_files"):
        if found[name]:
            rows.append((name.replace("_", " "), ", ".join(f"{key} ({n:,})" for key, n in list(found[name].items())[:LISTED])
                         + (f" and {len(found[name]) - LISTED} more" if len(found[name]) > LISTED else "")))
    rows += [("labels", f"{name}: {words}") for name, words in list((found["several_labels"] or {}).items())[:LISTED]]
    if "read_as" in found:
        rows.append(("read as", found["read_as"]))
    lines = [f"{name:<17}{value}" for name, value in rows] + found["notes"]
    lines += ["", *(f"- {finding}" for finding in found["findings"])] if found["findings"] else ["", CLEAN]
    return "\n".join([source, *lines, *([""] if sheets else []), *map(str, sheets)])


def pictures(sights: Sights, source: Finite | None, files: Path | None, pairs: dict[str, list[tuple[int, int]]], folder: Path,
             seed: int) -> list[Path]:
    """contact.png, images at random at the size at which a run reads them, and duplicates.png, each above its double."""
    good = sights.good()
    if not good:
        return []
    size, _ = choose_size([sight.size for sight in sights.seen if isinstance(sight, Sight)], AUTO)
    columns = columns_for(size[1], 10)
    chosen, names = shots(sights, columns, seed)
    made = [save_image(image_grid(pixels_of(chosen, sights, source, files, size), columns, names), folder / "contact.png")]
    doubles = [pair for kind in ("exact", "near") for pair in pairs[kind]][:columns]
    if doubles:
        both = [a for a, _ in doubles] + [b for _, b in doubles]
        made.append(save_image(image_grid(pixels_of(both, sights, source, files, size), len(doubles)), folder / "duplicates.png"))
    return made


def shots(sights: Sights, columns: int, seed: int) -> tuple[list[int], tuple[str, ...]]:
    """Which images to show: a class a row where there are classes, else any."""
    good = sights.good()
    order = [good[i] for i in torch.randperm(len(good), generator=generator(seed, "contact sheet")).tolist()]
    if sights.labels is None or len(sights.classes) < 2:
        return order[:columns * columns], ()
    rows, names = list[int](), list[str]()
    for k, name in enumerate(sights.classes):
        own = [i for i in order if sights.labels[i] == k][:columns]
        if len(own) == columns and len(names) < columns:        # a row that is not full would shift those below
            rows += own
            names.append(name)
    return (rows, tuple(names)) if rows else (order[:columns * columns], ())


def pixels_of(index: list[int], sights: Sights, source: Finite | None, files: Path | None, size: tuple[int, int]) -> torch.Tensor:
    """These images at one size: float[N, 3, H, W] in [-1, 1]."""
    if source is None:
        assert files is not None
        with image_files(files) as at, quiet():
            shown = [decode(at.read(i, None), size, 3, "white").values for i in index]
    else:
        n = len(source)
        rows = [(source, i) if i < n else (source.held_out, i - n) for i in index]
        shown = [reformat(part.values[torch.tensor([i])].numpy(), size, 3, "white")[0] for part, i in rows if part is not None]
    return torch.from_numpy(np.stack(shown)).float() / 127.5 - 1


def as_it_is(source: str) -> Source:
    """The data as a run would open it, but images in arrays at their own size, which is told."""
    if Path(source).suffix.lower() in (".npy", ".npz"):
        with suppress(InputError):                              # numbers have no size
            return open_source(source, make(DataSettings, {"size": "own"}))
    return open_source(source)


def numbers(name: str, source: Source, folder: Path, seed: int) -> dict[str, Any]:
    """The same for vectors, curves and distributions: how many, how wide, copies, constant columns, a picture."""
    values, copies, constant, said = look_at_numbers(source, seed)
    odd = source.odd if isinstance(source, Finite) else ()
    notes = [note for note in source.notes if note not in odd] if isinstance(source, Finite) else []
    said = [*map(sentence, odd), *said, *(about_labels(counts(source), "sample") if isinstance(source, Finite) else [])]
    with told_when_unwritable(folder):
        sheet = draw_samples(source.space, values[:SHOWN], folder / "contact.png")
    count = len(source) if isinstance(source, Finite) else None
    result = {"source": name, "kind": "numbers", "samples": count, "columns": values.shape[1], "exact_duplicates": copies,
              "constant_columns": constant, "labels": source.space.labels, "usable": True, "findings": said, "notes": notes,
              "pictures": [str(sheet)]}
    lines = [name, f"{'samples':<17}{f'{count:,}' if count is not None else 'generated, never repeated'}",
             f"{'columns':<17}{values.shape[1]}",
             *(f"{what:<17}{words}" for what, words in (classes(source) if isinstance(source, Finite) else [])), *notes, "",
             *([f"- {finding}" for finding in said] or [CLEAN]), "", str(sheet)]
    lines += ["", f"These are vectors of numbers. As rows of a table, with identifiers and categories: sparring data {name} --table"] \
        if Path(name).suffix.lower() in SUFFIXES else []
    return result | {"text": "\n".join(lines)}


def steps(line: Line) -> Callable[[int, int], None]:
    return lambda done, total: line.update(done, total, {})


@contextmanager
def told_when_unwritable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}. Give another --out.") from None
