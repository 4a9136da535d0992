"""The signs of trouble: pure functions from check-ups to evidence, or None when the sign is absent.

A sign that lacks what it needs is absent: a run of a recipe with other turns or other watched values is judged by its samples alone.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from sparring.doctor.chart import Chart, Moment
from sparring.doctor.finding import Severity
from sparring.doctor.thresholds import Thresholds

Evidence = dict[str, float] | None
COLUMNS = 5             # of a table, that are named


@dataclass(frozen=True)
class Case:
    """What a sign looks at: the moments so far, the newest last."""

    chart: Chart
    so_far: tuple[Moment, ...]
    limits: Thresholds

    @property
    def now(self) -> Moment:
        return self.so_far[-1]

    @property
    def early(self) -> bool:
        """The first fifth of the run, in which everything moves."""
        return self.now.step < 0.2 * self.chart.steps

    @property
    def far(self) -> float | None:
        """The samples' distance from the data while it is large."""
        distance, floor = self.now.of("distance"), self.now.of("floor") or 0.0
        return distance if distance is not None and distance > max(self.limits.far, 3 * floor) else None


Sign = Callable[[Case], Evidence]


def discriminator_won(case: Case) -> Evidence:
    """D is sure of every sample, and samples are far from the data or stand still: log(1 - D(G(z))) is flat there (Goodfellow et al.,
    2014, section 3; Arjovsky and Bottou, 2017, theorem 2.4).  Samples that stand still need not be far: narrow modes can be missed by
    less than a few hundred samples show."""
    now, limits, distance = case.now, case.limits, case.far
    real, fake, accuracy = now.of("judge/train"), now.of("judge/fake"), now.logged("accuracy")
    if distance is None and standing_still(case) and real is not None and fake is not None and accuracy is not None:
        unseen = now.of("judge/unseen") if now.of("judge/unseen") is not None else real if now.of("copied") is None else None
        won = unseen is not None and min(real, unseen) - fake >= limits.gap and accuracy >= limits.certain
        return {"logit_gap": real - fake, "accuracy": accuracy, "distance": now.of("distance") or 0.0} if won else None
    if distance is None:
        return None
    if real is not None and fake is not None and accuracy is not None:
        won = real - fake >= limits.gap and accuracy >= limits.sure
        return {"logit_gap": real - fake, "accuracy": accuracy, "distance": distance} if won else None
    loss, blind = now.loss("discriminator"), case.chart.blind
    if loss is None or blind is None or case.chart.objective in ("wasserstein", "hinge"):
        return None
    return {"loss_share": loss / blind, "distance": distance} if loss < limits.share * blind else None


def standing_still(case: Case) -> bool:
    """Whether samples have come no nearer over the last check-ups, and the generator's average did not move."""
    recent = [moment.of("distance") for moment in case.so_far[-case.limits.waited:]]
    known = [distance for distance in recent if distance is not None]
    if len(known) < case.limits.waited:
        return False
    return known[-1] > nearer_than(known[0], case.limits) and max(known) - min(known) < case.limits.flat


def nearer_than(distance: float, limits: Thresholds) -> float:
    """The distance from which on samples have come noticeably nearer than this."""
    return distance - min(limits.flat, limits.progress * distance)


def discriminator_blind(case: Case) -> Evidence:
    """D cannot tell (a loss of log 4, or what that is under the objective) though the samples are far from the data."""
    loss, blind, distance = case.now.loss("discriminator"), case.chart.blind, case.far
    if distance is None or loss is None or blind is None or abs(loss / blind - 1) > case.limits.blind:
        return None
    return {"loss": loss, "loss_if_it_cannot_tell": blind, "distance": distance}


def penalty_too_strong(case: Case) -> Evidence:
    return discriminator_blind(case) if penalized(case) and not slow(case) else None


def generator_won(case: Case) -> Evidence:
    return discriminator_blind(case) if not penalized(case) and not slow(case) and wandering(case) is None else None


def penalized(case: Case) -> bool:
    penalty = case.chart.settings.get("penalty", "none")
    return bool(case.chart.settings.get("gamma")) or (penalty != "none" and bool(case.chart.settings.get("penalty_weight")))


