"""What the commands `doctor`, `report` and `compare` do: they read run folders, and nothing else."""

import math
from pathlib import Path
from typing import Any

from sparring import nearby
from sparring.checkpoint import action
from sparring.doctor import Chart, Diagnosis, chart, judge, timeline, weighed
from sparring.doctor.judge import ratio, tells
from sparring.doctor.thresholds import CALIBRATED
from sparring.doctor.treat import words
from sparring.errors import InputError
from sparring.gauging import gap_of
from sparring.metrics.dual_gap import Gap
from sparring.pictures.losses import loss_curves, score_curves
from sparring.pictures.strips import chosen
from sparring.progress import Line
from sparring.report import Section, write_page
from sparring.run import ANEW, RunFolder, read_lines
from sparring.untrusted import JSON_BYTES, Strange, parse, read_file

MOST = 5                                        # times at which scores are told
FRAMES = 16                                     # pictures of samples on a page: more would make it large
WORDS = {"healthy": "It is healthy: no known sign of trouble is there", "failing": "It is failing.",
         "converged": "It has converged: the samples are as near to the data as this can see, and stay there.",
         "unclear": "There is no verdict yet."}
MEANING = {
    "distance": "sliced Wasserstein distance of samples from the data, in deviations of the data",
    "distance_floor": "the same between two sets of real samples: what chance alone gives",
    "missing": "share of the data that has less than a quarter of the samples it should have",
    "support": "number of different samples, over that of the data (birthday paradox); 1 is alike, less is fewer",
    "spread": "spread of the samples, over that of the data", "copied": "distance to the training set, over that of a real sample",
    "uneven": "total variation between shares of samples and of data over cells",
}


def opened(path: Path) -> tuple[RunFolder, dict[str, Any], Chart]:
    """A run's folder, config and chart; InputError when there is no run."""
    if not path.is_dir():
        raise InputError(f"there is no folder {path}. Give a run folder.")
    folder = RunFolder(path)
    config = folder.read_config()
    if config is None:
        raise InputError(f"{path} holds no run: there is no config.json in it. Give a run folder.")
    if folder.actions.exists():                                 # findings are about the settings that the run had last
        config["actions"] = read_actions(folder)
        asked = config["settings"] if isinstance(config.get("settings"), dict) else {}
        config["settings"] = asked | {name: value for one in config["actions"] for name, value in one["settings"].items()}
    return folder, config, chart(read_lines(folder.log), read_lines(folder.health), config)


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
             for one in config.get("actions", ())]
    lines = [f"{path}: {found.verdict}" + (f" ({found.why})" if found.why else "") + f", after {found.step:,} rounds", *acted]
    if gauged is not None:
        lines += [f"duality gap {gauged.gap:.3f} nats: the best discriminator found would have {gauged.highest:.3f}, the best generator "
                  f"{gauged.lowest:.3f}, and {-2 * math.log(2):.3f} is where neither gains"]
    for finding in found.findings:
        first, last = finding.steps
        lines += ["", f"{finding.severity}: {finding.title()}, rounds {first:,} to {last:,}",
                  "  " + ", ".join(f"{name} {value:g}" for name, value in finding.evidence.items()), f"  {finding.explanation}"]
        lines += [f"  try: {action}" for action in finding.actions]
    more = {} if gauged is None else {"duality_gap": {"value": gauged.gap, "highest": gauged.highest, "lowest": gauged.lowest}}
    return {**found.plain(), **more, "text": "\n".join(lines)}


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
    sections = [Section("Summary", (summary(config, run, found),)), health_section(run), *action_sections(config),
                *finding_sections(found), *picture_sections(folder, run), score_section(folder), metric_section(path),
                nearness_section(path), receipt_section(config, run)]
    try:
        write_page(out, f"{config.get('recipe')} on {config.get('data')}: {found.verdict}", sections)
    except OSError as error:
        raise InputError(f"a picture of the run cannot be read: {error}. Remove it, or run the training again.") from None
    return {"page": str(out), "verdict": found.verdict, "text": f"{found.line()}\npage: {out}"}


def summary(config: dict[str, Any], run: Chart, found: Diagnosis) -> str:
    """Three sentences: what was trained and how far, how it is, and what to do."""
    seconds = f"round {found.step:,} of {run.steps:,}" if run.steps else f"round {found.step:,}"
    first = f"This is a run of {config.get('recipe')} on {config.get('data')} with seed {config.get('seed')}, at {seconds}."
    worst = found.findings[0] if found.findings else None
    second = WORDS[found.verdict]
    if found.verdict == "healthy":
        second = (second if worst is None else "It is healthy on the whole") + course(run)
    second += (f" {found.why[:1].upper()}{found.why[1:]}." if found.why else "")
    if worst is None or worst.name == "converged":
        third = what_next(run, found)
    else:
        todo = f": try {worst.actions[0]}" if worst.actions else "; no setting mends that, and what does stands with the finding"
        third = f"Foremost is {worst.title()}, since round {worst.steps[0]:,}{todo}."
    if found.verdict == "failing":
        second = f"It is failing ({', '.join(f.title() for f in found.findings)})."
    return f"{first} {second} {third}"


