"""The command `report`: one page about a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sparring.doctor import Chart, Diagnosis, judge
from sparring.doctor.reading import opened
from sparring.doctor.retry import retries
from sparring.doctor.summary import how, what_next
from sparring.errors import InputError, shown
from sparring.evaluation.rows import target_of
from sparring.report.neighbours import Opened, open_run
from sparring.report.page import Section, write_page
from sparring.report.sections import (
    action_sections,
    finding_sections,
    health_section,
    picture_sections,
    sample_sections,
    score_section,
    settings_section,
)
from sparring.runs.folder import RunFolder
from sparring.setup.own import outside
from sparring.spaces import Clips, Table


def report(path: Path, out: Path | None, recipe: str | None = None, target: str | None = None) -> dict[str, Any]:
    """Write the page about one run; of a table also how useful its rows are for predicting the `target`.  InputError for one that there is
    not."""
    folder, config, run = opened(path)
    found, out = judge(run), out or path / "report.html"
    at = open_run(path, outside(recipe))
    if target is not None:
        if not isinstance(at, Opened) or not isinstance(at.model.space, Table):
            raise InputError(f"--target {shown(target)}: only rows of tables have columns to predict. Leave it out.")
        target_of(at.model.space, target)
        at = at._replace(target=target)
    pasted = {finding.name: retries(path, config, finding) for finding in found.findings}
    with drawn_for(out) as drawn:
        made = sample_sections(at, config, path, drawn)
        first = not isinstance(at, str) and isinstance(at.model.space, Table | Clips)       # who reads of these, asks for them first
        sections = [Section("Summary", (summary(config, run, found, where_it_stands(folder, config, run, found)),)),
                    *(made if first else []), health_section(run), *action_sections(run), *finding_sections(found, pasted),
                    *picture_sections(folder, run, drawn), score_section(folder), *([] if first else made), settings_section(config, run)]
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
    """Of an unfinished run: why it ended early, and whether it is being trained now."""
    if not run.steps or run.last >= run.steps:
        return ""
    if folder.busy():
        return ", and it is being trained now"
    looks = config.get("run_settings")
    if isinstance(looks, dict) and found.ends(looks.get("stop_when")):
        return f", where stop_when={looks['stop_when']} ended it"
    return ". It is not being trained now; run its command again to continue"


def summary(config: dict[str, Any], run: Chart, found: Diagnosis, stands: str = "") -> str:
    """Three sentences: what was trained and how far, how it is, and what to do."""
    seconds = f"round {found.step:,} of {run.steps:,}" if run.steps else f"round {found.step:,}"
    return (f"This is a run of {config.get('recipe')} on {config.get('data')} with seed {config.get('seed')}, at {seconds}{stands}. "
            f"{how(run, found)} {what_next(run, found)}")
