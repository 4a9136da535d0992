"""The demo: curves, the density of Goodfellow's Figure 1, and handwritten digits, with pictures and one page."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparring import api
from sparring.cli.before_training import facts
from sparring.objectives.theory import LOG4
from sparring.pictures.album import album
from sparring.progress import Line, duration
from sparring.report.page import Section, write_page
from sparring.setup.prepare import prepare
from sparring.setup.request import Request


@dataclass(frozen=True)
class Act:
    """One part of the demo: what to train, and what a reader should see in it."""

    name: str
    data: str
    steps: int
    heading: str
    text: str
    meaning: dict[str, str]


ACTS = (
    Act("curves", "quadratic", 5000, "A family of curves",
        "The data are the curves y = a x\u00b2 + (a \u2212 1) with a drawn evenly between 1 and 2. The generator turns eight random "
        "numbers into fifteen points. When nobody can tell its curves from real ones, the discriminator says 50 % to "
        f"everything and its loss is log 4 = {LOG4:.3f}.",
        {"ks": "distance of the generated a from an even spread (0.014 is chance for 4,000 curves)",
         "residual": "distance of a generated curve from the nearest parabola, root mean square"}),
    Act("density", "mixture", 5000, "A density, as in Goodfellow's Figure 1",
        "Two bumps, one wider than the other. For any generator the best discriminator is known: D* = p / (p + q), with p the "
        "density of the data and q that of the generator, and its loss is then log 4 \u2212 2 JSD(p, q). The blue line is D, which "
        "takes one step at a time and lags behind D* (orange). As it teaches the generator, green comes to lie on black. D then "
        "stays near one half, and D* swings around it wherever green is still a little above or below black.",
        {"jsd": "Jensen-Shannon divergence between data and generator, nats (0 is perfect, 0.693 is disjoint)",
         "d_error": "mean |D \u2212 D*| under the data", "d_error_max": "largest |D \u2212 D*| where 99 % of the data lie",
         "loss": "the discriminator's loss", "loss_theory": "log 4 \u2212 2 JSD, what the theorem says it should be"}),
    Act("digits", "digits", 1000, "Handwritten digits",
        "1,437 scanned digits of ten classes, enlarged to 16 x 16 pixels; 360 more were never shown. Each row asks the generator "
        "for one digit. If a classifier that has seen only generated digits can read the real ones, they must carry what matters.",
        {"svc_accuracy": "real digits read correctly by a classifier trained on generated ones",
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
    page = write_page(out / "index.html", "Sparring: two networks compete, both get better", sections)
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
    section = Section(act.heading, (act.text,), ("score", "value", "what it is"), tuple(rows), tuple(pictures))
    return section, {"state": state, "run": str(folder.path), "seconds": round(outcome.seconds, 1), "scores": outcome.scores,
                     "pictures": [str(path) for path, _ in pictures]}