def course(run: Chart) -> str:
    """How the distance of the samples from the data went, as the end of a sentence."""
    at = [distance for m in run.moments if (distance := m.of("distance")) is not None]
    away = ratio(run.moments[-1]) if run.moments else None
    if at and at[-1] < at[0] - CALIBRATED.flat:
        return f", and the samples have come nearer to the data ({at[0]:.2g} deviations away at first, now {at[-1]:.2g})."
    if away is not None and away < CALIBRATED.close:
        return ", and the samples lie about as near to the data as a few hundred can show."
    return "; but the samples have come no nearer to the data than they were at the first check-up." if at else "."


def what_next(run: Chart, found: Diagnosis) -> str:
    """The third sentence where nothing is wrong."""
    if found.verdict == "unclear":
        if not run.moments and run.last:
            return "Look at its pictures and scores instead."
        return "Let it train on, and ask again." if found.step < run.steps else "More rounds, or more check-ups, would tell."
    away, support = (ratio(run.moments[-1]), run.moments[-1].of("support")) if run.moments else (None, None)
    told = [loss for m in run.moments[-3:] if (loss := tells(run, m, CALIBRATED)) is not None]      # of one moment it may be one batch
    if found.verdict == "healthy" and away is not None and away > 1.5:
        return f"The samples are {away:.1f} times as far from the data as other real samples are, so more rounds may bring more."
    if found.verdict == "healthy" and support is not None and support > 1 / CALIBRATED.support:
        return (f"The samples lie more thinly than the data (their support is {support:.2g} times as large), which the discriminator "
                f"{'does not see' if not told else 'sees'}: more rounds{'' if told else ', or a weaker penalty,'} may bring more.")
    if found.verdict == "healthy" and support is not None and support < CALIBRATED.support:
        return (f"Fewer of the samples are different than of the data (their support is {support:.2g} of its, of a few hundred): look at "
                f"the pictures, and at recall and coverage of `sparring evaluate`.")
    if found.verdict == "healthy" and told:
        return (f"The discriminator still tells samples from data (its loss is {sum(told) / len(told):.2f}, and {run.blind:.3g} where it "
                "cannot). Whether more rounds bring more, the scores below say: see whether they still move.")
    return "As far as some hundred samples can show, there is nothing to change."


def health_section(run: Chart) -> Section:
    told = timeline(run)
    rows = [(f"{step:,}", then.verdict, ", ".join(f.title() for f in then.findings)) for step, then in told]
    text = ("What the doctor would have said after each check-up.",) if rows else ("This run wrote no check-ups.",)
    return Section("Health", text, band=[(f"round {step}: {verdict} {names}".strip(), verdict) for step, verdict, names in rows])


def action_sections(config: dict[str, Any]) -> list[Section]:
    """What the doctor changed, when it was asked to act."""
    rows = [(f"{one['at']:,}", one["why"].replace("_", " "), words(one["settings"])) for one in config.get("actions", ())]
    return [Section("What the doctor changed", ("Settings below are those of the end.",), ("round", "because of", "settings"), rows)] \
        if rows else []


def finding_sections(found: Diagnosis) -> list[Section]:
    sections = []
    for finding in found.findings:
        rows = [(name.replace("_", " "), f"{value:g}") for name, value in finding.evidence.items()]
        rows += [("try", action) for action in finding.actions]
        first, last = finding.steps
        sections.append(Section(f"{finding.severity.capitalize()}: {finding.title()}",
                                (f"Rounds {first:,} to {last:,}.", finding.explanation), ("what", "value"), rows))
    return sections


def picture_sections(folder: RunFolder, run: Chart) -> list[Section]:
    """Losses, check-ups and samples; what has nothing to draw from is left out."""
    sections, log = [], read_lines(folder.log)
    if any("/" in name for row in log for name in row):
        picture, words = loss_curves(log, folder.path / "losses.png", run.blind), "Losses; and D's beliefs, where it has any."
        sections.append(Section("Losses", pictures=[(picture, words)]))
    keys = ("distance", "missing", "support", "spread", "copied")
    rows = [{"step": m.step, **{k: m.health[k] for k in keys if k in m.health},
             **({"distance_floor": m.health["floor"]} if "floor" in m.health else {})} for m in run.moments]
    charts = score_curves(rows, folder.path / "health.png") if rows else None
    if charts is not None:
        last = rows[-1]
        table = [(name, f"{last[name]:.4g}", MEANING[name]) for name in last if name in MEANING]
        text = ("Distances are of raw pixels, of a few hundred images: good for small centred ones, poor for photographs. Look at the "
                "samples too.",) if run.kind == "images" else ()
        sections.append(Section("Check-ups", text, ("what", "at the end", "meaning"), table, [(charts, "Every check-up.")]))
    shots = {int(p.stem): p for p in folder.samples.glob("*.png") if p.stem.isdigit()}
    if shots:
        steps = chosen(sorted(shots), FRAMES)
        sections.append(Section("Samples through time", slides=[(shots[step], f"after {step:,} rounds") for step in steps]))
    return sections


