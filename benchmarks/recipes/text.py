"""Text: against the oracle of Yu et al. (2017), on captions of COCO, and on Chinese quatrains.

    python -m benchmarks.recipes.text [WORD...]         # the cases that begin with one of these words
    python -m benchmarks.recipes.text --toy [WORD...]   # the same with few lines and rounds, in a minute; nothing is written down

NLL_oracle alone is bettered by a lower temperature (Caccia et al., 2020), so every model stands beside its own temperature curve, and
beside NLL_test: how likely fresh lines of the oracle are under the model.  `verdict` says whether a curve lies below that of likelihood
alone.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from benchmarks.recipes.oracle import AT_ONCE, LENGTH, WORDS, Oracle, oracle, source_of
from benchmarks.recipes.quatrains import Grams, distance, finals, formed, poems, rhymed, verses
from benchmarks.record import DATA, RESULTS, ROOT, record
from sparring.api import Model, Silent, run
from sparring.data.source import Finite
from sparring.data.text.lines import TextSettings, open_text, read_as
from sparring.evaluation.lines import Unseen, figures
from sparring.evaluation.samples import evaluate
from sparring.metrics.texts import weighted
from sparring.nets.text import Sentences, TextGenerator, alive, continued, sayable
from sparring.nets.text import drawn as draw_words
from sparring.rng import generator
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Texts
from sparring.spaces.texts import END, FIRST, MISSING

SEEDS = (0, 1, 2)
LEARNED, DRAWN = 10_000, 2048           # lines of the oracle that are learned from, and lines that are judged
TEMPERATURES = (0.5, 0.7, 0.85, 1.0, 1.2)
LATENTS = 4                             # for each line that is judged by likelihood
PAPER = {"width": 32, "free_bits": 0.0, "unheard": 0.0, "latent": 4, "batch": 64, "lr": 0.01, "ema": 0.0}
ALONE = {"pretrain": 6280, "steps": 6280}                                       # 40 passes over the lines
FURTHER = {"pretrain": 3140, "steps": 3140}                                     # 20 more, with Adam begun anew
SEQGAN = {"pretrain": 0, "warm": 150, "steps": 300, "discriminator_steps": 5, "rollouts": 4, "filters": 30, "policy_lr": 0.01,
          "discriminator_lr": 1e-3}
RELGAN = {"pretrain": 0, "steps": 800, "discriminator_steps": 1, "adversarial_lr": 1e-4, "views": 8, "view_width": 8, "filters": 100}
CAPTIONS = {"pretrain": 2500, "steps": 2500}                                    # 16 passes
QUATRAINS = {"pretrain": 3600, "steps": 3600}                                   # 16 passes
BOTH: dict[str, dict[str, Any]] = {             # rounds after likelihood, of captions and of quatrains
    "seqgan": {"pretrain": 0, "warm": 60, "steps": 100, "filters": 30},
    "relgan": {"pretrain": 0, "steps": 300, "discriminator_steps": 1}}
KEPT = ROOT / "build" / "text"          # generators at the end of each case
BEFORE = {("oracle", "likelihood, 40 passes"): "", ("oracle", "likelihood"): "likelihood, 40 passes", ("captions", "likelihood"): "",
          ("quatrains", "likelihood"): ""}      # the case whose generator another begins from; those that are not here: likelihood
NEAR = 0.1                              # how far a near latent is, in each of its numbers
PAIRS, POEMS, SHOWN = 200, 1000, 10     # of latents; poems whose form is checked, and that are shown, unselected
Given = dict[str, Any]


def learn(recipe: str, source: Finite, given: Given, seed: int, begin: Path | None = None, keep: Path | None = None) -> tuple[Model, Given]:
    """Train on these lines; the model and how long it took.  `begin`, `keep`: files of the generator that training begins from, and that it
    is kept in at the end."""
    rarely = {"show_every": 10**9, "score_every": 10**9, "threads": 1, "precision": "fp32", "compile": "off"}
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(Request(recipe, source, {**rarely, **given}, seed), Path(folder) / "run")
        player = prepared.game.players["generator"]
        nets = {"net": player.net, "average": player.average}
        if begin:
            for name, state in torch.load(begin, weights_only=True).items():
                nets[name].load_state_dict(state)
        model, outcome = run(prepared, Silent())
    if keep:
        keep.parent.mkdir(parents=True, exist_ok=True)
        torch.save({name: net.state_dict() for name, net in nets.items()}, keep)
    return model, {"seconds": round(outcome.seconds), "rounds": prepared.plan.steps}


# ------------------------------------------------------------------------------------------------ the oracle
def floor(seed: int, lines: int = LEARNED) -> Given:
    """The oracle's own nats a token."""
    return {"NLL_oracle": oracle().lines(lines, seed, "floor")[1]}