def mode_collapse(case: Case) -> Evidence:
    """A part of the data has no samples, or all samples are nearly one (Arora and Zhang, 2017, for the estimate of the support)."""
    now, limits = case.now, case.limits
    if case.chart.kind == "texts":
        return repetition(case)
    missing, support, spread = now.of("missing"), now.of("support"), now.of("spread")
    if missing is None or support is None or spread is None or spread > limits.huge or (now.of("distance") or 0.0) > limits.huge:
        return None
    floor, distance = now.of("floor") or 0.0, now.of("distance") or 0.0
    if (lost := now.of("class_lost") or 0.0) > 0:
        return {"class_lost": lost, "missing": missing, "support": support, "spread": spread}
    if columns := named(case, "lost"):
        return columns | {"missing": missing, "support": support, "spread": spread}
    off = distance > limits.apart * floor                       # nearer than that, little can be told to be lost
    partial = missing >= limits.missing and (off or (missing > limits.much and distance > limits.close * floor))
    shrunk = missing >= limits.missing / 2 and spread < 0.5 and distance > limits.close * floor      # a rare part is gone with its width
    total = shrunk or spread < limits.point or (support < limits.support and missing >= limits.missing / 2 and off) or \
        (support < limits.one and spread < 0.5)                 # however few real samples there are to hold these against
    offset = ((now.of("place/0") or 0.0) ** 2 + (now.of("place/1") or 0.0) ** 2) ** 0.5
    if partial and not total and offset > 0.5 and spread > 0.8 and wandering(case) is not None:
        return None                                             # as wide as ever, and in passing
    return {"missing": missing, "support": support, "spread": spread} if partial or total else None


def repetition(case: Case) -> Evidence:
    """Lines of text come again, or are made of the same few sequences of words."""
    now, limits = case.now, case.limits
    repeated, distinct = now.of("repeated"), now.of("distinct")
    if repeated is None or distinct is None:
        return None
    real = now.of("repeated_real") or 0.0
    found = repeated - real > limits.again or distinct < limits.variety
    return {"repeated": repeated, "repeated_real": real, "distinct": distinct} if found else None


def reward_saturated(case: Case) -> Evidence:
    """Policy gradient: D gives nearly every generated line a probability of 0, or of 1.  Then all words of all lines are worth the same,
    and the generator's gradient, which is that of differences in worth, is nearly zero."""
    reward, limits = case.now.logged("reward"), case.limits
    if reward is None or limits.least_reward <= reward <= 1 - limits.least_reward:
        return None
    real = case.now.logged("D(x)")
    return {"reward": reward} | ({} if real is None else {"D(x)": real})


def points_together(case: Case) -> Evidence:
    """The key points of a picture lie nearly in one place, or where its border is, so they say nothing of what moves."""
    apart, outside = case.now.of("points_apart"), case.now.of("points_outside")
    if apart is None or outside is None:
        return None
    found = apart < case.limits.together or outside > case.limits.outside
    return {"points_apart": apart, "points_outside": outside} if found else None


def points_still(case: Case) -> Evidence:
    """Key points stay where they are while the picture moves."""
    moved = case.now.of("points_move")
    return {"points_move": moved} if moved is not None and moved < case.limits.unmoved else None


def no_better_than_copying(case: Case) -> Evidence:
    """Frames that are rebuilt by key points are no nearer to the true ones than the frame that they were rebuilt from."""
    rebuilt = case.now.of("rebuilt")
    return {"rebuilt": rebuilt} if rebuilt is not None and rebuilt > case.limits.copying else None


def column_still(case: Case) -> Evidence:
    """Columns of a table whose generated numbers hardly differ from row to row."""
    return named(case, "still") or None


def named(case: Case, what: str) -> dict[str, float]:
    """What the check-up says of columns of a table, the worst first."""
    found = {key: value for key, value in case.now.health.items() if key.startswith(f"{what}/")}
    return dict(sorted(found.items(), key=lambda one: -one[1])[:COLUMNS])


def wandering(case: Case) -> Evidence:
    """The samples' mean circles (Mescheder et al., 2018, section 2: the gradients rotate around an equilibrium)."""
    many = 5
    recent = case.so_far[-many:]
    if len(recent) < many or any(m.of("live/place/0") is None for m in recent):
        return None
    at = [(m.health["live/place/0"], m.health["live/place/1"]) for m in recent]
    moves = [((a - c) ** 2 + (b - d) ** 2) ** 0.5 for (a, b), (c, d) in itertools.pairwise(at)]
    straight = ((at[0][0] - at[-1][0]) ** 2 + (at[0][1] - at[-1][1]) ** 2) ** 0.5
    mean = sum(moves) / len(moves)
    if mean < case.limits.wander or sum(moves) < case.limits.turns * straight or mean > case.limits.huge:
        return None
    return {"way_between_checkups": mean, "way_over_distance": sum(moves) / max(straight, 1e-3)}


def oscillation(case: Case) -> Evidence:
    return wandering(case) if case.far is not None else None


