"""The command `explore`: a page with sliders, and pictures, of what a model's latents do."""

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from sparring import api
from sparring.cli.explore_lines import explore_lines, refuse_for_lines
from sparring.cli.explore_styles import COARSE, FINE, plain, style_section
from sparring.errors import InputError, shown
from sparring.evaluation import inversion
from sparring.evaluation.inversion import Inverted
from sparring.latent import steering
from sparring.latent import truncation as cut
from sparring.latent.directions import Directions
from sparring.latent.parts import codes, within
from sparring.latent.parts import path as way
from sparring.pictures.grids import columns_for, image_grid
from sparring.pictures.style import save_image
from sparring.pictures.traversals import frames, in_a_frame, sheet, small
from sparring.progress import Line
from sparring.report.page import Section, write_page
from sparring.spaces import Images, Texts, Vectors

ROWS, WAYS, REACH = 8, 4, 3.0                   # samples in a frame of a slider; ways in a picture of them; how far along
BYTES, FIGURE = 4_500_000, 15_000               # of all frames, images before they are packed: a page stays below 10 MB; of a figure
SIDE, LEAST = 128, 32                           # pixels of an image on the page
BOUNDS = (0.0, 0.25, 0.5, 0.7, 1.0, 1.5, 2.0, math.inf)
PSIS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)          # as many
KINDS = {
    False: "Truncation bounds every number of a latent. Small bounds give typical samples that look alike; 0 gives the one sample at z "
           "= 0. Without a bound the samples have the full variety. All bounds show the same latents: each number keeps its quantile.",
    True: "Truncation in W: each style is moved towards the average style, to psi times its distance. At 0 all are the average; at 1 the "
          "samples have the full variety. All show the same latents.",
}
SEEN = ("The descent minimized the mean squared error and a perceptual distance, by one network that learned from photographs. The column "
        "\"perceptual\" is that distance by another such network.")
SOUGHT: dict[inversion.Where, str] = {
    "z": "the latent whose sample is nearest, by gradient descent from several starts",
    "w": "the style whose sample is nearest, by gradient descent from the average style",
    "w+": "the styles, one for each layer, whose sample is nearest, by gradient descent from the average style (the space W+)",
}
MOST_CODES = 16                                 # values of a code that are drawn
CODES = f"Each row is one latent, and each column one value of the code, the first {MOST_CODES} where there are more. What else the " \
        "latent holds stays as it is."
T = TypeVar("T")
METHODS: dict[steering.Method, tuple[str, str]] = {
    "closed_form": ("closed form", "Eigenvectors of A'A, where A is what the first layer that z reaches multiplies it by (Shen and "
                    "Zhou, 2021). A share is an eigenvalue over the sum of all: how much of what the first layer can do is in it."),
    "pca": ("principal components", "Main components of what the next layer is given, over thousands of latents, and where the latent goes "
            "with each (Härkönen et al., 2020). Its share is of the variance there; \"linear\" is how much of it is a straight function of "
            "the latent: where that is little, moving along the direction does something else."),
}


@dataclass(frozen=True)
class Tour:
    """A model and what everything begins from: latents float[n, latent], and the labels of each."""

    model: api.Model
    z: Tensor
    labels: Tensor
    seed: int
    side: int                                   # pixels of an image in a frame, at most
    psi: float = 1.0                            # of a model with styles: how far these are from their average

    @property
    def styles(self) -> bool:
        return cut.has_styles(self.model.game.generator)

    def samples(self, latents: Tensor) -> Tensor:
        """Samples of latents float[rows, columns, latent], the labels by row: float[rows, columns, *shape]."""
        rows, columns = latents.shape[:2]
        which = self.labels[torch.arange(rows) % len(self.labels)].repeat_interleave(columns, 0)
        return self.model.at(latents.flatten(0, 1), which, self.psi).unflatten(0, (rows, columns))

    def truncated(self, rows: int) -> Tensor:
        """Samples of the same latents with ever less truncation: float[BOUNDS, rows, *shape]."""
        z = self.model.latents(rows, seed=self.seed)
        if self.styles:
            return torch.stack([replace(self, psi=psi).samples(z[:, None])[:, 0] for psi in PSIS])
        return self.samples(torch.stack([cut.truncated(z, bound, self.model.game.latent) for bound in BOUNDS], 1)).transpose(0, 1)

    def names(self) -> list[str]:
        """What each of these truncations is called."""
        return [f"{psi:g}" for psi in PSIS] if self.styles else [named(bound) for bound in BOUNDS]


