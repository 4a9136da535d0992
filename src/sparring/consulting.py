"""What the commands `doctor`, `report` and `compare` do: they read run folders, and nothing else."""

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sparring import nearby
from sparring.checkpoint import action
from sparring.doctor import Chart, Diagnosis, Finding, chart, judge, weighed
from sparring.doctor.again import again
from sparring.doctor.summary import how, what_next
from sparring.doctor.treat import words
from sparring.errors import InputError
from sparring.gauging import gap_of
from sparring.metrics.dual_gap import Gap
from sparring.progress import Line
from sparring.report import Section, write_page
from sparring.reporting import (
    MEANING,
    action_sections,
    cell,
    finding_sections,
    health_section,
    picture_sections,
    receipt_section,
    sample_sections,
    score_section,
)
from sparring.run import ANEW, RunFolder, read_lines
from sparring.untrusted import JSON_BYTES, Strange, parse, read_file


def opened(path: Path) -> tuple[RunFolder, dict[str, Any], Chart]:
    """A run's folder, config and chart; InputError when there is no run."""
    if not path.is_dir():
        raise InputError(f"{path} is a file. Give a run folder." if path.exists() else f"there is no folder {path}. Give a run folder.")
    folder = RunFolder(path)
    config = folder.read_config()
    if config is None:
        raise InputError(f"{path} holds no run: there is no config.json in it. Give a run folder.")
    actions = read_actions(folder) if folder.actions.exists() else []
    return folder, config, chart(read_lines(folder.log), read_lines(folder.health), config, actions)


def read_actions(folder: RunFolder) -> list[dict[str, Any]]:
    """What the doctor changed in mid-run; InputError when the file is not what a run writes."""
    try:
        found = parse(read_file(folder.actions, JSON_BYTES))
    except (Strange, OSError) as error:
        raise InputError(f"{folder.actions} {error}. {ANEW}") from None
    if not isinstance(found, list) or not all(map(action, found)):
        raise InputError(f"{folder.actions} does not hold what the doctor did. {ANEW}")
    return found


def doctor(path: Path, gap: bool = False) -> dict[str, Any]:
    """The verdict on a run, in the form of the command's JSON; with its perturbed duality `gap`, if that is asked for."""
    _, config, run = opened(path)
    found, gauged = judge(run), gauge(path) if gap else None
    if gauged is not None:
        found = weighed(found, gauged.gap)
    acted = [f"acted at round {one['at']:,} on {one['why'].replace('_', ' ')}: {words(one['settings'])}"
             for one in run.actions]
    lines = [f"{path}: {found.verdict}" + (f" ({found.why})" if found.why else "") + f", after {found.step:,} rounds", *acted]
    if found.verdict == "healthy":
        lines += [f"  {how(run, found)}", f"  {what_next(run, found)}"]
    if gauged is not None:
        lines += [f"duality gap {gauged.gap:.3f} nats: the best discriminator found would have {gauged.highest:.3f}, the best generator "
                  f"{gauged.lowest:.3f}, and {-2 * math.log(2):.3f} is where neither gains"]
    for finding in found.findings:
        first, last = finding.steps
        lines += ["", f"{finding.severity}: {finding.title()}, rounds {first:,} to {last:,}",
                  "  " + ", ".join(f"{name} {value:g}" for name, value in finding.evidence.items()), f"  {finding.explanation}"]
        lines += [f"  try: {action}" for action in finding.actions]
        lines += [f"  paste: {command}" for command in commands(path, config, finding)[:1]]
    more = {} if gauged is None else {"duality_gap": {"value": gauged.gap, "highest": gauged.highest, "lowest": gauged.lowest}}
    return {**found.plain(), **more, "text": "\n".join(lines)}


def commands(path: Path, config: dict[str, Any], finding: Finding) -> list[str]:
    """What to paste to take each action, where the run was begun by a command."""
    names = (f"{path}-again{f'-{i}' if i > 1 else ''}" for i in itertools.count(1))
    out = next(name for name in names if not Path(name).exists())
    return [command for action in finding.actions if (command := again(config, action, str(path), out))]


def gauge(path: Path) -> Gap:
    """The perturbed duality gap, with a line that says how far its searches are."""
    line = Line("duality gap")
    try:
        return gap_of(path, watch=lambda done, total: line.update(done, total, {}))
    finally:
        line.leave()


# ------------------------------------------------------------------------------------------------------ one run
def report(path: Path, out: Path | None) -> dict[str, Any]:
    """Write the page about one run."""
    folder, config, run = opened(path)
    found, out = judge(run), out or path / "report.html"
    at = nearby.open_run(path)
    pasted = {finding.name: commands(path, config, finding) for finding in found.findings}
    with drawn_for(out) as drawn:
        sections = [Section("Summary", (summary(config, run, found, where_it_stands(folder, config, run, found)),)), health_section(run),
                    *action_sections(run), *finding_sections(found, pasted), *picture_sections(folder, run, drawn),
                    score_section(folder), *sample_sections(at, config, path, drawn), receipt_section(config, run)]
        write_page(out, f"{config.get('recipe')} on {config.get('data')}: {found.verdict}", sections)
    return {"page": str(out), "verdict": found.verdict, "text": f"{found.line()}\npage: {out}"}


@contextmanager
def drawn_for(page: Path) -> Iterator[Path]:
    """A folder for the pictures of a page, which holds them itself then: a report changes nothing in its run.  InputError where the page
    cannot be written, or a picture of the run cannot be read."""
    if page.is_dir():
        raise InputError(f"{page} is a folder. Give a file with --out, such as {page / 'report.html'}.")
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{page} cannot be written: {error.strerror or error}. Give another file with --out.") from None
    try:
        with TemporaryDirectory(prefix="sparring-") as folder:
            yield Path(folder)
    except OSError as error:
        raise InputError(f"a picture of the run cannot be read: {error}. Remove it, or run the training again.") from None


def where_it_stands(folder: RunFolder, config: dict[str, Any], run: Chart, found: Diagnosis) -> str:
    """Of a run that has not come to its end: why, and whether somebody is training it."""
    if not run.steps or run.last >= run.steps:
        return ""
    if folder.busy():
        return ", and it is being trained now"
    looks = config.get("run_settings")
    if isinstance(looks, dict) and found.ends(looks.get("stop_when")):
        return f", where it ended itself, as stop_when={looks['stop_when']} asked"
    return ", where it stands: nobody is training it now, and the command that began it goes on"


def summary(config: dict[str, Any], run: Chart, found: Diagnosis, stands: str = "") -> str:
    """Three sentences: what was trained and how far, how it is, and what to do."""
    seconds = f"round {found.step:,} of {run.steps:,}" if run.steps else f"round {found.step:,}"
    return (f"This is a run of {config.get('recipe')} on {config.get('data')} with seed {config.get('seed')}, at {seconds}{stands}. "
            f"{how(run, found)} {what_next(run, found)}")


# ------------------------------------------------------------------------------------------------------- several
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
