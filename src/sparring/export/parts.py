"""What of a model goes into a file: samples from latents, translations of images, or animations, each as one network with named inputs.

The networks are those of the game, and are called by the game's own functions, so a file computes what `sparring sample` does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sparring.api import Model
from sparring.errors import InputError
from sparring.game import Game
from sparring.game.latents import Normal, OneHot, Part, Uniform
from sparring.latent.truncation import has_styles
from sparring.nets.stargan import DomainGenerator
from sparring.rng import generator
from sparring.spaces import Images, Space, Table, Texts, Traits, Vectors
from sparring.spaces.columns import Category, Constant, Number
from sparring.spaces.texts import END, MISSING

TRIED = 100             # latents, or images, on which a file is held against torch
KINDS = {Normal: "normal", Uniform: "uniform", OneHot: "one-hot"}


@dataclass(frozen=True)
class Exported:
    """One file: what it computes, and what it says of itself.

    `trial` are its inputs by name, TRIED rows each but for those in `single`, which are the same for all rows; `apart` is how far two
    outputs are from each other, at most, in the numbers of the network.  `about` is what a reader needs to use it; `left_out` says what
    the file does not do.
    """

    net: nn.Module
    trial: dict[str, Tensor]
    output: str
    apart: Callable[[Tensor, Tensor], float]
    about: dict[str, Any]
    shape: str                                      # of the output, for people
    left_out: tuple[str, ...] = ()
    single: frozenset[str] = frozenset()
    name: str = ""                                  # of the file, where a model needs several
    inputs: Mapping[str, str] = field(default_factory=dict)     # what each input is, for people


class Drawing(nn.Module):
    """Latents, and what samples are asked to be, to samples in the data's own units."""

    def __init__(self, game: Game, space: Space, traits: Traits | None) -> None:
        super().__init__()
        self.model, self.draw, self.space, self.traits = game.model, game.sample, space, traits

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        if label is None:
            return self.space.decode(self.draw(z))
        return self.space.decode(self.draw(z, label if self.traits is None else self.traits.encode(label).float()))


class Writing(nn.Module):
    """Latents and a temperature, float[1], to the tokens of lines, int64[B, L]."""

    def __init__(self, game: Game) -> None:
        super().__init__()
        self.model, self.draw = game.model, game.sample

    def forward(self, z: Tensor, temperature: Tensor) -> Tensor:
        return self.draw(z, temperature=temperature)


class Translating(nn.Module):
    """Images to images of one domain."""

    def __init__(self, game: Game, to: int) -> None:
        super().__init__()
        assert game.translation is not None
        self.model, self.run, self.to_domain = game.model, game.translation.run, to

    def forward(self, image: Tensor) -> Tensor:
        return self.run(image, self.to_domain)


class ToDomains(nn.Module):
    """Images to images of the domain that each is told."""

    def __init__(self, net: DomainGenerator) -> None:
        super().__init__()
        self.model = net

    def forward(self, image: Tensor, domain: Tensor) -> Tensor:
        return self.model(image, domain)


class Animating(nn.Module):
    """Pictures, and as many frames of a clip, to the pictures posed as in the frames."""

    def __init__(self, game: Game) -> None:
        super().__init__()
        self.model, self.animation = game.model, game.animation

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        assert self.animation is not None
        return self.animation.render(source, self.animation.points(source), self.animation.points(driving))


def exported(model: Model) -> list[Exported]:
    """The files that a model makes: one, or one a domain where each has a network of its own.  InputError for a model that neither
    samples, nor translates, nor animates."""
    game = model.game
    if game.translation is not None:
        return translators(game)
    if game.animation is not None:
        return [animator(game)]
    if not game.draws:
        raise InputError(f"a model of recipe {model.recipe} neither samples nor translates, so there is nothing to export. Use its "
                         "networks from Python: sparring.load(RUN).game.model.")
    return [lines(game, model.space)] if isinstance(model.space, Texts) else [sampler(model)]


