"""Headlines: made from the rows of a run and from nothing else, and claims that a run is too short to show.  Nothing is trained."""

import math

import pytest

from sparring.experiments import (
    EXPERIMENTS,
    dirac,
    dual_gap,
    gan_vs_vae,
    modes,
    optimal_discriminator,
    stacked_mnist,
    strong_discriminator,
    vanishing_gradient,
    wgan_curve,
)
from sparring.experiments.claims import FAILS, HOLDS, SHORT, Row, Setting, at_least, at_most, figure, on_its_way, percent, shown, times


# ------------------------------------------------------------------------------------------ rows as a run makes them
def of_dirac() -> list[Row]:
    rows = [dirac.claim(f"{name}/{update}", dirac.PUBLISHED[name][i] if name in dirac.PUBLISHED else 0.03,
                        dirac.PUBLISHED[name][i] if name in dirac.PUBLISHED else None)
            for name in dirac.VARIANTS for i, update in enumerate(dirac.UPDATES)]
    return rows + dirac.told_apart(rows)


def of_optimal(belief: float = 0.01, quick: bool = False) -> list[Row]:
    found = {"max |D - D*|": belief, "loss": 1.3861, "log 4 - 2 JSD": 1.3862}
    return [row for kind in ("equal", "shifted") for row in optimal_discriminator.claims("gaussian", kind, found, quick)] + [
        at_least(optimal_discriminator.ELSEWHERE, -1.1, -1.37, "s", "nats"), at_most(optimal_discriminator.EQUAL, -1.38625, 0, "s", "nats")]


def of_vanishing(accuracy: float = 1.0, fall: float = 5000.0, quick: bool = False) -> list[Row]:
    norms = {"saturating": [fall, 1.0], "log_d": [1.0, 5.0], "critic": [1.0, 1.5]}
    flat, steep = {"steepest": 3e-5}, {"steepest": 1.3, "least": 1.2, "towards the data": 1.0}
    return [*vanishing_gradient.on_images(norms, accuracy, quick), *vanishing_gradient.on_a_line(flat, steep, quick)]


def of_gap(good: float = 0.26, perturbed: float = 0.001, lost: float = 1.0) -> list[Row]:
    def run(gap: float, modes: float, good: float) -> dict[str, list[float]]:
        return {"plain": [0.1], "perturbed": [gap], "modes": [modes], "high_quality": [good]}

    found = {"converges": run(perturbed, 8.0, good), "collapses": run(8.9, lost, 0.73), "diverges": run(1.24, 0.0, 0.0)}
    function = [shown(f"{dual_gap.STATIONARY}: plain gap", 0.0, "u"), shown(f"{dual_gap.STATIONARY}: {dual_gap.PERTURBED}", 49.2, "u")]
    return function + dual_gap.on_the_ring(found)


def of_curve(critic: float = 0.89, gan: float = -0.71, end: float = 0.7, quick: bool = False) -> list[Row]:
    found = {name: {"minus loss": [0.0, 1.0], "distance": [3.4, end]} for name in ("wgan-gp", "gan")}
    return wgan_curve.claims(found, {"wgan-gp": critic, "gan": gan}, quick)


def of_modes(data: str, found: float = 1.0, share: float = 0.97, quick: bool = False) -> list[Row]:
    protocol = modes.PROTOCOLS[data]

    def seed(part: float, share: float, kl: float) -> dict[str, float]:
        return {"modes": part * protocol.modes, "high_quality": share, "reverse_kl": kl}

    results = {"vanilla": [seed(0.25, 0.01, 0.72)], protocol.best: [seed(found, share, 0.002)]}
    return modes.scores(results, protocol) + (modes.quick_claims if quick else modes.claims)(results, protocol)


def of_stacked(modes_found: float = 1000.0, kl: float = 0.07, quick: bool = False) -> list[Row]:
    rows = [shown(stacked_mnist.READ, 0.991, "share"),
            shown("real data: modes", 1000.0, "modes"), shown("real data: KL to uniform", 0.02, "nats")]
    for name in ("r3gan", "dcgan"):
        rows += stacked_mnist.claims(name, {"modes": modes_found, "reverse_kl": kl}, Setting(None, quick))      # type: ignore[arg-type]
    return rows


def of_strong(even: float = 0.23, ahead: float = 1.15, r1: float = 0.2) -> list[Row]:
    steps = strong_discriminator.AHEAD
    return strong_discriminator.claims({("none", 1, 1.0): even, ("none", steps, 1.0): ahead, ("r1", steps, 1.0): r1,
                                        ("log_d", steps, 1.0): ahead}, 1.0, 0.84)


