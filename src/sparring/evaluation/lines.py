"""Figures for models of text: likelihood of unseen lines, BLEU beside self-BLEU, distance of embeddings, copies; and the same at several
temperatures.

Quality is never told alone: whoever asks for BLEU is told self-BLEU too, and every answer has a table over temperatures, by which a model
can be made to look better at the cost of variety (Caccia et al., 2020).
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparring.api import Model
from sparring.data.source import Finite
from sparring.data.text.lines import read_as
from sparring.errors import InputError
from sparring.evaluation.translations import Measure
from sparring.latent.portions import CHUNK
from sparring.metrics import sentence_embeddings, texts
from sparring.metrics.bleu import ORDERS, Floats, Line, bleu, self_bleu
from sparring.metrics.catalogue import known, plain
from sparring.metrics.intervals import MANY, Estimate, resampled, share
from sparring.nets.text import Sentences, alive
from sparring.recipes import find
from sparring.rng import generator
from sparring.settings import make
from sparring.spaces import Texts
from sparring.spaces.texts import words
from sparring.training.plan import Progress

LEAST, MOST = 2, 2000           # lines of a set, fewer of which say nothing; drawn, and judged by likelihood, at most
DRAWS = 16                      # latents for each line that is judged by likelihood
TEMPERATURES = (0.7, 0.85, 1.0, 1.15)
MEASURES: dict[str, Measure] = {
    "nats": Measure("lower", "nats a word of unseen lines, END counted; an upper bound"),
    **{f"bleu{n}": Measure("higher", f"BLEU-{n} of generated lines against unseen ones") for n in ORDERS},
    **{f"self_bleu{n}": Measure("lower", f"BLEU-{n} of each generated line against the others: 1 where all are alike") for n in ORDERS},
    "frechet": Measure("lower", "Frechet distance of sentence embeddings, by a small language model that learns the training lines"),
    "repeated": Measure("lower", "share of generated lines that were generated before"),
    "copied": Measure("lower", "share of generated lines that stand in the training text"),
    "copied_4grams": Measure("lower", "share of the 4-grams of generated lines that stand in the training text"),
}
OF_TRAINING = ("frechet", "copied", "copied_4grams")
ADVICE = ("a lower temperature buys BLEU with variety: read bleu beside self_bleu, and hold the table beside that of the same recipe by "
          "likelihood alone (pretrain= as many rounds as steps=)")


class Unseen(NamedTuple):
    """The lines that a model is held against, those that it learned from where they are here, what the first are, and what is odd."""

    real: Finite
    train: Finite | None
    split: str
    notes: list[str]


def own_data(model: Model, config: Mapping[str, Any], place: Callable[[], Any], real: Any) -> Unseen:
    """The run's own text, as it was split when the run began; or `real`, which is read with the words that the model knows."""
    space, reads = model.space, find(model.recipe).reads
    assert isinstance(space, Texts)
    settings = make(reads.settings, config.get("data_settings") or {})
    began_with = config.get("fingerprint") or model.trained.get("fingerprint")
    try:
        own = reads.open(place() if real is None else real, settings)
    except InputError:
        if real is None:
            raise
        own = None
    if isinstance(own, Finite) and own.space == space and (real is None or began_with in (None, own.fingerprint)):
        changed = ["the data changed since the run began, so that the split may be another"] * (began_with not in (None, own.fingerprint))
        held = own.held_out
        none = [] if held else ["no lines are held out, so likelihood and BLEU are of lines that the model learned from, and look better "
                                "than they are: train with held_out=0.1"]
        return Unseen(held or own, own, "held out from training" if held else "training lines",
                      [*changed, *none, *(f"the run's data: {note}" for note in own.odd)])
    if real is None:
        raise InputError("the text is not that which the model was trained on: its words or its longest line differ. Put it back, or give "
                         "lines to hold the model against with --real FILE.txt.")
    other, train = read_as(space, real, getattr(settings, "column", "")), None
    with suppress(InputError):                                  # it may have been moved
        train = reads.open(place(), settings)
    return Unseen(other, train if isinstance(train, Finite) and train.fingerprint == began_with else None, "another text than the run's",
                  ["this is not the data that the run was trained on", *other.odd])