# ------------------------------------------------------------------------------------------------ samples
def sampler(model: Model) -> Exported:
    """Samples from latents, of the class or of the labels that are asked for."""
    game, space = model.game, model.space
    z = latents(game)
    about: dict[str, Any] = {"latent": parts_of(game, z.shape[1])}
    trial, inputs = {"z": z}, {"z": f"float32[batch, {z.shape[1]}], the latents: {in_words(about['latent'])}"}
    if model.traits is not None:
        rows = torch.tensor(model.traits.examples, dtype=torch.float64)
        trial["label"] = rows[torch.arange(TRIED) % len(rows)]
        about["label names"] = [*model.traits.names]
        inputs["label"] = f"float64[batch, {rows.shape[1]}], what is asked for, in the units of the data: {', '.join(model.traits.names)}"
    elif model.labels:
        trial["label"] = torch.arange(TRIED) % len(model.labels)
        about["labels"] = [*model.labels]
        inputs["label"] = f"int64[batch], the class: its position among the {len(model.labels)} classes"
    left_out = list[str]()
    if has_styles(game.generator):
        left_out.append("truncation in W and style mixing. The noise of the layers is that of evaluation, the same in every image")
    match space:
        case Images():
            output, shape = "images", f"float32[batch, {space.channels}, {space.height}, {space.width}] in [-1, 1]"
        case Table():
            output, shape = "rows", f"float64[batch, {len(space.columns)}], a number for each column"
            about["columns"] = [column_about(one) for one in space.columns]
            left_out.append("`--where`: draw more rows, and keep those that are as wanted")
            left_out += [f"the rules that rows are held against ({', '.join(space.rules)}): leave out the rows that break them"] \
                if space.rules else []
        case Vectors():
            output, shape = "vectors", f"float64[batch, {len(space.shift)}], in the units of the data"
            about |= {"columns": [*space.columns]} if space.columns else {}
        case _:
            output, shape = "curves", f"float32[batch, {space.shape[0]}], in the units of the data"
    return Exported(Drawing(game, space, model.traits), trial, output, distance(space), about, shape, tuple(left_out), inputs=inputs)


def lines(game: Game, space: Texts) -> Exported:
    """Lines of text from latents, as the numbers of their words."""
    z = latents(game)
    about: dict[str, Any] = {"latent": parts_of(game, z.shape[1]), "vocabulary": ["", MISSING, *space.vocabulary], "end": END,
                             "unit": space.unit}
    return Exported(Writing(game), {"z": z, "temperature": torch.ones(1)}, "tokens", distance(space), about,
                    f"int64[batch, {space.length}], the number of each {space.unit} in the vocabulary; {END} from the end of a line on",
                    ("a prefix that lines begin with",), frozenset({"temperature"}),
                    inputs={"z": f"float32[batch, {z.shape[1]}], the latents: {in_words(about['latent'])}",
                            "temperature": f"float32[1], above 0: 1 draws {space.unit}s as often as was learned, less draws likely ones "
                            "more often"})


def latents(game: Game) -> Tensor:
    """The first latents of `sparring sample`.  InputError where they are not float[n, size]."""
    z = game.prior(TRIED, generator(0, "export"))
    if z.ndim != 2 or not z.is_floating_point():
        raise InputError(f"the latents of this model are {z.dtype}{list(z.shape)}, and a file takes float[batch, size]. Let `prior` of the "
                         "game give these.")
    return z.float()


def parts_of(game: Game, size: int) -> list[dict[str, Any]]:
    """What the numbers of a latent are, for readers of the file."""
    return [plain(part) for part in game.latent or (Normal(size),)]


def plain(part: Part) -> dict[str, Any]:
    bounds = {"low": part.low, "high": part.high} if isinstance(part, Uniform) else {}
    return {"kind": KINDS[type(part)], "size": part.size, **bounds}