def random(seed: int, lines: int = LEARNED) -> Given:
    """Words drawn evenly."""
    return {"NLL_oracle": oracle().nats(torch.randint(WORDS, (lines, LENGTH), generator=generator(seed, "random")))}


def learned(recipe: str, given: Given, seed: int, source: Oracle | None = None, lines: int = LEARNED, words: int = WORDS,
            drawn: int = DRAWN, begin: Path | None = None, keep: Path | None = None) -> Given:
    """Train on lines of the oracle, and judge."""
    source = source or oracle()
    data, own = source.lines(lines, seed, "learned")
    model, took = learn(recipe, source_of(data, words), PAPER | given, seed, begin, keep)
    return {"floor": own, **judged(model, source, drawn, seed, data.shape[1]), **took}


def judged(model: Model, source: Oracle, drawn: int, seed: int, length: int) -> Given:
    """NLL_oracle of drawn lines and NLL_test of fresh lines of the oracle, at each temperature; of these lines, the share that is not of
    full length, which has no NLL_oracle."""
    net, found, (fresh, _) = model.game.model, {}, source.lines(drawn, seed, "fresh", length)
    assert isinstance(net, Sentences)
    x = (fresh + FIRST).int()
    test = weighted(net, x, seed, LATENTS, TEMPERATURES)[0].sum(1) / alive(x).sum()
    for temperature, nll in zip(TEMPERATURES, test.tolist(), strict=True):
        x = exact(net.writer, drawn, length, temperature, seed)
        whole = (x >= FIRST).all(1)
        found |= {f"NLL_oracle, temperature {temperature}": source.nats(x[whole] - FIRST) if bool(whole.any()) else None,
                  f"NLL_test, temperature {temperature}": nll, f"distinct words, temperature {temperature}": len(x.unique())}
        found["short"] = max(found.get("short", 0.0), float((~whole).double().mean()))
    z = model.game.prior(drawn, generator(seed, "judged"))
    x = torch.cat([model.game.sample(part) for part in z.split(AT_ONCE)])
    return found | {"NLL_oracle, as sampled": source.nats(x[(x >= FIRST).all(1)] - FIRST)}