def score_section(folder: RunFolder) -> Section:
    scores = read_lines(folder.scores)
    if not scores:
        return Section("Scores", ("This run has no scores yet.",))
    shown = [scores[i] for i in sorted({round(k * (len(scores) - 1) / (MOST - 1)) for k in range(MOST)})] if len(scores) > 1 else scores
    names = dict.fromkeys(name for row in shown for name in row if name != "step")
    rows = [(name, *(cell(row.get(name)) for row in shown)) for name in names]
    return Section("Scores", ("From left to right as training went; docs/scores.md says what each is.",),
                   ("score", *(f"after {row['step']:,}" for row in shown)), rows)


def metric_section(path: Path) -> Section:
    """Metrics of what the run would draw now, with intervals."""
    found = nearby.figures(path)
    if isinstance(found, str):
        return Section("Metrics", (found,))
    rows, notes = found
    return Section("Metrics", (f"Of {nearby.FEW:,} samples at most, and as many real ones. `sparring evaluate {path}` takes 10,000, says "
                               "what each is made of, and is what to report.", "\n".join(notes)),
                   ("metric", "value", "95 % interval", "better", "what it is"), rows)


def nearness_section(path: Path) -> Section:
    """Generated samples beside the training samples that are nearest to them, and the same of real ones."""
    found = nearby.nearness(path)
    if isinstance(found, str):
        return Section("Nearest training samples", (found,))
    shown = [] if found.picture is None else [
        (found.picture, "Generated samples over their nearest training samples; then the same of real ones, as the baseline.")]
    return Section("Nearest training samples", (found.sentence(),), pictures=shown)


def receipt_section(config: dict[str, Any], run: Chart) -> Section:
    """Settings, and what the run was started as."""
    facts = [(name.removeprefix("data/") + (" (data)" if name == "data/samples" else " (of a part of the data)"), f"{value:.4g}")
             for name, value in run.facts.items() if name.startswith("data/")]
    plain = [(key, str(config.get(key))[:200]) for key in ("command", "data", "seed", "device", "fingerprint", "started", "forked_from")
             if config.get(key) not in (None, "")]
    for part in ("data_settings", "run_settings"):
        plain += [(name, str(value)) for name, value in (config[part].items() if isinstance(config.get(part), dict) else ())]
    settings = [(name, str(value)) for name, value in run.settings.items()]
    versions = config.get("versions")
    return Section("Settings and receipt", (), ("what", "value"),
                   [*plain, *facts, *settings, *((k, str(v)) for k, v in (versions.items() if isinstance(versions, dict) else ()))])


# ------------------------------------------------------------------------------------------------------- several
def compare(paths: list[Path], out: Path) -> dict[str, Any]:
    """Write the page that puts runs side by side: verdicts, settings that differ, last scores and check-ups, losses and samples."""
    if len(paths) < 2:
        raise InputError("compare needs at least two run folders. For one, use: sparring report RUN.")
    runs = [opened(path) for path in paths]
    found = [judge(run) for _, _, run in runs]
    header = ("", *(str(path) for path in paths))
    verdicts = [("verdict", *(one.verdict for one in found)), ("findings", *(", ".join(f.title() for f in one.findings) for one in found)),
                ("rounds", *(f"{one.step:,}" for one in found))]
    asked: list[dict[str, Any]] = [{**{key: c.get(key) for key in ("recipe", "data", "seed")}, **run.settings} for _, c, run in runs]
    differ = [row for row in beside(asked) if len(set(row[1:])) > 1]
    scores = [dict((read_lines(folder.scores) or [{}])[-1]) for folder, _, _ in runs]
    ends = [dict(run.moments[-1].health) if run.moments else {} for _, _, run in runs]
    looks = [{k: v for k, v in end.items() if k in MEANING or k == "floor"} for end in ends]
    sections = [Section("Side by side", (), header, verdicts), Section("Settings that differ", (), header, differ),
                Section("Scores", (), header, beside(scores, skip="step")), Section("Last check-up", (), header, beside(looks))]
    for path, (folder, _, run) in zip(paths, runs, strict=True):
        parts = picture_sections(folder, run)
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


def cell(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