def explore(run: Path, out: Path | None, label: str | None, n: int | None, steps: int, reach: float | None, truncation: float | None,
            invert: Path | None, seed: int, perceptual: float, space_: str = "auto",
            recipe: str | None = None) -> dict[str, Any]:
    """Write index.html and PNGs into the folder `out`; InputError for a model without latents, and before anything is written."""
    model, places = api.load(run, recipe=recipe), steering.offsets(REACH if reach is None else reach, steps)
    if isinstance(model.space, Texts):
        refuse_for_lines(label=label, directions=n, reach=reach, truncation=truncation, invert=invert, perceptual=perceptual, space=space_)
        with told_when_unwritable(out or run / "explore"):
            return explore_lines(model, run, out or run / "explore", steps, seed)
    bound, psi = cut.asked(model.game.generator, truncation, model.game.latent)
    size, space = steering.latent_size(model.game), model.space
    asked = label if label is None or model.traits is None else label.split(",")
    count, folder = min(6, size) if n is None else n, out or run / "explore"
    found, notes = found_directions(model, count, asked, seed)
    rows, side = room(space, len(found) * count * steps + 2 * steps + 2 * len(BOUNDS))
    rows = in_a_frame(space, rows)
    z = cut.truncated(model.latents(rows, seed=seed), bound, model.game.latent)
    tour = Tour(model, z, model.labels_for(rows, asked), seed, side, psi)
    if perceptual and invert is None:
        raise InputError(f"--perceptual {perceptual:g} belongs to --invert. Give what to invert, or leave it out.")
    if space_ != "auto" and invert is None:
        raise InputError(f"--space {shown(space_)} belongs to --invert. Give what to invert, or leave it out.")
    place = inversion.where(model, space_)
    steering.seen_apart(space, perceptual, torch.device("cpu"))         # refuses before anything is written
    given = None if invert is None else inversion.given(model, invert)
    with told_when_unwritable(folder), tempfile.TemporaryDirectory(prefix="sparring-") as kept:
        cells = Path(kept)
        sections = [summary(run, model, cut.Truncation(bound, psi), label, found, notes)]
        pictures = []
        for method, of in found.items():
            pictures.append(direction_sheet(tour, of, places, folder / f"{method}.png"))
            sections += direction_sections(tour, method, of, places, cells)
        pictures += [way_sheet(tour, steps, folder / "interpolation.png"), truncation_sheet(tour, folder / "truncation.png")]
        sections += [way_section(tour, steps, cells), truncation_section(tour, cells)]
        drawn = [code_sheet(tour, every, folder / f"code-{k}.png") for k, every in enumerate(codes(model.game.latent, z), 1)]
        pictures += drawn
        sections[1:1] = [Section(f"Code {k} of the latent", (CODES,), pictures=[(path, f"values of code {k}")])
                         for k, path in enumerate(drawn, 1)]
        of_styles: dict[str, Any] = {}
        if tour.styles:
            many = model.latents(COARSE + FINE, seed=seed)
            which = model.labels_for(1, asked).repeat_interleave(len(many), 0)
            section, of_styles = style_section(model, many, which, count, places, steps, folder)
            sections, pictures = [sections[0], section, *sections[1:]], pictures + [picture for picture, _ in section.pictures]
        results = [] if given is None else inversions(model, run, given, asked, seed, notes, perceptual, place)
        if results:
            section, made = inversion_section(space, results, notes, folder / "inversion.png", place)
            sections, pictures = [*sections[:1], section, *sections[1:]], pictures + made
        page = write_page(folder / "index.html", f"What the latents of {run} do", sections)
    return {"run": str(run), "page": str(page), "pictures": [str(p) for p in pictures], "latent": size, "seed": seed,
            "directions": {method: plain(of) for method, of in found.items()}, "styles": of_styles,
            "inversions": [errors(one, place) for one in results], "notes": notes, "text": told(found, results, notes, page, place)}