def of_vae(gan: float = 1.09, vae: float = 0.82, precision: float = 0.7) -> list[Row]:
    one = {"precision": precision, "recall": 0.27, "swd": 0.03, "seconds": 39.0, "decoder": 72_225}
    return gan_vs_vae.claims({"GAN": gan, "VAE": vae, "VAE, restored": 0.9, "real": 1.0}, one, one | {"precision": 0.87, "recall": 0.58})


ROWS = {"dirac": of_dirac, "optimal-discriminator": of_optimal, "vanishing-gradient": of_vanishing, "dual-gap": of_gap,
        "wgan-curve": of_curve, "ring8": lambda **changed: of_modes("ring8", **changed),
        "grid25": lambda **changed: of_modes("grid25", **changed), "stacked-mnist": of_stacked, "strong-discriminator": of_strong,
        "gan-vs-vae": of_vae}


# ------------------------------------------------------------------------------------------------------- headlines
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_headline_is_made_from_its_rows(name):
    rows = ROWS[name]()
    headline = EXPERIMENTS[name].headline(rows)
    assert headline == EXPERIMENTS[name].headline(list(rows))
    assert headline != EXPERIMENTS[name].headline([row._replace(ours=row.ours * 1.7 + 0.01) for row in rows])
    assert all(row.unit for row in rows) and len({row.name for row in rows}) == len(rows)


@pytest.mark.parametrize(("name", "row", "ours", "before", "after"), [
    ("dirac", "gan/simultaneous", 7.5, "0.139 to 3.1 away from it undamped", "0.139 to 7.5 away from it undamped"),
    ("dirac", "gan+gp1.0/alternating-5", 0.4, "to 2.64e-06 with R1", "to 0.4 with R1"),
    ("dirac", "consensus-exact/alternating-5", 11.0, "(0.03 to 0.03 with its exact", "(0.03 to 11 with its exact"),
    ("optimal-discriminator", "gaussian, p_g = p_data: max |D - D*|", 0.3, "within 0.01 of D*", "within 0.3 of D*"),
    ("optimal-discriminator", optimal_discriminator.EQUAL, -1.2, "-1.38625 nats", "-1.20000 nats"),
    ("vanishing-gradient", vanishing_gradient.SATURATING, 0.5, "falls 5,000-fold", "under log(1 - D) grows 2-fold"),
    ("vanishing-gradient", vanishing_gradient.LOG_D, 0.1, "it grows 5-fold", "it falls 10-fold"),
    ("vanishing-gradient", vanishing_gradient.ACCURACY, 0.61, "reaches 100 %", "reaches 61 %"),
    ("dual-gap", "ring, 1:1 with R1: share of good samples", 0.006, "26 % good samples", "0.6 % good samples"),
    ("dual-gap", "ring, 15:1: perturbed gap", 0.02, "8.9 for 15:1 (1 of 8 modes", "0.02 for 15:1 (1 of 8 modes"),
    ("wgan-curve", wgan_curve.CRITIC, 0.1, "follows it (rank correlation 0.89)", "does not follow it (rank correlation 0.10)"),
    ("wgan-curve", wgan_curve.DISCRIMINATOR, 0.9, "goes the other way (rank correlation -0.71)", "follows it (rank correlation 0.90)"),
    ("ring8", "r3gan-cells: high_quality", 0.05, "r3gan-cells 8 modes, 97 % good samples", "r3gan-cells 8 modes, 5 % good samples"),
    ("ring8", "r3gan-cells: seeds with all modes", 0.0, "all modes in 1 of 1 seeds", "all modes in 0 of 1 seeds"),
    ("ring8", "published, PacGAN2: high_quality", 0.5, "PacGAN2 7.9 modes, 96 % good samples", "PacGAN2 7.9 modes, 50 % good samples"),
    ("grid25", "vanilla: modes", 25.0, "vanilla 6.25 modes", "vanilla 25 modes"),
    ("stacked-mnist", "r3gan: modes", 12.0, "r3gan 1,000 modes at a KL of 0.07", "r3gan 12 modes at a KL of 0.07"),
    ("strong-discriminator", "distance, K = 1", 1.1, "end 0.23 away with K = 1", "end 1.1 away with K = 1"),
    ("strong-discriminator", "cure: R1: distance without / with it, K = 10", 0.5, "R1 brings them 5.75 times nearer",
     "R1 takes them 2 times farther away"),
    ("strong-discriminator", "cure: -log D: distance without / with it, K = 10", 3.0, "-log D changes little (1 times)",
     "-log D brings them 3 times nearer"),
    ("gan-vs-vae", gan_vs_vae.GAN, 1.82, "1.09 times as sharp as real images", "1.82 times as sharp as real images"),
    ("gan-vs-vae", "precision, GAN", 0.17, "are 0.7 and 0.87", "are 0.17 and 0.87"),
])
def test_a_headline_changes_with_the_figure_it_quotes(name, row, ours, before, after):
    rows = ROWS[name]()
    assert sum(one.name == row for one in rows) == 1
    assert before in (headline := EXPERIMENTS[name].headline(rows)), headline
    headline = EXPERIMENTS[name].headline([one._replace(ours=ours) if one.name == row else one for one in rows])
    assert after in headline and before not in headline, headline