def figures(model: Model, data: Unseen, asked: Iterable[str] | None, n: int, seed: int,
            watch: Callable[[str], Progress]) -> dict[str, Any]:
    """Figures of at most n generated lines, and MOST, against at most n unseen ones; then the table over temperatures.

    InputError for a metric that was asked for and cannot be had.
    """
    wanted, left_out = beside(known(asked, MEASURES)) if asked is not None else list(MEASURES), dict[str, str]()
    if data.train is None:
        left_out = {name: f"{name} needs the lines that were learned from, and they are not here" for name in OF_TRAINING if name in wanted}
    if not isinstance(model.game.model, Sentences) and "nats" in wanted:
        left_out["nats"] = "nats needs a model that gives probabilities, and this one gives none"
    few = sentence_embeddings.LEAST
    if "frechet" in wanted and min(n, MOST, len(data.real)) < few:
        left_out.setdefault("frechet", f"frechet needs {few} unseen lines and {few} generated ones, and there are "
                                       f"{min(n, len(data.real)):,} unseen and {min(n, MOST):,} generated ones")
    if asked and left_out:
        raise InputError(f"{next(iter(left_out.values()))}. Leave the metric out.")
    if len(data.real) < LEAST:
        raise InputError(f"{len(data.real)} unseen lines are too few to be compared with: at least {LEAST} are needed. Give more.")
    count = min(n, MOST)
    made = {heat: drawn(model, count, seed, heat, watch(f"drawing at temperature {heat}")) for heat in TEMPERATURES}
    seen = Looked(model, data, made, n, seed, [name for name in wanted if name not in left_out])
    found = seen.compute(watch)
    protocol: dict[str, object] = {"real": len(seen.real), "generated": count, "temperature": 1.0, "split": data.split, "seed": seed,
                                   "unit": seen.space.unit}
    return {"metrics": {name: plain(one, protocol) for name, one in found.items()}, "left_out": left_out,
            "temperatures": seen.table(),
            "notes": [*data.notes, f"{count:,} generated lines against {len(seen.real):,} real ones ({data.split}), in "
                      f"{seen.space.unit}s", *([ADVICE] if any("bleu" in name for name in found) else [])]}


def beside(names: list[str]) -> list[str]:
    """With self-BLEU for each BLEU: quality is not told without variety."""
    return [name for name in MEASURES if name in names or name.removeprefix("self_") in names]


