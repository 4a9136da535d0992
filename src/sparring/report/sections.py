"""The sections of a report, each made from a run's folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparring.api import Model
from sparring.doctor import Chart, Diagnosis, timeline
from sparring.doctor.treat import words
from sparring.errors import InputError, RunFailed
from sparring.pictures.log_charts import loss_curves, score_curves
from sparring.pictures.strips import chosen
from sparring.report import neighbours
from sparring.report.columns import columns_of
from sparring.report.data import look
from sparring.report.films import films_of
from sparring.report.page import Section
from sparring.runs.folder import RunFolder, read_lines
from sparring.untrusted import Strange, read_file

MOST = 5                                        # times at which scores are shown
FEW, TIMES, LETTERS = 3, 8, 300                 # lines of text that are shown, at so many times, and letters of each
LINE_BYTES = 10_000_000                         # in a file of lines, at most
REPEATED = 0.3                                  # share of lines that were drawn before, from which it is told
FRAMES, BYTES = 16, 3_000_000                   # pictures of samples on a page, and how large they may be together
MEANING = {
    "distance": "sliced Wasserstein distance of samples from the data, in deviations of the data",
    "distance_floor": "the same between two sets of real samples: what chance alone gives",
    "missing": "share of the data that has less than a quarter of the samples it should have",
    "support": "number of different samples, over that of the data (birthday paradox): 1 is equal, below 1 less varied, above 1 more "
               "spread out",
    "spread": "spread of the samples, over that of the data", "copied": "distance to the training set, over that of a real sample",
    "repeated": "share of generated lines that come again", "repeated_real": "the same of as many real lines",
    "distinct": "different sequences of four words, over those of the data",
    "copies": "share of generated lines that stand in the training text", "copies_real": "the same of held-out lines",
    "points_apart": "distance of the key points of a frame from their mean; a frame reaches from -1 to 1",
    "points_outside": "share of key points at the border of the frame",
    "points_move": "how far the key point that moves most is from its mean over a clip",
    "rebuilt": "difference of frames rebuilt from the first of their clip, over that of this first frame itself",
    "uneven": "total variation between shares of samples and of data over cells",
}


def health_section(run: Chart) -> Section:
    verdicts = timeline(run)
    rows = [(f"{step:,}", then.verdict, ", ".join(f.title() for f in then.findings) or then.why) for step, then in verdicts]
    text = ("The doctor's verdict after each check-up.",) if rows else ("This run wrote no check-ups.",)
    return Section("Health", text, band=[(f"round {step}: {verdict}{f': {names}' if names else ''}", verdict)
                                         for step, verdict, names in rows])


def action_sections(run: Chart) -> list[Section]:
    """What the doctor changed, when it was asked to act."""
    rows = [(f"{one['at']:,}", one["why"].replace("_", " "), words(one["settings"])) for one in run.actions]
    return [Section("What the doctor changed", ("Settings below are those of the end.",), ("round", "because of", "settings"), rows)] \
        if rows else []


def finding_sections(found: Diagnosis, commands: Mapping[str, Sequence[str]]) -> list[Section]:
    """What was found, with what to try: settings, and what to paste for the first of them."""
    sections = []
    for finding in found.findings:
        rows = [(name.replace("_", " "), f"{value:g}") for name, value in finding.evidence.items()]
        rows += [("try", action) for action in finding.actions]
        rows += [("paste", command) for command in commands.get(finding.name, ())[:1]]
        first, last = finding.steps
        sections.append(Section(f"{finding.severity.capitalize()}: {finding.title()}",
                                (f"Rounds {first:,} to {last:,}.", finding.explanation), ("what", "value"), rows))
    return sections


def picture_sections(folder: RunFolder, run: Chart, drawn: Path) -> list[Section]:
    """Losses and check-ups, drawn into that folder, and samples; what has nothing to draw from is left out."""
    sections, log = [], list(run.log)
    if any("/" in name for row in log for name in row):
        caption = "Losses, and below them what is only watched: D's mean outputs, accuracy, a critic's mean scores, where a run has them."
        sections.append(Section("Losses", pictures=[(loss_curves(log, drawn / "losses.png", run.blind), caption)]))
    keys = ("distance", "missing", "support", "spread", "copied", "repeated", "repeated_real", "distinct", "copies",
            "copies_real", "points_apart", "points_outside", "points_move", "rebuilt")
    rows = [{"step": m.step, **{k: m.health[k] for k in keys if k in m.health},
             **({"distance_floor": m.health["floor"]} if "floor" in m.health else {})} for m in run.moments]
    charts = score_curves(rows, drawn / "health.png") if rows else None
    if charts is not None:
        last = rows[-1]
        table = [(name, f"{last[name]:.4g}", MEANING[name]) for name in last if name in MEANING]
        text = ("Distances are taken on raw pixels of a few hundred images: good for small centred images, poor for photographs. Look at "
                "the samples too.",) if run.kind == "images" else ()
        sections.append(Section("Check-ups", text, ("what", "at the end", "meaning"), table, [(charts, "Every check-up.")]))
    shots = {int(p.stem): p for p in folder.samples.glob("*.png") if p.stem.isdigit()}
    if shots:
        size = sum(shot.stat().st_size for shot in shots.values()) / len(shots)
        steps = chosen(sorted(shots), max(4, min(FRAMES, int(BYTES / max(size, 1)))))
        slides = [(shots[step], f"after {step:,} round{'s' if step != 1 else ''}") for step in steps]
        sections.append(Section("Samples through time", slides=slides))
    return sections + line_sections(folder)


def line_sections(folder: RunFolder) -> list[Section]:
    """Lines of text through time, from the same latents, and whether the model repeats itself."""
    shots = {int(p.stem): p for p in folder.samples.glob("*.txt") if p.stem.isdigit()}
    if not shots:
        return []
    rows = []
    for step in chosen(sorted(shots), TIMES):
        try:
            lines = read_file(shots[step], LINE_BYTES).decode(errors="replace").splitlines()[:FEW]
        except (Strange, OSError) as error:
            lines = [f"{shots[step].name} {error}"]
        rows.append((f"{step:,}", *(line[:LETTERS] for line in lines), *[""] * (FEW - len(lines))))
    last = (read_lines(folder.scores) or [{}])[-1].get("repeated")
    said = [f"The first {FEW} of the lines in samples/, which come from the same latents each time."]
    if isinstance(last, float) and last > REPEATED:
        said.append(f"Of the lines drawn for the last scores, {last:.0%} had been drawn before: the model repeats itself. Stop earlier, or "
                    "keep the likelihood beside the adversarial loss: anchor=0.1.")
    return [Section("Samples through time", said,
                    ("round", *(f"line {k + 1}" for k in range(FEW))), rows)]


def score_section(folder: RunFolder) -> Section:
    scores = read_lines(folder.scores)
    if not scores:
        return Section("Scores", ("This run has no scores yet.",))
    shown = [scores[i] for i in sorted({round(k * (len(scores) - 1) / (MOST - 1)) for k in range(MOST)})] if len(scores) > 1 else scores
    names = dict.fromkeys(name for row in shown for name in row if name != "step")
    rows = [(name, *(cell(row.get(name)) for row in shown)) for name in names]
    return Section("Scores", ("From left to right as training went; docs/scores.md says what each is.",),
                   ("score", *(f"after {row['step']:,}" for row in shown)), rows)


def film_section(model: Model, path: Path, drawn: Path) -> Section:
    """What a model that animates makes of a clip; or why that cannot be shown."""
    try:
        return Section("Films", ("Scores say how near rebuilt frames come to those of held-out clips, beside copying the first.",),
                       pictures=films_of(path, model, drawn))
    except (InputError, RunFailed, OSError) as error:
        return Section("Films", (f"Films cannot be shown: {error}",))


def sample_sections(at: neighbours.Opened | neighbours.Animating | str, config: Mapping[str, Any], path: Path,
                    drawn: Path) -> list[Section]:
    """What the run would draw now beside its data; or why that cannot be had."""
    if isinstance(at, str):
        return [Section("Samples beside the data", (at,))]
    if isinstance(at, neighbours.Animating):
        return [film_section(at.model, path, drawn)]
    return [metric_section(at, path), *column_sections(at, drawn), nearness_section(at, drawn), data_section(at, config, drawn)]


def metric_section(at: neighbours.Opened, path: Path) -> Section:
    """Metrics of what the run would draw now, with intervals."""
    found = neighbours.figures(at)
    if isinstance(found, str):
        return Section("Metrics", (found,))
    rows, notes = found
    return Section("Metrics", (f"Computed on a few samples (see below). To report results, use `sparring evaluate {path}`, which takes "
                               "10,000 and gives each figure's protocol.", "\n".join(notes)),
                   ("metric", "value", "95 % interval", "better", "what it is"), rows)


def column_sections(at: neighbours.Opened, drawn: Path) -> list[Section]:
    """Of a table: what columns hold, and which belong together, generated beside real."""
    shown = columns_of(at, drawn)
    return [Section("Columns", ("Cramer's V of two columns is 0 where they are independent, and 1 where one says the other. Numbers are "
                                "seen in tenths.",), pictures=shown)] if shown else []


def nearness_section(at: neighbours.Opened, drawn: Path) -> Section:
    """Generated samples beside the training samples that are nearest to them, and the same of real ones."""
    found = neighbours.nearness(at, drawn)
    if isinstance(found, str):
        return Section("Nearest training samples", (found,))
    shown = [] if found.picture is None else [
        (found.picture, "Generated samples over their nearest training samples; then the same of real ones, as the baseline.")]
    return Section("Nearest training samples", (found.sentence(),), pictures=shown)


def data_section(at: neighbours.Opened, config: Mapping[str, Any], drawn: Path) -> Section:
    """What is in the data, and what of that makes training hard."""
    rows, said, picture = look(at.source, drawn, 0)
    more = f"`sparring data {config.get('data')}` looks at every file, and says which are broken or there twice."
    return Section("The data", [*(said or ["No problems found."]), *([more] if picture else [])], ("what", "value"), rows,
                   [(picture, "Samples of the data, as training sees them.")] if picture else [])


def settings_section(config: dict[str, Any], run: Chart) -> Section:
    """Settings, versions, and how the run was started."""
    facts = [(name.removeprefix("data/") + (" (data)" if name == "data/samples" else " (of a part of the data)"), f"{value:.4g}")
             for name, value in run.facts.items() if name.startswith("data/")]
    plain = [(key, str(config.get(key))[:200]) for key in ("command", "data", "seed", "device", "fingerprint", "started", "forked_from")
             if config.get(key) not in (None, "")]
    for part in ("data_settings", "run_settings"):
        plain += [(name, str(value)) for name, value in (config[part].items() if isinstance(config.get(part), dict) else ())]
    settings = [(name, str(value)) for name, value in run.settings.items()]
    versions = config.get("versions")
    return Section("Settings, versions and command", (), ("what", "value"),
                   [*plain, *facts, *settings, *((k, str(v)) for k, v in (versions.items() if isinstance(versions, dict) else ()))])


def cell(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