@torch.no_grad()
def exact(writer: TextGenerator, n: int, length: int, temperature: float, seed: int) -> torch.Tensor:
    """Lines int64[n, length] whose words are drawn each on its own.  `sample` takes the words of a line from the same few numbers, which
    makes likely words likelier where there are many words."""
    made = list[torch.Tensor]()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for size in [AT_ONCE] * (n // AT_ONCE) + [n % AT_ONCE] * bool(n % AT_ONCE):
            token, at, line = torch.full((size,), END), writer.memory(torch.randn(size, writer.begin.in_features)), list[torch.Tensor]()
            for place in range(length):
                logits, at = writer.step(token, at)
                following = draw_words(sayable(logits, place == 0) / temperature)
                token = continued(following, token) if place else following
                line.append(token)
            made.append(torch.stack(line, 1))
    return torch.cat(made)


def verdict(case: Given, alone: Given) -> Given:
    """How far each point of a curve, up to temperature 1, lies below that of likelihood alone, at the same NLL_test; one that is beyond
    the other's range cannot be compared."""
    def curve(one: Given) -> list[tuple[float, float]]:
        pairs = [(one[f"NLL_test, temperature {heat}"], one[f"NLL_oracle, temperature {heat}"]) for heat in TEMPERATURES if heat <= 1]
        return sorted((test, own) for test, own in pairs if own is not None)

    known, below = curve(alone), {}
    for test, own in curve(case):
        for (left, high), (right, low) in pairwise(known):
            if left <= test <= right:
                share = (test - left) / max(right - left, 1e-9)
                below[f"below, at NLL_test {test:.2f}"] = (1 - share) * high + share * low - own
    beaten = sum(gain > 0 for gain in below.values())
    said = f"{beaten} of the {len(below)} points of the curve that can be compared lie below that of likelihood alone"
    return {**below, "said": said}


# ------------------------------------------------------------------------------------------------ captions
def captions(recipe: str, given: Given, seed: int, lines: int | None = None, n: int = 10_000, begin: Path | None = None,
             keep: Path | None = None) -> Given:
    """COCO captions, learned from 10,000 and held against 10,000 others, as in Texygen (Zhu et al., 2018); of fewer drawn lines."""
    train, test = ((DATA / "text" / f"{name}_coco.txt").read_text().splitlines()[:lines] for name in ("image", "test"))
    source = open_text(train, TextSettings(held_out=0))
    assert isinstance(source.space, Texts)
    model, took = learn(recipe, source, given, seed, begin, keep)
    found = figures(model, Unseen(read_as(source.space, test), source, "test captions", []), None, n, seed, lambda what: Silent())
    return {name: figure["value"] for name, figure in found["metrics"].items()} | {"temperatures": found["temperatures"], **took}


# ------------------------------------------------------------------------------------------------ quatrains
def quatrains(recipe: str, given: Given, seed: int, most: int | None = None, n: int = POEMS, begin: Path | None = None,
              keep: Path | None = None) -> Given:
    """Form, copies, likelihood beside an n-gram model, and what a latent decides."""
    every = poems(most)
    source = open_text(every, TextSettings(unit="character", length=24))
    assert isinstance(source.space, Texts) and source.held_out is not None
    model, took = learn(recipe, source, given, seed, begin, keep)
    made, unseen, known = model.sample(n, seed=seed), *(source.space.write(part.values) for part in (source.held_out, source))
    found = evaluate(model, real=source, n=2 * n, seed=seed)
    before = set(verses(known))
    return {"right form": share(map(formed, made)), "right form, Tang poems": share(map(formed, every)),
            "verses copied": share(verse in before for verse in verses(made)),
            "verses copied, unseen poems": share(verse in before for verse in verses(unseen)), **rhymes(made, unseen),
            **{name: figure["value"] for name, figure in found["metrics"].items()},
            **{f"nats, {order}-grams": Grams(known, [*source.space.vocabulary, MISSING], order).nats(unseen) for order in (2, 3)},
            **latents(model, seed), "temperatures": found["temperatures"], "poems": made[:SHOWN], **took}


def rhymes(made: list[str], unseen: list[str]) -> Given:
    """Of generated poems, of real ones, and of real ones whose fourth verse is that of another; nothing without the table of finals."""
    if not finals():
        return {}
    real = [verses([poem]) for poem in unseen if formed(poem)]
    others = ["，".join([*one[:3], other[3]]) for one, other in pairwise(real)]
    return {"rhymes": share(map(rhymed, made)), "rhymes, unseen poems": share(map(rhymed, unseen)),
            "rhymes, verses of two poems": share(map(rhymed, others))}


def latents(model: Model, seed: int, pairs: int = PAIRS) -> Given:
    """Edit distances between the poems of two latents: of near ones, of the same z with other noise, and of any two."""
    z, other = model.latents(pairs, seed=seed), model.latents(pairs, seed=seed + 1000)
    near = z + NEAR * torch.randn(z.shape, generator=generator(seed, "near"))
    size = int(model.game.generator.begin.in_features)
    same = torch.cat([z[:, :size], other[:, size:]], 1)

    def written(latent: torch.Tensor) -> list[str]:
        return model.space.write(model.generate(latent))

    own = written(z)
    apart = {name: sum(map(distance, own, written(one))) / pairs for name, one in (("near", near), ("same z", same), ("any", other))}
    return {"the same latent writes the same poem": own == written(z), **{f"edit distance, {name}": d for name, d in apart.items()},
            "near over any": apart["near"] / apart["any"]}


def share(found: Any) -> float:
    each = list(found)
    return sum(each) / max(1, len(each))


# ------------------------------------------------------------------------------------------------ the cases
def cases(toy: bool = False) -> dict[str, Callable[[], Given]]:
    """Every case by name; `toy`: of few lines and rounds."""
    few: Given = {"width": 16, "batch": 16}
    small: dict[str, Given] = {"likelihood": few | {"pretrain": 5, "steps": 5}, "likelihood, 40 passes": few | {"pretrain": 5, "steps": 5},
                               "seqgan": few | {"warm": 1, "steps": 3, "rollouts": 1, "discriminator_steps": 1, "filters": 5},
                               "relgan": few | {"steps": 3, "views": 4, "discriminator_steps": 1, "filters": 5}}
    small["relgan soft"] = small["relgan"]
    lines: dict[str, Given] = {"oracle": {"lines": 200, "drawn": 64}, "captions": {"lines": 300, "n": 60},
                               "quatrains": {"most": 400, "n": 60}} if toy else {}
    settings: dict[str, dict[str, Given]] = {
        "oracle": {"likelihood, 40 passes": ALONE, "likelihood": FURTHER, "seqgan": SEQGAN, "relgan": RELGAN,
                   "relgan soft": RELGAN | {"soft": True}},
        "captions": {"likelihood": CAPTIONS, **BOTH}, "quatrains": {"likelihood": QUATRAINS, **BOTH}}
    found: dict[str, Callable[[], Given]] = {}
    for seed in SEEDS[:1 if toy else None]:
        found[f"floor, seed {seed}"] = partial(floor, seed, *[200] * toy)
        found[f"random, seed {seed}"] = partial(random, seed, *[200] * toy)
        for what, figure in (("oracle", learned), ("captions", captions), ("quatrains", quatrains)):
            for name, given in settings[what].items():
                recipe = "relgan" if name.startswith("relgan") else "seqgan"
                before = BEFORE.get((what, name), "likelihood")
                begin, keep = (KEPT / f"{what}, {one}, seed {seed}{', toy' * toy}.pt" for one in (before, name))
                found[f"{'' if what == 'oracle' else what + ' '}{name}, seed {seed}"] = partial(
                    figure, recipe, given | (small[name] if toy else {}), seed, **lines.get(what, {}), begin=begin if before else None,
                    keep=keep)
    return found


def verdicts(known: Callable[[], dict[str, Given]]) -> Iterator[tuple[str, Callable[[], Given]]]:
    """Of the curves that stand in the results beside that of likelihood alone; asked for once the others have been run."""
    for seed in SEEDS:
        for name in ("seqgan", "relgan", "relgan soft"):
            case, alone = (known().get(f"{one}, seed {seed}") for one in (name, "likelihood"))
            if case and alone:
                yield f"verdict {name}, seed {seed}", partial(verdict, case, alone)


def known() -> dict[str, Given]:
    path = RESULTS / "text.json"
    return json.loads(path.read_text())["cases"] if path.exists() else {}


def wanted(names: list[str], toy: bool) -> Iterator[tuple[str, Callable[[], Given]]]:
    """The cases that begin with one of these words, then verdicts."""
    for name, case in cases(toy).items():
        if not names or any(name.startswith(word) for word in names):
            yield name, case
    yield from () if toy else verdicts(known)


if __name__ == "__main__":
    asked = [word for word in sys.argv[1:] if not word.startswith("-")]
    if "--toy" in sys.argv:
        curves: dict[str, Given] = {}
        for title, case in wanted(asked, True):
            curves[title] = case()
            print(f"text --toy {title}: {json.dumps(curves[title], ensure_ascii=False)}", flush=True)
        for title, case in verdicts(lambda: curves):
            print(f"text --toy {title}: {json.dumps(case())}", flush=True)
        sys.exit()
    record("text", f"Oracle of Yu et al. (2017): vocabulary {WORDS:,}, length {LENGTH}, {LEARNED:,} lines to learn from. NLL_oracle: nats "
           f"a token of {DRAWN:,} lines under the oracle, each word drawn on its own (as sampled: those of "
           "`sparring sample`); NLL_test: of as many fresh lines of the oracle under the model at this "
           f"temperature, {LATENTS} latents a line. floor: the oracle's own. likelihood: {PAPER | ALONE}, then {FURTHER}, from "
           f"which the others go on. seqgan: {SEQGAN}. relgan: {RELGAN}. Captions: COCO, 10,000 lines to learn from and 10,000 others; "
           f"likelihood: {CAPTIONS}. Quatrains: shi.txt, each poem once, a tenth held out; {POEMS:,} poems drawn, {PAIRS} latent pairs; "
           f"likelihood: {QUATRAINS}. Of both, from likelihood on: {BOTH}. Other settings are the recipes' own.",
           {"random": "NLL_oracle 10.31 +- .02", "likelihood": "NLL_oracle within .1 of 9.038", "seqgan": "NLL_oracle < 8.736",
            "relgan": "NLL_oracle < 8.0", "quatrains": "right form >= .99; verses copied <= .05; the same latent writes the same poem; "
            "near over any <= .5"}, wanted(asked, False))
