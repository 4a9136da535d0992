"""The summary of a run: how it is and what to do, in plain sentences."""

from sparring.doctor.chart import Chart
from sparring.doctor.finding import Diagnosis
from sparring.doctor.judge import ratio, tells
from sparring.doctor.signs import nearer_than
from sparring.doctor.thresholds import CALIBRATED

WORDS = {"healthy": "It is healthy: no known sign of trouble is there", "failing": "It is failing.",
         "converged": "It has converged: the samples are as near to the data as can be measured, and stay there.",
         "unclear": "There is no verdict yet."}


def how(run: Chart, found: Diagnosis) -> str:
    """The sentence about the verdict."""
    if found.verdict == "failing":
        said = f"It is failing ({', '.join(f.title() for f in found.findings)})."
    elif found.verdict == "healthy":
        said = ("It is healthy on the whole" if found.findings else WORDS["healthy"]) + course(run)
    else:
        said = WORDS[found.verdict]
    return said + (f" {found.why[:1].upper()}{found.why[1:]}." if found.why else "")


def course(run: Chart) -> str:
    """How the distance of the samples from the data went, as the end of a sentence."""
    at = [distance for m in run.moments if (distance := m.of("distance")) is not None]
    away = ratio(run.moments[-1]) if run.moments else None
    if at and at[-1] <= nearer_than(at[0], CALIBRATED):
        return f", and the samples have come nearer to the data ({at[0]:.2g} deviations away at first, now {at[-1]:.2g})."
    if away is not None and away < CALIBRATED.close:
        return ", and the samples lie about as near to the data as a few hundred can show."
    return "."


def what_next(run: Chart, found: Diagnosis) -> str:
    """The sentence about what to do."""
    worst = found.findings[0] if found.findings else None
    if worst is not None and worst.name != "converged":
        todo = f": try {worst.actions[0]}" if worst.actions else "; no setting fixes that: see the finding for what does"
        return f"The main finding is {worst.title()}, since round {worst.steps[0]:,}{todo}."
    if found.verdict == "unclear":
        if not run.moments and run.last:
            return "Look at its pictures and scores instead."
        return "Let it train on, and ask again." if found.step < run.steps else "A verdict needs more rounds or more check-ups."
    away, support = (ratio(run.moments[-1]), run.moments[-1].of("support")) if run.moments else (None, None)
    losses = [loss for m in run.moments[-3:] if (loss := tells(run, m, CALIBRATED)) is not None]      # one check-up may see one batch
    if found.verdict == "healthy" and away is not None and away > 1.5:
        return f"The samples are {away:.1f} times as far from the data as other real samples are. More rounds may help."
    if found.verdict == "healthy" and support is not None and support > 1 / CALIBRATED.support:
        return (f"The samples are more spread out than the data (their support is {support:.2g} times as large), which the discriminator "
                f"{'does not see' if not losses else 'sees'}. More rounds{'' if losses else ', or a weaker penalty,'} may help.")
    if found.verdict == "healthy" and support is not None and support < CALIBRATED.support:
        return (f"The samples vary less than the data (their support is {support:.2g} of the data's, measured on a few hundred). Look at "
                "the pictures, and at recall and coverage in `sparring evaluate`.")
    if found.verdict == "healthy" and losses:
        return (f"The discriminator still tells samples from data (its loss is {sum(losses) / len(losses):.2f}; it would be "
                f"{run.blind:.3g} if it could not). More rounds may help if the scores still improve.")
    seen = "a few held-out clips" if run.kind == "clips" else "a few hundred samples"
    return f"As far as {seen} show, nothing needs to change."