def drawn(model: Model, n: int, seed: int, temperature: float, line: Progress) -> Tensor:
    """The first n lines that `sparring sample` draws at this seed and temperature: int64[n, L]."""
    parts = list[Tensor]()
    for k in range(-(-n // CHUNK)):
        parts.append(model.game.sample(model.game.prior(CHUNK, generator(seed, "sample", k)), temperature=temperature).cpu())
        line.update(min(n, CHUNK * (k + 1)), n, {})
    return torch.cat(parts)[:n]


class Looked:
    """What the figures are computed from, each once."""

    def __init__(self, model: Model, data: Unseen, made: dict[float, Tensor], n: int, seed: int, wanted: list[str]) -> None:
        assert isinstance(model.space, Texts)
        self.net, self.made, self.seed, self.wanted, self.space = model.game.model, made, seed, wanted, model.space
        self.real, self.train = some(data.real, n, seed, "real lines"), None if data.train is None else some(data.train)
        self.learned = None if data.train is data.real else self.train
        self.few = self.real if self.learned is None else torch.cat([self.real, self.learned])  # self-BLEU grows with the lines
        self.few = self.few[:len(made[1.0])]
        self.known = set() if self.train is None else set(words(self.train))
        self.bleu, self.self_bleu, self.nats = dict[float, Floats](), dict[float, Floats](), list[float]()
        self.frechet = dict[float, float]()

    def compute(self, watch: Callable[[str], Progress]) -> dict[str, Estimate]:
        """Each figure by name, at temperature 1."""
        found = dict[str, Estimate]()
        for what, names, figure in (("nats", ("nats",), self.likelihood), ("copies", ("repeated", *OF_TRAINING), self.copies),
                                    ("embeddings", ("frechet",), self.embedded),
                                    ("BLEU", [name for name in MEASURES if "bleu" in name], self.bleus)):
            if any(name in self.wanted for name in names):
                line = watch(what)
                found |= figure()
                line.update(1, 1, {})
        return {name: found[name] for name in self.wanted if name in found}

    def likelihood(self) -> dict[str, Estimate]:
        assert isinstance(self.net, Sentences)
        x, at = self.real[:MOST], TEMPERATURES.index(1.0)
        each, of_one = texts.weighted(self.net, x, self.seed, DRAWS, TEMPERATURES)
        length = alive(x).sum(1).double()
        self.nats = (each.sum(1) / length.sum()).tolist()
        return {"nats": resampled(each[at], length, self.seed, lines=len(x), bound=f"importance-weighted, {DRAWS} latents a line",
                                  with_one_latent=float(of_one[at].sum() / length.sum()))}

    def copies(self) -> dict[str, Estimate]:
        lines, whose = words(self.made[1.0]), f"{len(self.real):,} {'training' if self.learned is None else 'unseen'} lines"
        found = {"repeated": share_of(repeated(lines), repeated(words(self.few)), f"{len(self.few):,} real lines", self.seed)}
        if self.train is not None:
            found["copied"] = share_of(self.stand(lines), self.stand(words(self.real)), whose, self.seed)
            mine, theirs = (texts.known_grams(x, self.train) for x in (self.made[1.0], self.real))
            if mine[1].sum() > 0:                               # else no line has four words
                baseline = float(theirs[0].sum() / theirs[1].sum().clamp(min=1))
                found["copied_4grams"] = resampled(*mine, self.seed, baseline=baseline, compared_with=whose)
        return found

    def stand(self, lines: list[Line]) -> list[bool]:
        """Whether each line stands in the training text."""
        return [line in self.known for line in lines]

    def embedded(self) -> dict[str, Estimate]:
        """Beside it, the distance of training lines from the unseen ones, as many as were drawn."""
        assert self.train is not None
        net, real, count = sentence_embeddings.learned(self.train, self.space.tokens), self.real[:MOST], len(self.made[1.0])
        self.frechet = {heat: sentence_embeddings.value(net, real, x) for heat, x in self.made.items()}
        about: dict[str, object] = {"network": f"LSTM of {sentence_embeddings.WIDTH}, {sentence_embeddings.ROUNDS} rounds of likelihood"}
        if self.learned is not None:
            mine = self.learned[torch.randperm(len(self.learned), generator=generator(self.seed, "training lines"))[:count]]
            if len(mine) >= sentence_embeddings.LEAST:
                about |= {"baseline": sentence_embeddings.value(net, real, mine), "compared_with": f"{len(mine):,} training lines"}
        found = sentence_embeddings.distance(net, real, self.made[1.0], self.seed)
        return {"frechet": found._replace(about=found.about | about)}

    def bleus(self) -> dict[str, Estimate]:
        real, found = words(self.real), dict[str, Estimate]()
        for heat, x in self.made.items():
            self.bleu[heat], self.self_bleu[heat] = bleu(words(x), real), self_bleu(words(x))
        of_real, about = self_bleu(words(self.few)), {"smoothing": "Chen and Cherry, method 1, epsilon 0.1"}
        mine = None if self.learned is None else self.learned[:len(self.made[1.0])]
        learned = None if mine is None else bleu(words(mine), real)
        for k, n in enumerate(ORDERS):
            more = {} if mine is None or learned is None else {"baseline": float(learned[k].mean()),
                                                               "compared_with": f"{len(mine):,} training lines"}
            found[f"bleu{n}"] = mean(self.bleu[1.0][k], self.seed, **about, **more)
            more = {"baseline": float(of_real[k].mean()), "compared_with": f"{len(self.few):,} real lines"}
            found[f"self_bleu{n}"] = mean(self.self_bleu[1.0][k], self.seed, **about, **more)
        return found

    def table(self) -> list[dict[str, float]]:
        """Quality beside variety at each temperature: of the model itself, from the same latents."""
        rows, at = list[dict[str, float]](), ORDERS.index(4)
        for k, (heat, x) in enumerate(self.made.items()):
            lines = words(x)
            rows.append({"temperature": heat, **({"nats": self.nats[k]} if self.nats else {}),
                         **({"bleu4": float(self.bleu[heat][at].mean()), "self_bleu4": float(self.self_bleu[heat][at].mean())}
                            if self.bleu else {}),
                         **({"frechet": self.frechet[heat]} if self.frechet else {}),
                         "repeated": sum(repeated(lines)) / len(lines),
                         **({"copied": sum(self.stand(lines)) / len(lines)} if self.train is not None else {})})
        return rows


def some(source: Finite, n: int | None = None, seed: int = 0, stream: str = "") -> Tensor:
    """All its lines, or at most n at random: int32[N, L]."""
    assert isinstance(source.values, Tensor)
    return source.values if n is None else source.values[torch.randperm(len(source), generator=generator(seed, stream))[:n]]


def repeated(lines: list[Line]) -> list[bool]:
    """Whether each line stands among those before it."""
    before, found = set[Line](), list[bool]()
    for line in lines:
        found.append(line in before)
        before.add(line)
    return found


def mean(values: Floats, seed: int, **about: object) -> Estimate:
    return resampled(torch.from_numpy(values), torch.ones(len(values), dtype=torch.float64), seed, **about)


def share_of(mine: list[bool], theirs: list[bool], whose: str, seed: int) -> Estimate:
    """A share of generated lines with that of real ones; nowhere narrower than Wilson's interval, for all resamples are alike where all
    lines are."""
    found = mean(np.array(mine, dtype=np.float64), seed, baseline=sum(theirs) / len(theirs), compared_with=whose)
    wilson = share(found.value, 0.0, MANY, len(mine))
    return found._replace(low=min(found.low, wilson.low), high=max(found.high, wilson.high))