def in_words(parts: list[dict[str, Any]]) -> str:
    words = {"normal": "{size} from N(0, 1)", "uniform": "{size} even between {low} and {high}", "one-hot": "a one-hot of {size}"}
    return ", then ".join(words[part["kind"]].format(**part) for part in parts)


def column_about(column: Category | Number | Constant) -> dict[str, Any]:
    """How the number of a cell is read."""
    match column:
        case Category(name, values):
            return {"name": name, "kind": "category", "values": [*values]}
        case Constant(name, value):
            return {"name": name, "kind": "constant", "values": [value]}
    dated = {"form": column.form, "unit": column.unit} if column.form else {}
    return {"name": column.name, "kind": "number", "decimals": column.decimals[1], **dated}


# ------------------------------------------------------------------------------------------------ images from images
def translators(game: Game) -> list[Exported]:
    """A file for each domain that has a network of its own; one for all where a network is told the domain."""
    given = game.translation
    assert given is not None
    if isinstance(game.model, DomainGenerator):
        x, (height, width) = pictures(given.takes[0]), given.takes[0].shape[1:]
        trial = {"image": x, "domain": torch.arange(TRIED) % len(given.names)}
        said = {"image": took(given.takes[0]), "domain": f"int64[batch], the domain: its position among the {len(given.names)}"}
        return [Exported(ToDomains(game.model), trial, "images", largest, {"domains": [*given.names], "size": [height, width]},
                         took(given.gives[0]), inputs=said)]
    several = len(given.names) > 1
    return [Exported(Translating(game, to), {"image": pictures(given.takes[to])}, "images", largest,
                     {"domains": [name], "size": [*given.takes[to].shape[1:]]}, took(given.gives[to]),
                     ("the noise of training, where there is some: a file gives what `sparring translate` gives without --seed",),
                     name=name if several else "", inputs={"image": took(given.takes[to])})
            for to, name in enumerate(given.names)]


def animator(game: Game) -> Exported:
    assert game.animation is not None
    frame = game.animation.frame
    return Exported(Animating(game), {"source": pictures(frame), "driving": pictures(frame, 1)}, "images", largest,
                    {"size": [*frame.shape[1:]]}, took(frame), ("motion relative to a clip's first frame",),
                    inputs={"source": took(frame) + ", the pictures", "driving": took(frame) + ", a frame of a clip for each"})


def pictures(space: Images, k: int = 0) -> Tensor:
    """Blurred noise, as images have neighbours alike: float[TRIED, C, H, W] in [-1, 1]."""
    x = torch.rand(TRIED, space.channels, space.height, space.width, generator=generator(k, "export"))
    return torch.nn.functional.avg_pool2d(2 * x - 1, 3, 1, 1)


def took(space: Images) -> str:
    return f"float32[batch, {space.channels}, {space.height}, {space.width}] in [-1, 1]"


# ------------------------------------------------------------------------------------------------ how far outputs are apart
def largest(a: Tensor, b: Tensor) -> float:
    return float((a.double() - b.double()).abs().max())


def distance(space: Space) -> Callable[[Tensor, Tensor], float]:
    """The largest difference in the numbers of networks: over the deviation of each column, where the data have another unit; of names
    and words 1 where they differ."""
    match space:
        case Texts():
            return lambda a, b: float((a != b).any())
        case Vectors():
            return lambda a, b: largest(a / torch.tensor(space.scale), b / torch.tensor(space.scale))
        case Table():
            unit = torch.tensor([unit_of(one) for one in space.columns], dtype=torch.float64)

            def apart(a: Tensor, b: Tensor) -> float:
                if not torch.equal(a.isnan(), b.isnan()):
                    return 1.0
                return float(torch.where(unit > 0, (a - b).abs() / unit, (a != b).double()).nan_to_num(0.0).max())
            return apart
    return largest


def unit_of(column: Category | Number | Constant) -> float:
    """What a number's differences are told in; 0 for names, which differ or do not."""
    return max([*column.scales, 1e-9]) if isinstance(column, Number) else 0.0
