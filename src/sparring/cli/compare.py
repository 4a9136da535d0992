"""The command `compare`: runs side by side on one page."""

from pathlib import Path
from typing import Any

from sparring.cli.report import drawn_for
from sparring.doctor import judge
from sparring.doctor.reading import opened
from sparring.doctor.summary import how, what_next
from sparring.errors import InputError
from sparring.report.page import Section, write_page
from sparring.report.sections import (
    MEANING,
    cell,
    picture_sections,
)
from sparring.runs.folder import read_lines


def compare(paths: list[Path], out: Path) -> dict[str, Any]:
    """Write the page that puts runs side by side: verdicts, settings that differ, last scores and check-ups, losses and samples."""
    if len(paths) < 2:
        raise InputError("compare needs at least two run folders. For one, use: sparring report RUN.")
    runs = [opened(path) for path in paths]
    found = [judge(run) for _, _, run in runs]
    header = ("", *(str(path) for path in paths))
    verdicts = [("verdict", *(one.verdict for one in found)), ("findings", *(", ".join(f.title() for f in one.findings) for one in found)),
                ("how", *(how(run, one) for (_, _, run), one in zip(runs, found, strict=True))),
                ("what next", *(what_next(run, one) for (_, _, run), one in zip(runs, found, strict=True))),
                ("rounds", *(f"{one.step:,}" for one in found))]
    asked: list[dict[str, Any]] = [{**{key: c.get(key) for key in ("recipe", "data", "seed")}, **run.settings} for _, c, run in runs]
    differ = [row for row in beside(asked) if len(set(row[1:])) > 1]
    scores = [dict((read_lines(folder.scores) or [{}])[-1]) for folder, _, _ in runs]
    ends = [dict(run.moments[-1].health) if run.moments else {} for _, _, run in runs]
    looks = [{k: v for k, v in end.items() if k in MEANING or k == "floor"} for end in ends]
    sections = [Section("Side by side", (), header, verdicts), Section("Settings that differ", (), header, differ),
                Section("Scores", (), header, beside(scores, skip="step")), Section("Last check-up", (), header, beside(looks))]
    with drawn_for(out) as drawn:
        for i, (path, (folder, _, run)) in enumerate(zip(paths, runs, strict=True)):
            (drawn / f"{i}").mkdir()
            parts = picture_sections(folder, run, drawn / f"{i}")
            pictures = [picture for part in parts for picture in part.pictures]
            slides = [slide for part in parts for slide in part.slides]
            sections.append(Section(str(path), (), pictures=[*pictures, *slides[-1:]]))
        write_page(out, "Runs side by side", sections)
    lines = [f"{path}: {one.verdict}" for path, one in zip(paths, found, strict=True)]
    return {"page": str(out), "verdicts": [one.verdict for one in found], "text": "\n".join([*lines, f"page: {out}"])}


def beside(columns: list[dict[str, Any]], skip: str = "") -> list[tuple[str, ...]]:
    """Rows of name and each column's value, for every name that any has."""
    names = dict.fromkeys(name for column in columns for name in column if name != skip)
    return [(name, *(cell(column.get(name)) for column in columns)) for name in names]
