"""The demo: curves, the density of Goodfellow's Figure 1, and handwritten digits, with pictures and one page.

What the page says of a run is derived from the run, since another seed or fewer rounds may end otherwise.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sparring import api
from sparring.cli.before_training import facts
from sparring.data.source import Finite, Source
from sparring.objectives.theory import LOG4
from sparring.pictures.album import album
from sparring.progress import Line, duration
from sparring.report.page import Section, write_page
from sparring.runs.folder import read_lines
from sparring.setup.prepare import prepare
from sparring.setup.request import Request


class Played(NamedTuple):
    """What an act came to, for the sentences about it: how it was played, its last scores, and the last line of its log."""

    rounds: int
    latent: int
    source: Source
    scores: Mapping[str, float]
    last: Mapping[str, float]


@dataclass(frozen=True)
class Act:
    """One part of the demo: what to train, and what a reader should see in it."""

    name: str
    data: str
    steps: int
    heading: str
    text: Callable[[Played], str]       # every figure in it is the run's own
    meaning: dict[str, str]


def about_curves(act: Played) -> str:
    points, = act.source.space.shape
    return (f"The data are the curves y = a x\u00b2 + (a \u2212 1) with a drawn evenly between 1 and 2. The generator turns {act.latent} "
            f"random numbers into {points} points. When nobody can tell its curves from real ones, the discriminator says 50 % to "
            f"everything and its loss is log 4 = {LOG4:.3f}. {opinion(act)}")


def about_density(act: Played) -> str:
    errors = (f" |D \u2212 D*| is {act.scores['d_error']:.3f} on average, and {act.scores['d_error_max']:.2f} at most where 99 % of the "
              f"data lie. JSD(p, q) is {act.scores['jsd']:.4f} nats: green lies on black where it is 0.") if "jsd" in act.scores else ""
    return ("Two bumps, one wider than the other. For any generator the best discriminator is known: D* = p / (p + q), with p the density "
            "of the data and q that of the generator, and its loss is then log 4 \u2212 2 JSD(p, q). The blue line is D, which takes one "
            "step a round. The orange one is D*, where D would end if this generator stood still. It leaves one half wherever green is "
            "above or below black, and where both are low a small difference moves it far."
            f"{errors} {opinion(act)}")


def about_digits(act: Played) -> str:
    source = act.source
    assert isinstance(source, Finite)
    read = (f" Here it reads {100 * act.scores['svc_accuracy']:.1f} % of them, and {100 * act.scores['svc_accuracy_real']:.1f} % when it "
            "has learned from real ones.") if "svc_accuracy" in act.scores else ""
    unseen = f"; {len(source.held_out)} more were never shown" if source.held_out is not None else ""
    return (f"{len(source):,} scanned digits of {len(source.space.labels)} classes, enlarged to {source.space.shape[-1]} x "
            f"{source.space.shape[-2]} pixels{unseen}. Each row asks the generator for one digit. If a classifier that has seen only "
            f"generated digits can read the real ones, they carry what matters.{read} {opinion(act)}")


def opinion(act: Played) -> str:
    """What D says at the end, on average; and of its accuracy, which counts sides of one half and not how far from it D is."""
    try:
        real, fake, accuracy, loss = (act.last[f"discriminator/{name}"] for name in ("D(x)", "D(G(z))", "accuracy", "adversarial"))
    except KeyError:
        return ""
    said = (f"In round {act.rounds:,} D says {100 * real:.1f} % to real and {100 * fake:.1f} % to generated samples on average, with a "
            f"loss of {loss:.3f}, and {100 * accuracy:.0f} % of them are on the right side of 50 %")
    if accuracy < 0.6:
        return f"{said}: hardly more than by guessing." if accuracy >= 0.4 else f"{said}: fewer than by guessing."
    return f"{said}: it tells most of them apart, " + ("but by very little." if abs(real - fake) < 0.1 else "and says so.")


ACTS = (
    Act("curves", "quadratic", 5000, "A family of curves", about_curves,
        {"ks": "distance of the generated a from an even spread (0.014 is chance for 4,000 curves)",
         "residual": "distance of a generated curve from the nearest parabola, root mean square"}),
    Act("density", "mixture", 5000, "A density, as in Goodfellow's Figure 1", about_density,
        {"jsd": "Jensen-Shannon divergence between data and generator, nats (0 is perfect, 0.693 is disjoint)",
         "d_error": "mean |D \u2212 D*| under the data", "d_error_max": "largest |D \u2212 D*| where 99 % of the data lie",
         "loss": "the discriminator's loss, nats", "loss_theory": "log 4 \u2212 2 JSD, nats: the loss of D*"}),
    Act("digits", "digits", 1000, "Handwritten digits", about_digits,
        {"svc_accuracy": "share of real digits read correctly by a classifier trained on generated ones",
         "svc_accuracy_real": "the same, trained on real ones", "swd": "sliced Wasserstein distance to the held-out digits",
         "swd_floor": "the same distance between two halves of them",
         "smallest_class": "share of the rarest class among samples", "largest_class": "share of the most frequent"}),
)


def demo(out: Path, seed: int, quick: bool) -> dict[str, Any]:
    """Play every act (those that are finished are kept) and write the page."""
    started = time.monotonic()
    sections, results = [], {}
    for act in ACTS:
        section, results[act.name] = play_act(act, out, seed, quick)
        sections.append(section)
        if results[act.name]["state"] != "finished":
            return {"state": "stopped", "runs": results, "text": "Stopped and saved. To continue, run the demo again."}
    page = write_page(out / "index.html", "Sparring: two networks compete", sections)
    lines = [f"Done in {duration(time.monotonic() - started)}. Open the page:\n  {page}\nPictures:"]
    lines += [f"  {path}" for act in ACTS for path in results[act.name]["pictures"]]
    return {"state": "finished", "page": str(page), "runs": results, "text": "\n".join(lines)}


def play_act(act: Act, out: Path, seed: int, quick: bool) -> tuple[Section, dict[str, Any]]:
    """Train one act in its own run folder, draw its pictures, and describe it."""
    steps = max(20, act.steps // 20) if quick else act.steps
    line = Line(act.name, every=None if quick else 2.0)
    line.say(f"\n{act.heading}")
    prepared = prepare(Request("gan", act.data, {"steps": steps}, seed, command="sparring demo"), out / act.name)
    for fact in facts(prepared):
        line.say(f"  {fact}")
    model, outcome = api.run(prepared, line)
    folder = prepared.folder
    state = "finished" if outcome.finished(prepared.plan) else "stopped"
    if state == "stopped":
        return Section(act.heading), {"state": state, "run": str(folder.path)}
    pictures = album(model.game, model.space, folder, seed)
    for name, value in outcome.scores.items():
        line.say(f"  {name:<18} {value:8.4f}   {act.meaning.get(name, '')}")
    rows = [(name, f"{value:.4f}", act.meaning.get(name, "")) for name, value in outcome.scores.items()]
    last = next(iter(read_lines(folder.log)[-1:]), {})
    text = act.text(Played(outcome.step, prepared.config["settings"]["latent"], prepared.source, outcome.scores, last))
    section = Section(act.heading, (text,), ("score", "value", "what it is"), tuple(rows), tuple(pictures))
    return section, {"state": state, "run": str(folder.path), "seconds": round(outcome.seconds, 1), "scores": outcome.scores,
                     "pictures": [str(path) for path, _ in pictures]}