@contextmanager
def told_when_unwritable(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}. Give another --out.") from None


# -------------------------------------------------------------------------------------------------------- directions
def found_directions(model: api.Model, n: int, label: Any, seed: int) -> tuple[dict[steering.Method, Directions], list[str]]:
    """By every method that this model allows; why not, for the others.  InputError when there are not so many."""
    found, notes = dict[steering.Method, Directions](), list[str]()
    size = steering.latent_size(model.game)
    if not 1 <= n <= size:
        raise InputError(f"--directions {n}: a latent of {size} numbers has from 1 to {size}.")
    model.labels_for(1, label)                                  # what is wrong with the label is no matter of the method
    for method in METHODS:
        try:
            found[method] = model.directions(method, n=n, label=label, seed=seed)
        except InputError as error:
            notes.append(f"no directions by {METHODS[method][0]}: {error}")
    return found, notes


def room(space: Any, frames: int) -> tuple[int, int]:
    """How many samples go into each of so many frames, and the longest side of an image there in pixels, so that all together stay
    small; InputError when they would be too small to be seen."""
    longest = min(SIDE, max(space.height, space.width)) if isinstance(space, Images) else SIDE
    side = min(longest, math.isqrt(BYTES // (2 * space.channels * frames))) if isinstance(space, Images) else SIDE
    if side < min(LEAST, longest) or (not isinstance(space, Images) and FIGURE * frames > BYTES):
        raise InputError(f"a page with {frames:,} pictures would be larger than 10 MB. Give fewer --steps, or fewer --directions.")
    return (min(ROWS, BYTES // (space.channels * side**2 * frames)) if isinstance(space, Images) else ROWS), side


def about(method: steering.Method, of: Directions, i: int) -> str:
    share = f"{float(of.shares[i]):.1%}"
    return share if method == "closed_form" else f"{share}, {float(of.linear[i]):.0%} linear"


def direction_sheet(tour: Tour, of: Directions, places: Tensor, path: Path) -> Path:
    """A row for each direction, all from the first latent."""
    moved = within(tour.model.game.latent, tour.z[:1, None] + places[:, None] * of.vectors[:, None])
    samples = replace(tour, labels=tour.labels[:1]).samples(moved)
    names = tuple(f"{i + 1}: {float(share):.1%}" for i, share in enumerate(of.shares))
    reach = f"{float(places[-1]):g}"
    return sheet(tour.model.space, samples, path, names, (f"-{reach}", reach, "offset along the direction"))


def code_sheet(tour: Tour, made: Tensor, path: Path) -> Path:
    """A row for each of the first latents, with every value of a code."""
    samples = tour.samples(made[:ROWS, :MOST_CODES])
    values = samples.shape[1]
    if isinstance(tour.model.space, Images):
        return save_image(image_grid(samples.flatten(0, 1), values), path)
    return sheet(tour.model.space, samples, path, (), ("0", str(values - 1), "value of the code"))


def direction_sections(tour: Tour, method: steering.Method, of: Directions, places: Tensor, cells: Path) -> list[Section]:
    """A slider for each direction, after a table of all."""
    title, words = METHODS[method]
    header = ("direction", "share") if method == "closed_form" else ("direction", "share", "linear")
    rows = [(str(i + 1), *about(method, of, i).removesuffix(" linear").split(", ")) for i in range(len(of.vectors))]
    sections = [Section(f"Directions: {title}", (words, f"The first layer is '{of.layer}'." if of.layer else "The network is one layer."),
                        header, rows)]
    for i, vector in enumerate(of.vectors):
        samples = tour.samples(within(tour.model.game.latent, tour.z[:, None] + places[:, None] * vector)).transpose(0, 1)
        drawn = frames(tour.model.space, samples, cells, f"{method}-{i}", len(tour.z), tour.side)
        slides = [(frame, f"offset {place:+.2f}") for frame, place in zip(drawn, places.tolist(), strict=True)]
        sections.append(Section(f"{title.capitalize()}, direction {i + 1}: {about(method, of, i)}", slides=slides,
                                slider=f"offset along direction {i + 1} by {title}", begin=len(slides) // 2))
    return sections


# --------------------------------------------------------------------------------------------- ways and truncation
def ways(tour: Tour, rows: int, steps: int) -> Tensor:
    """From each latent to the next, and from the last to the first: float[rows, steps, latent]."""
    parts = tour.model.game.latent
    return torch.stack([way(torch.stack([tour.z[i], tour.z[(i + 1) % len(tour.z)]]), steps, parts) for i in range(rows)])


def way_sheet(tour: Tour, steps: int, path: Path) -> Path:
    samples = tour.samples(ways(tour, min(WAYS, len(tour.z)), steps))
    return sheet(tour.model.space, samples, path, (), ("0", "1", "from one latent (0) to another (1)"))


def way_section(tour: Tour, steps: int, cells: Path) -> Section:
    count = 2 * steps - 1
    drawn = frames(tour.model.space, tour.samples(ways(tour, len(tour.z), count)).transpose(0, 1), cells, "way", len(tour.z), tour.side)
    slides = [(frame, f"{i / (count - 1):.0%} of the way") for i, frame in enumerate(drawn)]
    words = ("Each latent moves to the next, and the last to the first, along the sphere on which latents lie (slerp). Classes stay as "
             "they are.")
    return Section("From one sample to another", (words,), slides=slides, slider="share of the way", begin=0)


def named(bound: float) -> str:
    return "none" if bound == math.inf else f"{bound:g}"


def truncation_sheet(tour: Tour, path: Path) -> Path:
    samples = tour.truncated(ROWS)
    if isinstance(tour.model.space, Images):
        return sheet(tour.model.space, samples, path, tuple(tour.names()), ("", "", ""))
    if isinstance(tour.model.space, Vectors) and samples.shape[2] <= 2:         # a line for each sample
        return sheet(tour.model.space, samples.transpose(0, 1), path, (), ("0", "none", "truncation"))
    return sheet(tour.model.space, samples[[2, 4, 6, 7]], path, tuple(f"truncation {named(BOUNDS[i])}" for i in (2, 4, 6, 7)),
                 ("0", str(ROWS - 1), "sample"))


def truncation_section(tour: Tour, cells: Path) -> Section:
    many = len(tour.z) if not isinstance(tour.model.space, Images) else 2 * len(tour.z)
    drawn = frames(tour.model.space, tour.truncated(many), cells, "bound", len(tour.z), tour.side)
    slides = [(frame, f"truncation {name}") for frame, name in zip(drawn, tour.names(), strict=True)]
    return Section("Truncation", (KINDS[tour.styles],), slides=slides, slider="truncation")


# -------------------------------------------------------------------------------------------------------- inversion
def inversions(model: api.Model, run: Path, given: inversion.Set, label: Any, seed: int, notes: list[str],
               perceptual: float, place: inversion.Where) -> list[Inverted]:
    """What was given, then what it is held against."""
    source, odd = inversion.data_of(run)
    notes += [*given.notes, *odd]
    beside = inversion.sets_beside(model, source, seed)
    lines = [Line(f"inverting {what} ({i} of {1 + len(beside)})")
             for i, what in enumerate(["what was given", *(f"{name} samples" for name in beside)], 1)]
    results = [inversion.inverted(model, given, source, None, label, seed, lines[0], perceptual, place)]
    for line, (name, (of, own)) in zip(lines[1:], beside.items(), strict=True):
        results.append(inversion.inverted(model, of._replace(names=[name]), source, own, None, seed, line, perceptual, place))
    return results


def inversion_section(space: Any, results: list[Inverted], notes: list[str], path: Path,
                      place: inversion.Where) -> tuple[Section, list[Path]]:
    """What was given, what the generator makes of it and the nearest training sample; then the errors of all sets."""
    first, pictures = results[0], list[Path]()
    if isinstance(space, Images):
        columns = columns_for(space.width, 8)
        parts = [first.of.samples, first.found.samples, *([] if first.neighbours is None else [first.neighbours])]
        rows = [part[i:i + columns] for i in range(0, len(first.of.samples), columns) for part in parts]
        full = [torch.cat([row, torch.ones(columns - len(row), *row.shape[1:])]) for row in rows] if len(rows) > len(parts) else rows
        names = ("given", "inverted", "nearest")[:len(parts)] * (len(rows) // len(parts))
        pictures.append(save_image(image_grid(small(torch.cat(full), SIDE), len(full[0]), names), path))
    header = ("sample", "error", "worst start", "nearest training sample", *([] if first.found.perceptual is None else ["perceptual"]))
    table = [(name, *(f"{float(column[i]):.4f}" if column is not None else "" for column in columns_of(first)))
             for i, name in enumerate(first.of.names)]
    table += [(f"{len(one.found.points)} {one.of.names[0]} samples, median", *medians(one)) for one in results[1:]]
    words = (f"For each sample we search for {SOUGHT[place]}. Errors are root mean squares in network units. Generated samples can be "
             "reached exactly, so their error is what the search misses. A larger error shows what the generator cannot draw.",
             *([] if first.found.perceptual is None else [SEEN]), *notes)
    captions = [(p, "Given; what the generator makes of what was found; the nearest training sample, where the data is here.")
                for p in pictures]
    return Section("Inversion", words, header, table, captions), pictures


def columns_of(one: Inverted) -> list[Tensor | None]:
    """Error, that of the worst start, distance to the nearest training sample, and perceptual distance if it was minimized: float[n]."""
    return [one.found.error, one.found.errors[:, -1], one.nearest, *([] if one.found.perceptual is None else [one.found.perceptual[:, 0]])]


def medians(one: Inverted) -> list[str]:
    return ["" if column is None else f"{float(column.median()):.4f}" for column in columns_of(one)]


def errors(one: Inverted, place: inversion.Where) -> dict[str, Any]:
    """One set's inversions as plain values."""
    return {"samples": one.of.names, "errors": one.found.errors.tolist(), "space": place,
            "latents" if place == "z" else "styles": one.found.points.tolist(),
            "labels": None if one.found.labels is None else one.found.labels.tolist(),
            "nearest_training_sample": None if one.nearest is None else one.nearest.tolist(),
            "perceptual": None if one.found.perceptual is None else one.found.perceptual.tolist()}


# ------------------------------------------------------------------------------------------------------------ words
def summary(run: Path, model: api.Model, kept: cut.Truncation, label: str | None, found: dict[steering.Method, Directions],
            notes: list[str]) -> Section:
    about = [f"A model of {model.recipe}, whose latents are {steering.latent_size(model.game)} numbers from N(0, 1)"
             + ("" if kept.bound == math.inf else f", here none larger than {kept.bound:g}") + "."]
    if kept.psi < 1:
        about.append(f"Styles are at {kept.psi:g} of their distance from the average style.")
    if model.labels:
        about.append(f"All samples are of class {shown(label)}." if label is not None else "Samples are of its classes in turn.")
    return Section("Summary", (*about, *notes))


def shown_of(columns: list[T]) -> list[T]:
    """Without that of the worst start, which is only on the page."""
    return [columns[0], *columns[2:]]


def told(found: dict[steering.Method, Directions], results: list[Inverted], notes: list[str], page: Path, place: inversion.Where) -> str:
    lines = []
    for method, of in found.items():
        lines.append(f"directions by {METHODS[method][0]}, at layer '{of.layer}':")
        lines += [f"  {i + 1}  {about(method, of, i)}" for i in range(len(of.vectors))]
    for one in results[:1]:
        seen = "" if one.found.perceptual is None else "; then perceptual distance"
        where = "" if place == "z" else f" in {place.upper()}"
        lines += ["", f"inversion{where}: root mean squared error, and distance to the nearest training sample{seen}"]
        lines += [f"  {name}" + "".join(f"  {float(column[i]):.4f}" for column in shown_of(columns_of(one)) if column is not None)
                  for i, name in enumerate(one.of.names)]
    lines += [f"  {len(one.found.points)} {one.of.names[0]} samples, median: {'  '.join(shown_of(medians(one))).rstrip()}"
              for one in results[1:]]
    return "\n".join([*lines, *([""] if notes else []), *notes, "", f"Open {page}"]).lstrip("\n")