def diverging(case: Case) -> Evidence:
    """Samples are larger than anything in the data, or D's loss is far above that of a D that says the same of everything: its steps
    do harm, and the NaN is yet to come.  Where all samples are one, a loud D is what follows from that."""
    now, limits = case.now, case.limits
    spread, distance, loss = now.of("live/spread"), now.of("distance"), now.loss("discriminator")
    loud = 0.0
    if loss is not None:
        loud = loss / case.chart.blind if case.chart.blind else abs(loss) / (limits.scores * max(distance or 0.0, 1.0))
    broken = spread is None and "gradient/generator" in now.health and case.chart.kind not in ("texts", "clips")
    loud_enough = loud > (limits.loud if case.far is not None else 3 * limits.loud) and not (spread is not None and spread < limits.point)
    if broken or (spread or 0.0) > limits.huge or (distance or 0.0) > limits.huge or loud_enough:
        return {"spread": spread or 0.0, "distance": distance or 0.0, "loss_over_usual": loud}
    return None


def learning_rate_too_high(case: Case) -> Evidence:
    """Steps are large compared with the weights, long after the start."""
    paces = paces_of(case.now)
    if not paces or max(paces.values()) < case.limits.hasty or case.far is None:
        return None
    return {f"pace_{name}": pace for name, pace in paces.items()}


def learning_too_slowly(case: Case) -> Evidence:
    """Samples are far from the data and hardly anything moves, before the learning rate falls to its end."""
    return {**{f"pace_{name}": pace for name, pace in paces_of(case.now).items()}, "distance": case.far or 0.0} if slow(case) else None


def slow(case: Case) -> bool:
    """Neither player has ever taken a noticeable step, not counting the fall of the learning rate at the end."""
    paces = [max(paces_of(moment).values(), default=1.0) for moment in case.so_far]
    return case.far is not None and max(paces) < case.limits.still


def paces_of(moment: Moment) -> dict[str, float]:
    return {key.removeprefix("pace/"): value for key, value in moment.health.items() if key.startswith("pace/")}


def learning_rate_imbalance(case: Case) -> Evidence:
    """One player's steps, relative to its weights, are far larger than the other's (Heusel et al., 2017, for two time scales)."""
    paces = paces_of(case.now)
    if case.far is None or len(paces) != 2 or min(paces.values()) <= 0:
        return None
    most, least = max(paces.values()), min(paces.values())
    return {f"pace_{name}": pace for name, pace in paces.items()} if most > case.limits.uneven * least else None


def discriminator_overfitting(case: Case) -> Evidence:
    """r_v: D tells training from held-out samples as it should tell real from generated ones (Karras et al., 2020, eq. 1).  Where nothing
    is held out: r_t near 1, and D sure of nearly every sample of a set that ends."""
    now, limits = case.now, case.limits
    train, unseen, fake = (now.of(f"judge/{name}") for name in ("train", "unseen", "fake"))
    if unseen is None and now.of("copied") is not None:
        sure, accuracy, loss, blind = now.of("judge/sure"), now.logged("accuracy"), now.loss("discriminator"), case.chart.blind
        if sure is None or accuracy is None or loss is None or blind is None:
            return None
        certain = min(sure, accuracy) > limits.certain and loss < limits.share * blind
        return {"r_t": sure, "accuracy": accuracy, "loss_share": loss / blind} if certain else None
    if train is None or unseen is None or fake is None or train - fake < 1.0:
        return None
    r_v = (train - unseen) / (train - fake)
    return {"r_v": r_v, "r_t": now.of("judge/sure") or 0.0} if r_v > limits.overfit else None


def memorization(case: Case) -> Evidence:
    """Samples lie nearer to training samples than real ones do (Meehan et al., 2020).

    In few dimensions whatever lies between a few points is near to one of them, and says nothing.
    """
    copies, usual = case.now.of("copies"), case.now.of("copies_real")
    if copies is not None and usual is not None:                # lines of text
        return {"copies": copies, "copies_real": usual} if copies - usual > case.limits.lifted else None
    copied = case.now.of("copied") if case.chart.numbers > 3 else None
    return {"copied": copied} if copied is not None and copied < case.limits.copied and (case.now.of("spread") or 0.0) > 0.5 else None


def augmentation_leak(case: Case) -> Evidence:
    """Samples are nearer to augmented images than to images (Karras et al., 2020, section 2.2)."""
    leak = case.now.of("leak")
    return {"leak": leak} if leak is not None and leak < case.limits.leak else None