# ------------------------------------------------------------------------------------------- the states of a claim
@pytest.mark.parametrize(("name", "changed", "states"), [
    ("dirac", {}, {HOLDS}),
    ("optimal-discriminator", {}, {HOLDS}), ("optimal-discriminator", {"belief": 0.09}, {HOLDS, FAILS}),
    ("optimal-discriminator", {"belief": 0.09, "quick": True}, {HOLDS, SHORT}),
    ("optimal-discriminator", {"belief": 0.4, "quick": True}, {HOLDS, FAILS}),
    ("vanishing-gradient", {}, {HOLDS}), ("vanishing-gradient", {"accuracy": 0.9, "quick": True}, {HOLDS, SHORT}),
    ("vanishing-gradient", {"fall": 30.0, "quick": True}, {HOLDS, SHORT}),
    ("vanishing-gradient", {"fall": 2.0, "quick": True}, {HOLDS, FAILS}),
    ("dual-gap", {}, {HOLDS}), ("dual-gap", {"good": 0.006}, {HOLDS, SHORT}), ("dual-gap", {"perturbed": 3.0}, {HOLDS, FAILS}),
    ("dual-gap", {"lost": 7.0}, {HOLDS, SHORT}),
    ("wgan-curve", {}, {HOLDS}), ("wgan-curve", {"end": 3.0}, {SHORT}), ("wgan-curve", {"critic": 0.5, "quick": True}, {HOLDS, SHORT}),
    ("wgan-curve", {"critic": 0.1, "quick": True}, {HOLDS, FAILS}), ("wgan-curve", {"gan": 0.9}, {HOLDS, FAILS}),
    ("ring8", {}, {HOLDS}), ("ring8", {"found": 0.875}, {HOLDS, FAILS}), ("ring8", {"quick": True}, {HOLDS, SHORT}),
    ("ring8", {"found": 0.875, "quick": True}, {HOLDS, SHORT}),
    ("ring8", {"found": 0.25, "quick": True}, {HOLDS, FAILS, SHORT}),
    ("grid25", {"share": 0.97}, {HOLDS}), ("grid25", {"share": 0.5}, {HOLDS, FAILS}),
    ("grid25", {"share": 0.5, "quick": True}, {HOLDS, SHORT}),
    ("stacked-mnist", {}, {HOLDS}), ("stacked-mnist", {"kl": 0.2}, {HOLDS, FAILS}),
    ("stacked-mnist", {"modes_found": 300.0, "quick": True}, {HOLDS, SHORT}),
    ("stacked-mnist", {"modes_found": 3.0, "quick": True}, {HOLDS, FAILS}),
    ("strong-discriminator", {}, {HOLDS}), ("strong-discriminator", {"even": 1.1}, {SHORT}),
    ("strong-discriminator", {"even": 0.4, "ahead": 0.5}, {FAILS}), ("strong-discriminator", {"r1": 1.0}, {HOLDS, FAILS}),
    ("gan-vs-vae", {}, {HOLDS}), ("gan-vs-vae", {"gan": 1.82, "precision": 0.17}, {SHORT}), ("gan-vs-vae", {"gan": 1.82}, {HOLDS, FAILS}),
])
def test_a_claim_holds_fails_or_was_too_short_to_show(name, changed, states):
    rows = ROWS[name](**changed)
    assert {row.state for row in rows if row.relation} == states, [(row.name, row.ours, row.state, row.short) for row in rows]
    assert all((row.holds is None) == (row.state not in (HOLDS, FAILS)) for row in rows)


def test_a_figure_of_a_full_run_is_never_on_its_way():
    row = at_least("a", 0.5, 1.0, "s", "u")
    assert on_its_way(row, 0.4, quick=False).state == FAILS
    assert on_its_way(row, 0.4, quick=True).state == SHORT
    assert on_its_way(row, 0.6, quick=True).state == FAILS
    assert on_its_way(row._replace(ours=math.nan), 0.4, quick=True).state == FAILS


@pytest.mark.parametrize(("said", "words"), [
    (figure(70652.4), "70,700"), (figure(0.00226), "0.00226"), (figure(999.6), "1,000"), (figure(0), "0"), (figure(math.nan), "nan"),
    (percent(0.372), "37 %"), (percent(0.00625), "0.6 %"), (percent(0.0), "0 %"),
    (times(0.5), "falls 2-fold"), (times(1.01), "stays about the same (1.01 times)"), (times(18.1), "grows 18.1-fold"),
    (times(math.nan), "changes by a factor of nan"),
])
def test_figures_in_words(said, words):
    assert said == words
