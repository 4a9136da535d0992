"""The verdict on a run, from all the signs of trouble."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sparring.doctor.advice import advice, explained
from sparring.doctor.chart import Chart, Moment, Rows, chart
from sparring.doctor.finding import Diagnosis, Finding
from sparring.doctor.signs import ALWAYS, AT_ONCE, SIGNS, Case, nearer_than
from sparring.doctor.thresholds import CALIBRATED, Thresholds

MASKS = {                                           # findings that another one explains
    "diverging": ("oscillation", "mode_collapse", "discriminator_won", "learning_rate_too_high", "learning_rate_imbalance",
                  "penalty_too_weak", "critic_behind"),
    "dead_units": ("learning_rate_too_high",),
    "oscillation": ("learning_rate_too_high", "critic_behind"),
    "learning_too_slowly": ("mode_collapse", "generator_won", "penalty_too_strong", "discriminator_won", "critic_behind"),
    "critic_too_tight": ("mode_collapse", "critic_behind", "learning_rate_imbalance"),
    "penalty_too_strong": ("mode_collapse", "oscillation", "diverging"),
    "batch_leak": ("mode_collapse", "oscillation", "generator_won"),
    "mode_collapse": ("learning_rate_too_high",),
    "points_together": ("points_still", "no_better_than_copying"),
    "points_still": ("no_better_than_copying",),
    "memorization": ("data_too_small", "discriminator_overfitting"),
}


def diagnose(log: Rows, health: Rows, config: Mapping[str, Any], limits: Thresholds = CALIBRATED) -> Diagnosis:
    """The verdict on a run, from the rows of its log.jsonl and health.jsonl and its config.json, as far as they go.

    A finding is a sign that was there in the last `limits.streak` check-ups.  Nothing here raises for rows that lack something.
    """
    return judge(chart(log, health, config), limits)


def judge(run: Chart, limits: Thresholds = CALIBRATED) -> Diagnosis:
    """The same, of a chart."""
    last = max([run.last, *(m.step for m in run.moments[-1:])])
    found = findings(run, limits)
    if any(finding.severity == "failure" for finding in found):
        return Diagnosis("failing", found, last)
    if why := unclear(run, limits):
        return Diagnosis("unclear", found, last, why)
    flat = settled(run, limits)
    if flat is not None and not any(finding.severity == "warning" for finding in found):
        return Diagnosis("converged", (*found, flat), last)
    return Diagnosis("healthy", found, last)


def timeline(run: Chart, limits: Thresholds = CALIBRATED) -> list[tuple[int, Diagnosis]]:
    """After every check-up, what would have been said then."""
    return [(moment.step, judge(replace(run.then(moment.step), moments=run.moments[:i + 1], last=moment.step), limits))
            for i, moment in enumerate(run.moments)]


def findings(run: Chart, limits: Thresholds) -> tuple[Finding, ...]:
    """Every sign that has been there long enough, without those that a worse one explains."""
    found = {}
    for name, (_, severity) in SIGNS.items():
        steps, evidence = streak(run, name, limits)
        if evidence is not None:
            found[name] = Finding(name, severity, steps, rounded(evidence), explained(name, evidence, limits), advice(name, run))
    masked = {weaker for name in found for weaker in MASKS.get(name, ())}
    kept = (finding for name, finding in found.items() if name not in masked)
    return tuple(sorted(kept, key=lambda finding: ("failure", "warning", "note").index(finding.severity)))


def streak(run: Chart, name: str, limits: Thresholds) -> tuple[tuple[int, int], dict[str, float] | None]:
    """From which round to which the sign has been there without a break, and its newest evidence; None when not for long enough.

    A failure is over when it has been absent for `limits.over` check-ups, so that a verdict does not flip from one look to the
    next.  A sign starts again where the doctor changed settings: it is about the settings of its moment.
    """
    sign, severity = SIGNS[name]
    least = 1 if name in AT_ONCE else limits.streak
    wait = limits.over - 1 if severity == "failure" else 0
    newest, first, last, length, absent = None, 0, 0, 0, 0
    for end in range(len(run.moments), 0, -1):
        at = run.moments[end - 1].step
        if at <= run.acted and name not in AT_ONCE:
            break
        case = Case(run, run.moments[:end], limits)
        evidence = None if case.early and name not in ALWAYS else sign(case)
        if evidence is None:
            absent += 1
            if length or absent > wait:
                break
            continue
        newest, first, last, length = newest or evidence, at, last or at, length + 1
    return (first, last), newest if length >= least else None


def unclear(run: Chart, limits: Thresholds) -> str:
    """Why there can be no verdict; empty when there can."""
    if not run.moments:
        return "this run has no check-ups: translators and runs of old versions have none" if run.last else "there is no check-up yet"
    if (count := len(run.moments)) < limits.least:
        return f"there {'is 1 check-up' if count == 1 else f'are {count} check-ups'} so far, and a verdict takes {limits.least}"
    if (since := sum(moment.step > run.acted for moment in run.moments)) < limits.streak:
        return f"settings were changed after round {run.acted:,}, and a verdict needs {limits.streak} check-ups after that" \
            f"{', of which there is 1' if since else ''}"
    if run.moments[-1].of("distance") is None and run.kind not in ("texts", "clips"):      # have signs of their own
        return "its samples cannot be compared with the data"
    return lost(run, limits)


def lost(run: Chart, limits: Thresholds) -> str:
    """Why samples cannot be called good though no sign is there; empty when they can."""
    at, floor = [distance for m in run.moments if (distance := m.of("distance")) is not None], run.moments[-1].of("floor") or 0.0
    if limits.apart * floor > 1:                                # three floors are more than the data are wide
        return f"there are too few real samples to compare with: two sets of them are already {floor:.2g} deviations apart"
    if (off := run.moments[-1].of("class_off") or 0.0) > limits.beside:
        return f"the samples of a class lie {off:.2g} times as far from it as its own do; more rounds may help"
    if Case(run, run.moments, limits).far is None:
        return scattered(run, at, limits)
    if at[-1] > at[0] - limits.flat:
        return f"its samples are far from the data (distance {at[-1]:.2g}) and no nearer than at the start; no known sign explains it"
    if at[-1] > min(at) + limits.flat:
        return f"its samples are far from the data and move away (distance {min(at):.2g} at best, now {at[-1]:.2g}), and no known sign " \
            "says why"
    return ""


def scattered(run: Chart, at: list[float], limits: Thresholds) -> str:
    """Why samples that are not far from the data cannot be called good; empty when they can."""
    now = run.moments[-1]
    away, support, missing = ratio(now), now.of("support"), now.of("missing") or 0.0
    if support is not None and support > limits.diffuse and run.kind != "images" and missing < limits.missing:
        return f"its samples are about {support:.2g} times as spread out as the data, so most of them lie where the data have none; more " \
            "rounds may help"
    if away is not None and away >= limits.close and at[-1] > nearer_than(at[0], limits):
        return f"its samples have come no nearer to the data since the first check-up (distance {at[0]:.2g} then, now {at[-1]:.2g}, and " \
            f"{(now.of('floor') or 0.0):.2g} between two sets of real samples)"
    return ""


def settled(run: Chart, limits: Thresholds) -> Finding | None:
    """Converged: over the last third of the check-ups the samples are as near as chance lets them be, and come no nearer, and the
    discriminator cannot tell them from the data."""
    recent = run.moments[-max(limits.streak + 1, len(run.moments) // 3):]
    near = [ratio(moment) for moment in recent]
    if len(recent) <= limits.streak or any(one is None or one > limits.close for one in near):
        return None
    distances = [moment.health["distance"] for moment in recent]
    if max(distances) - min(distances) > limits.flat or any((m.of("missing") or 0.0) > limits.missing / 2 for m in recent):
        return None
    if tells(run, recent[-1], limits) is not None:
        return None
    evidence = {"distance": distances[-1], "chance": recent[-1].health["floor"], "change": max(distances) - min(distances)}
    if (support := recent[-1].of("support")) is not None and support > 1 / limits.support:     # spread out where the data are narrow
        return None
    return Finding("converged", "note", (recent[0].step, recent[-1].step), rounded(evidence),
                   "The samples are about as near to the data as two sets of real samples are to each other, and have stayed there. More "
                   "rounds will change little that the doctor can measure.")


def tells(run: Chart, now: Moment, limits: Thresholds) -> float | None:
    """The loss of a discriminator that still tells samples from data; None for one that does not, or says nothing of the kind.

    log 4 less the loss is at most 2 JSD(data, samples) on data that it has not learned by heart (Goodfellow et al., 2014, theorem 1),
    and at most what it could still lose to a better generator: a bound on the duality gap that costs nothing.
    """
    loss = now.loss("discriminator")
    return loss if loss is not None and run.blind is not None and loss < (1 - limits.blind) * run.blind else None


def weighed(found: Diagnosis, gap: float, limits: Thresholds = CALIBRATED) -> Diagnosis:
    """The diagnosis beside a perturbed duality gap in nats, which only a game at rest has near zero (Sidheekh et al., 2021)."""
    if found.verdict != "converged" or gap <= limits.rest:
        return found
    why = f"the samples are near to the data, but a player could still gain: the duality gap is {gap:.2f} nats"
    return replace(found, verdict="healthy", findings=tuple(f for f in found.findings if f.name != "converged"), why=why)


def ratio(moment: Moment) -> float | None:
    distance, floor = moment.of("distance"), moment.of("floor")
    return None if distance is None or not floor else distance / floor


def rounded(evidence: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in evidence.items()}