def batch_leak(case: Case) -> Evidence:
    """D's output for a sample depends on the rest of its batch: BatchNorm removes each batch's mean and scale, so D cannot learn them
    (Salimans et al., 2016, section 3.4, for the generator's side of it)."""
    moved = case.now.of("company")
    return {"moved_by_company": moved, "distance": case.far} if moved is not None and case.far and moved > case.limits.company else None


def dead_units(case: Case) -> Evidence:
    """ReLUs that are zero for every sample get no gradient and never recover."""
    dead = {key.replace("/", "_"): value for key, value in case.now.health.items() if key.startswith("dead/")}
    return dead if dead and max(dead.values()) >= case.limits.dead and case.far is not None else None


def critic_too_tight(case: Case) -> Evidence:
    """A critic whose scores are nearly the same everywhere: its gradient is far below one (Gulrajani et al., 2017, section 3)."""
    real, fake, distance = case.now.logged("score(x)"), case.now.logged("score(G(z))"), case.far
    if case.chart.objective != "wasserstein" or real is None or fake is None or distance is None:
        return None
    slope = abs(real - fake) / distance
    return {"slope": slope, "distance": distance} if slope < case.limits.tight else None


def critic_behind(case: Case) -> Evidence:
    """A critic at its optimum never scores generated samples above real ones: f = 0 would be better (Arjovsky et al., 2017, eq. 2)."""
    if case.chart.objective != "wasserstein" or case.far is None:
        return None
    losses = [row["discriminator/adversarial"] for row in case.now.rows if "discriminator/adversarial" in row]
    share = sum(loss > 0 for loss in losses) / len(losses) if losses else 0.0
    return {"share_of_rounds": share} if share > case.limits.behind else None


def penalty_too_weak(case: Case) -> Evidence:
    """Gradient norms far from one in spite of the gradient penalty (Gulrajani et al., 2017, eq. 3)."""
    weight = case.chart.settings.get("penalty_weight")
    term = case.now.means.get("discriminator/gradient")
    if term is None or not isinstance(weight, int | float) or weight <= 0 or case.far is None:
        return None
    return {"slopes": term / weight} if term / weight > case.limits.steep else None


def data_broken(case: Case) -> Evidence:
    """Columns that never change, or samples that are in the data several times."""
    facts, limits = case.chart.facts, case.limits
    constant = facts.get("data/constant", 0.0) if case.chart.kind == "vectors" else 0.0
    repeated = facts.get("data/repeated", 0.0) if case.chart.kind != "table" else 0.0      # rows of few columns are often the same
    return {"constant": constant, "repeated": repeated} if constant > 0 or repeated > limits.repeated else None


def data_too_small(case: Case) -> Evidence:
    """So few images that a discriminator learns them by heart, unless they are augmented (Karras et al., 2020, figure 1)."""
    samples = case.chart.facts.get("data/samples") if case.chart.settings.get("augment", "none") == "none" else None
    return {"samples": samples} if samples is not None and case.chart.kind == "images" and samples < case.limits.small else None


SIGNS: dict[str, tuple[Sign, Severity]] = {         # the worst first
    "diverging": (diverging, "failure"),
    "data_broken": (data_broken, "failure"),
    "dead_units": (dead_units, "failure"),
    "learning_too_slowly": (learning_too_slowly, "failure"),
    "critic_too_tight": (critic_too_tight, "failure"),
    "batch_leak": (batch_leak, "failure"),
    "discriminator_won": (discriminator_won, "failure"),
    "penalty_too_strong": (penalty_too_strong, "failure"),
    "mode_collapse": (mode_collapse, "failure"),
    "column_still": (column_still, "failure"),
    "points_together": (points_together, "failure"),
    "points_still": (points_still, "failure"),
    "no_better_than_copying": (no_better_than_copying, "failure"),
    "reward_saturated": (reward_saturated, "warning"),
    "oscillation": (oscillation, "failure"),
    "memorization": (memorization, "failure"),
    "generator_won": (generator_won, "failure"),
    "augmentation_leak": (augmentation_leak, "warning"),
    "discriminator_overfitting": (discriminator_overfitting, "warning"),
    "penalty_too_weak": (penalty_too_weak, "warning"),
    "critic_behind": (critic_behind, "warning"),
    "learning_rate_too_high": (learning_rate_too_high, "warning"),
    "learning_rate_imbalance": (learning_rate_imbalance, "warning"),
    "data_too_small": (data_too_small, "warning"),
}
AT_ONCE = ("data_broken", "data_too_small")         # signs that one look suffices for
ALWAYS = (*AT_ONCE, "diverging", "learning_too_slowly")     # the others mean nothing in the first fifth of a run
