"""Runs that fail on purpose, each in well under a minute, with what the doctor says of them and with their cure."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sparring import api
from sparring.doctor import Diagnosis, judge
from sparring.doctor.exhibits import EXHIBITS, Exhibit
from sparring.doctor.reading import opened
from sparring.errors import InputError, RunFailed, did_you_mean
from sparring.nets.dcgan import ConvDiscriminator
from sparring.nets.mlp import mlp
from sparring.pictures.log_charts import loss_curves
from sparring.progress import Line, duration
from sparring.report.page import Section, write_page
from sparring.runs.folder import RunFolder, read_lines
from sparring.settings import parse
from sparring.setup.prepare import prepare
from sparring.setup.request import Request


def normal(n: int, columns: int, times: int = 1) -> dict[str, np.ndarray]:
    """n points of a normal distribution, each so many times."""
    return {"x": np.repeat(np.random.default_rng(0).normal(size=(n, columns)).astype(np.float32), times, 0)}


SETS: dict[str, Callable[[], dict[str, np.ndarray]]] = {
    "twenty": lambda: normal(20, 5), "many": lambda: normal(2400, 5),
    "repeated": lambda: normal(12, 2, 200), "thousands": lambda: normal(2400, 2),
}


class Rolling(nn.Module):
    """A discriminator that first moves every image by any number of pixels, and what leaves it at one edge comes in at the other."""

    def __init__(self) -> None:
        super().__init__()
        self.net = ConvDiscriminator((1, 16, 16), 12)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        rows, columns = ((torch.randint(size, (n, 1)) + torch.arange(size)) % size for size in (height, width))
        rolled = x[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        return self.net(rolled if self.training else x)


DISCRIMINATORS: dict[str, Callable[[], nn.Module]] = {
    "batch norm": lambda: nn.Sequential(nn.BatchNorm1d(2), *mlp(2, 64, 2, 1, 0.2)), "rolling": Rolling,
}


def gallery(names: list[str], out: Path) -> dict[str, Any]:
    """Train the exhibits and their cures (what is finished is kept) and write the page."""
    known = {exhibit.name: exhibit for exhibit in EXHIBITS}
    for name in names:
        if name not in known:
            raise InputError(f"there is no exhibit '{name}'.{did_you_mean(name, known)} Exhibits: {', '.join(known)}.")
    started, sections, shown = time.monotonic(), [], []
    for exhibit in (known[name] for name in (names or known)):
        Line(exhibit.name).say(f"{exhibit.name}: {exhibit.title}")
        section, row = show(exhibit, out)
        sections.append(section)
        shown.append(row)
    page = write_page(out / "index.html", "The failure gallery: what goes wrong, how it is seen, what came of a cure", sections)
    lines = [f"{row['name']:<22} {row['before']:<10} {', '.join(row['findings']) or 'nothing':<42} after {row['cure']}: {row['after']}"
             for row in shown]
    lines.append(f"Done in {duration(time.monotonic() - started)}. Open {page}")
    return {"page": str(page), "exhibits": shown, "text": "\n".join(lines)}


def show(exhibit: Exhibit, out: Path) -> tuple[Section, dict[str, Any]]:
    """Fail, diagnose, cure, and put both side by side."""
    failed = fail(exhibit, exhibit.data, exhibit.given, out / exhibit.name / "before", exhibit.own)
    worst = next(iter(failed.findings), None)
    cure = exhibit.cure or ("" if exhibit.cured_data or exhibit.own or worst is None or not worst.actions else worst.actions[0])
    given = exhibit.given | exhibit.longer | parse(cure.split())
    cured = fail(exhibit, exhibit.cured_data or exhibit.data, given, out / exhibit.name / "after")
    changed = " ".join([cure, f"--data {exhibit.cured_data}" if exhibit.cured_data else "",
                        "the recipe's own discriminator" if exhibit.own else ""]).strip() or "nothing"
    scores = {part: last_scores(out / exhibit.name / part) for part in ("before", "after")}
    rows = [(when, diagnosis.verdict, ", ".join(f.title() for f in diagnosis.findings), in_words(scores[part]))
            for when, part, diagnosis in (("the doctor said", "before", failed), (f"after {changed}", "after", cured))]
    texts = [exhibit.text, *(f"{finding.title().capitalize()}: {finding.explanation}" for finding in failed.findings[:1])]
    pictures = [(path, caption) for part, caption in (("before", "Before."), ("after", f"After {changed}."))
                for path in pictures_of(out / exhibit.name / part)]
    texts += [f"After {changed}: {cured.why}."] if cured.why else []
    row = {"name": exhibit.name, "before": failed.verdict, "findings": [f.name for f in failed.findings], "cure": changed,
           "after": cured.verdict, "scores_before": scores["before"], "scores_after": scores["after"]}
    return Section(exhibit.title, texts, ("", "verdict", "findings", "last scores (docs/scores.md says what each is)"), rows, pictures), row


def in_words(scores: dict[str, float]) -> str:
    """Every last score, so that a good verdict or one good score never stands alone; `none` for a run that ended before its first."""
    return ", ".join(f"{name} {value:.3g}" for name, value in scores.items()) or "none"


def fail(exhibit: Exhibit, data: str, given: dict[str, Any], folder: Path, own: str = "") -> Diagnosis:
    """Train into this folder, whatever comes of it, and ask the doctor."""
    line = Line(f"{exhibit.name}/{folder.name}", every=5.0)
    prepared = None
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            nets = {"discriminator": DISCRIMINATORS[own]()} if own else None
        prepared = prepare(Request(exhibit.recipe, placed(data, folder.parent.parent), given, own=nets, command="sparring gallery"), folder)
        if not prepared.finished():
            api.run(prepared, line)
    except RunFailed as error:
        line.say(f"{exhibit.name}: {error}")
    finally:
        line.leave()
        if prepared is not None:
            prepared.folder.unlock()
    return judge(opened(folder)[2])


def placed(data: str, out: Path) -> str:
    """The name of this data, or the file that it is written into."""
    if data not in SETS:
        return data
    path = out / f"{data}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **SETS[data]())  # type: ignore[arg-type]
    return str(path)


def pictures_of(path: Path) -> list[Path]:
    """The losses and the last samples of a run."""
    folder, log = RunFolder(path), read_lines(path / "log.jsonl")
    drawn = [loss_curves(log, folder.path / "losses.png")] if log else []
    return [*sorted(folder.samples.glob("*.png"))[-1:], *drawn]


def last_scores(path: Path) -> dict[str, float]:
    rows = read_lines(path / "scores.jsonl")
    return {name: value for name, value in rows[-1].items() if name != "step"} if rows else {}
