"""The doctor: signs in closed form, verdicts on small runs, bad input, and that looking changes nothing."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from conftest import CELLS, small_images
from health import BAD, CONFIG, FAST, GOOD
from sparring import api
from sparring.cli.report import summary
from sparring.data.builtin.synthetic import Quadratic, gaussian, grid, ring
from sparring.data.source import Finite
from sparring.doctor import chart, diagnose, judge, timeline
from sparring.doctor.advice import EXPLANATIONS, advice
from sparring.doctor.attend import attend, due
from sparring.doctor.checkup import checkup, likeness, standard
from sparring.doctor.reading import opened
from sparring.doctor.signs import SIGNS
from sparring.recipes import RECIPES
from sparring.rng import generator
from sparring.runs.folder import read_lines
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Vectors

LOG4 = 2 * math.log(2)



def told(row, log=None, config=CONFIG, looks=10):
    """What is found when every check-up of a run says the same."""
    steps = range(10, 10 * looks + 1, 10)
    return diagnose([{"step": s, **(log or {})} for s in steps], [{"step": s, **row} for s in steps], config)


def names(found):
    return [finding.name for finding in found.findings]


def test_a_good_run_converges_and_a_young_one_is_unclear():
    assert told(GOOD).verdict == "converged"
    assert told(GOOD, looks=1).verdict == "unclear"
    assert diagnose([], [], {}).verdict == "unclear"
    falling = [{"step": s, **GOOD, "distance": 2 / s} for s in range(10, 101, 10)]
    assert diagnose([], falling[:5], CONFIG).verdict in ("healthy", "converged")


@pytest.mark.parametrize(("name", "row", "log", "more"), [
    ("discriminator_won", BAD | {"judge/train": 6.0, "judge/fake": -9.0}, {"discriminator/accuracy": 1.0}, {}),
    ("generator_won", BAD, {"discriminator/adversarial": LOG4}, {}),
    ("penalty_too_strong", BAD, {"discriminator/adversarial": LOG4}, {"penalty": "r1"}),
    ("mode_collapse", BAD | {"missing": 0.8, "support": 0.1, "spread": 0.1}, {}, {}),
    ("diverging", BAD | {"live/spread": 40.0}, {}, {}),
    ("diverging", BAD, {"discriminator/adversarial": 20.0}, {}),
    ("batch_leak", BAD | {"company": 1.5}, {}, {}),
    ("dead_units", BAD | {"dead/generator": 0.9}, {}, {}),
    ("learning_too_slowly", BAD | {"pace/generator": 1e-6, "pace/discriminator": 1e-6}, {}, {}),
    ("memorization", GOOD | {"copied": 0.2}, {}, {}),
    ("augmentation_leak", BAD | {"leak": 0.5}, {}, {}),
    ("discriminator_overfitting", GOOD | {"judge/train": 3.0, "judge/unseen": -2.0, "judge/fake": -3.0, "judge/sure": 1.0}, {}, {}),
    ("discriminator_overfitting", GOOD | {"copied": 1.0, "judge/sure": 1.0},
     {"discriminator/accuracy": 0.99, "discriminator/adversarial": 0.2}, {}),
    ("learning_rate_imbalance", BAD | {"pace/generator": 1e-5}, {}, {}),
    ("critic_too_tight", BAD, {"discriminator/score(x)": 1e-6, "discriminator/score(G(z))": 0.0}, {"objective": "wasserstein"}),
    ("critic_behind", BAD, {"discriminator/adversarial": 0.1}, {"objective": "wasserstein"}),
    ("penalty_too_weak", BAD, {"discriminator/gradient": 9.0}, {"penalty": "gradient"}),
    ("data_broken", GOOD | {"data/repeated": 0.9}, {}, {}),
])
def test_each_sign(name, row, log, more):
    """The numbers that a sign is made of raise it, its actions exist, and a good run raises none of them."""
    found = told(row, log, CONFIG | {"settings": CONFIG["settings"] | more})
    assert name in names(found)
    finding = next(f for f in found.findings if f.name == name)
    assert finding.explanation and finding.evidence and finding.steps[0] <= finding.steps[1] == 100
    assert found.verdict == ("failing" if finding.severity == "failure" else found.verdict)


def summed(rows, log=()) -> str:
    run = chart(log, rows, CONFIG)
    return summary(CONFIG, run, judge(run))


def test_a_summary_says_only_what_the_numbers_say():
    """Of the course of the distance, of a discriminator that tells, and of samples that lie thinner or thicker than the data."""
    steps = range(10, 101, 10)
    assert "come nearer to the data (2 deviations" in summed([{"step": s, **GOOD, "distance": 20 / s} for s in steps])
    told = [{"step": s, "discriminator/adversarial": 0.9} for s in steps]
    still = summed([{"step": s, **GOOD} for s in steps], told)
    assert "about as near to the data as a few hundred can show" in still and "come nearer" not in still
    assert "still tells samples from data (its loss is 0.90" in still
    assert "more spread out than the data" in summed([{"step": s, **GOOD, "support": 3.0} for s in steps])
    assert "The samples vary less than the data" in summed([{"step": s, **GOOD, "support": 0.3} for s in steps], told)
    assert "there is 1 check-up so far" in summed([{"step": 10, **GOOD}]).lower()


def test_oscillation_is_seen_in_the_way_of_the_middle():
    round_and_round = [{"step": s, **BAD, "live/place/0": math.cos(s / 6), "live/place/1": math.sin(s / 6)} for s in range(10, 101, 10)]
    assert "oscillation" in names(diagnose([], round_and_round, CONFIG))
    straight = [{"step": s, **BAD, "live/place/0": s / 40} for s in range(10, 101, 10)]
    assert "oscillation" not in names(diagnose([], straight, CONFIG))


def test_what_a_critic_says_in_further_turns_is_not_mixed_in():
    """WGAN trains its critic for longer now and then, in a turn of another name; the sign is about the usual one."""
    config = {"recipe": "wgan", "settings": {"steps": 100, "lr": 1e-4, "clip": 1e-4}, "space": {"kind": "vectors"}}
    both = {f"{turn}/{name}": value for turn in ("discriminator", "discriminator_again")
            for name, value in (("score(x)", 1e-6), ("score(G(z))", 0.0))}
    assert names(told(BAD | {"spread": 0.05, "support": 0.1}, both, config)) == ["critic_too_tight"]


def test_a_collapse_is_told_as_what_it_is():
    total, = told(GOOD | {"spread": 0.1, "support": 0.2, "missing": 0.0}).findings
    part, = told(BAD | {"missing": 0.5, "support": 0.4}).findings
    assert total.name == part.name == "mode_collapse"
    assert "All samples are nearly the same" in total.explanation and "A part of the data" in part.explanation
    thin, = told(BAD | {"missing": 0.05, "support": 0.3}).findings
    assert "A part of the data" in thin.explanation
    few = GOOD | {"floor": 0.35, "distance": 0.67, "support": 0.0095, "spread": 0.27, "missing": 0.0}       # of thirty images
    assert names(told(few)) == ["mode_collapse"]


def test_no_health_where_nothing_can_be_told():
    few = GOOD | {"floor": 0.35, "distance": 0.67}
    assert told(few).verdict == "unclear" and "too few real samples" in told(few).why
    away = [{"step": s, **BAD, "distance": d} for s, d in ((10, 0.9), (20, 0.4), (30, 0.45), (40, 0.55))]
    found = diagnose([], away, CONFIG)
    assert found.verdict == "unclear" and "move away" in found.why


def test_findings_are_about_the_settings_of_their_time():
    """After an action two check-ups have to say so anew, and the timeline judges each by what held then."""
    config = {"recipe": "gan", "settings": CONFIG["settings"] | {"penalty": "none"}, "space": {"kind": "vectors"}}
    log = [{"step": s, "discriminator/adversarial": LOG4} for s in range(10, 61, 10)]
    health = [{"step": s, **BAD} for s in range(10, 61, 10)]
    action = {"at": 40, "why": "generator_won", "settings": {"penalty": "r1", "penalty_weight": 5.0}}
    early, late = (judge(chart(log[:n], health[:n], config, [action])) for n in (5, 6))
    assert early.verdict == "unclear" and "settings were changed after round 40" in early.why
    assert names(late) == ["penalty_too_strong"] and late.findings[0].steps == (50, 60)
    assert [names(then) for _, then in timeline(chart(log, health, config, [action]))][3:] == [
        ["generator_won"], [], ["penalty_too_strong"]]


def test_what_is_gone_is_said_to_be_gone(tmp_path):
    source = gaussian()
    prepared = prepare(Request("gan", source, FAST | {"steps": 2}), tmp_path / "run")
    api.run(prepared, api.Silent())
    watch = attend(source, prepared.folder, 0)
    for verdict, said in (("collapse", 1), ("collapse", 0), ("fine", 1), ("fine", 0), ("collapse", 1)):
        watch.diagnosis = told(BAD | {"missing": 0.5, "support": 0.4} if verdict == "collapse" else GOOD)
        lines = watch.news()
        assert len(lines) == said and all(("is over" in line) == (verdict == "fine") for line in lines)


def test_nearness_in_few_dimensions_is_no_copying():
    plane = {"space": {"kind": "vectors", "shift": [0.0, 0.0]}}
    assert "memorization" not in names(told(GOOD | {"copied": 0.2}, config=CONFIG | plane))


def test_every_sign_is_explained_and_every_action_exists():
    assert set(EXPLANATIONS) == set(SIGNS)
    for recipe in (recipe for recipe, source in CELLS if source == "density"):      # translators have no check-ups
        entry = RECIPES[recipe]
        given = entry.settings(**entry.defaults(ring().space)).model_dump()
        run = chart([], [], {"recipe": recipe, "settings": given})
        for name in SIGNS:
            for action in advice(name, run):
                changes = dict(word.split("=") for word in action.split())
                entry.settings(**{**given, **changes})          # pydantic raises for what does not exist or fit


def test_samples_of_different_classes_are_not_packed():
    alike = {"recipe": "gan", "settings": {"lr": 0.1, "pack": 1, "conditional": False}}
    assert "pack=2" in advice("mode_collapse", chart([], [], alike))
    labelled = {"recipe": "gan", "settings": {"lr": 0.1, "pack": 1, "conditional": True}}
    assert all("pack" not in action for action in advice("mode_collapse", chart([], [], labelled)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from([*GOOD, "step", "judge/train", "data/repeated", "strange"]),
                                st.one_of(st.floats(), st.integers(), st.text(), st.none()))),
       st.lists(st.dictionaries(st.sampled_from(["step", "translator/cycle", "D/D(x)", "a/D(x)"]), st.floats() | st.integers())),
       st.sampled_from([{}, {"settings": 3}, {"settings": {"steps": "x", "lr": None}}, CONFIG]))
def test_strange_rows_never_raise(health, log, config):
    assert diagnose(log, health, config).verdict in ("healthy", "failing", "converged", "unclear")


# ------------------------------------------------------------------------------------------------- the check-up
@pytest.mark.parametrize("source", [ring(), grid(), gaussian(), Quadratic(), small_images(200)],
                         ids=["ring", "grid", "1d", "curves", "images"])
def test_likeness_of_the_data_and_of_one_point(source):
    data = standard(source, 0)
    if isinstance(source, Finite):
        made = source.at(torch.randint(len(source), (data.n,), generator=generator(1, "t"))).x.flatten(1)
    else:
        made = source.space.encode(source.draw(data.n, generator(1, "other")))
    same, point = likeness(made, data, 0, False), likeness(made[:1].expand(data.n, -1) + 1e-4, data, 0, False)
    assert same["distance"] < 3 * same["floor"] and same["missing"] < 0.1 and 0.6 < same["support"] < 1.6
    assert abs(same["spread"] - 1) < 0.15
    assert point["missing"] > 0.4 and point["support"] < 0.3 and point["spread"] < 0.01 and point["distance"] > 3 * point["floor"]


def test_half_of_the_ring_is_half_missing_and_half_the_support():
    data, truth = standard(ring(), 0), ring()
    x = truth.draw(2000, generator(1, "half"))
    half = truth.space.encode(x[x[:, 0] > 0.1])[:data.n]
    found = likeness(half, data, 0, False)
    assert 0.5 < found["missing"] < 0.75                        # three of eight are left
    assert found["support"] == pytest.approx(3 / 8, abs=0.08)


def test_copies_are_nearer_than_chance():
    points = torch.randn(30, 4, generator=generator(0, "p"))
    source = Finite(Vectors((0.0,) * 4, (1.0,) * 4), points)
    data = standard(source, 0)
    copies = points[torch.arange(data.n) % 30] + 0.01
    fresh = torch.randn(data.n, 4, generator=generator(1, "p"))
    assert likeness(copies, data, 0, False)["copied"] < 0.1 < 0.7 < likeness(fresh, data, 0, False)["copied"]


def test_company_moves_a_logit_only_through_batch_norm(tmp_path):
    """And what BatchNorm counts is not counted on looking."""
    found = {}
    for name, first in (("plain", nn.Identity()), ("norm", nn.BatchNorm1d(2))):
        net = nn.Sequential(first, nn.Linear(2, 8), nn.LeakyReLU(), nn.Linear(8, 1))
        prepared = prepare(Request("gan", "ring", {"steps": 3, "width": 8, "threads": 1}, own={"discriminator": net}), tmp_path / name)
        before = {key: value.clone() for key, value in net.state_dict().items()}
        found[name] = checkup(prepared.game, standard(prepared.source, 0), 0).get("company")
        assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
        prepared.folder.unlock()
    assert found["plain"] is None and found["norm"] > 0.3


def test_images_moved_around_the_edges_leak():
    values = small_images(300).values.clone()
    values[..., :values.shape[2] // 2, :values.shape[3] // 2] = 255                     # something that can be out of place
    source = Finite(small_images(300).space, values)
    data = standard(source, 0)
    made = source.at(torch.randint(len(source), (data.n,), generator=generator(1, "t"))).x
    height = made.shape[2] // 2
    plain, moved = (likeness(x.flatten(1), data, 0, True)["leak"] for x in (made, made.roll(height, 2)))
    assert moved < 0.9 < plain


def test_the_discriminator_can_have_a_rate_of_its_own(tmp_path):
    prepared = prepare(Request("gan", "ring", {"steps": 3, "width": 8, "threads": 1, "lr": 1e-3, "lr_ratio": 4}), tmp_path / "run")
    prepared.folder.unlock()
    rates = {name: player.optimizer.param_groups[0]["lr"] for name, player in prepared.game.players.items()}
    assert rates == {"generator": 1e-3, "discriminator": 4e-3}


def test_no_look_right_before_the_last():
    """Two looks in a row are what a finding takes, so they lie apart; a run of any length is looked at when it ends."""
    for steps, every, looks in ((60, 25, [25, 60]), (60, 20, [20, 40, 60]), (65, 25, [25, 50, 65]), (3, 25, [3])):
        assert [step for step in range(1, steps + 1) if due(step, steps, every)] == looks
    assert not any(due(step, 9, 0) for step in range(1, 10))


@pytest.mark.parametrize("recipe", ["gan", "r3gan", "vae"])
def test_looking_changes_nothing(recipe, tmp_path):
    """A run that is checked often ends with the same bits as one that never is, and each check-up is a function of the run."""
    few = {name: value for name, value in FAST.items() if name in ("steps", "batch", "width", "threads", "show_every", "score_every")}
    few |= {"steps": 12, "batch": 8, "width": 8}
    source, models = small_images(), {}
    for name, every in (("often", 2), ("again", 2), ("never", 0)):
        prepared = prepare(Request(recipe, source, few), tmp_path / name)
        api.run(replace(prepared, plan=replace(prepared.plan, check_every=every, show_every=0, score_every=0)), api.Silent())
        models[name] = (tmp_path / name / "model" / "model.safetensors").read_bytes()
    assert models["often"] == models["never"]
    assert (tmp_path / "often/health.jsonl").read_text() == (tmp_path / "again/health.jsonl").read_text() != ""
    assert not (tmp_path / "never/health.jsonl").exists()


def test_a_stopped_run_has_the_same_check_ups(tmp_path):
    given = FAST | {"steps": 60, "save_every": 15}
    for name, stops in (("whole", (60,)), ("pieces", (20, 45, 60))):
        for stop in stops:
            prepared = prepare(Request("gan", "gaussian", given), tmp_path / name)
            api.run(replace(prepared, plan=replace(prepared.plan, steps=stop, score_every=0)), api.Silent())
    rows = {name: {row["step"]: row for row in read_lines(tmp_path / name / "health.jsonl")} for name in ("whole", "pieces")}
    assert all(rows["pieces"][step] == row for step, row in rows["whole"].items())


def test_a_checkup_leaves_randomness_and_modes_alone(tmp_path):
    prepared = prepare(Request("gan", small_images(), {"steps": 3, "batch": 8, "width": 8, "threads": 1}), tmp_path / "run")
    try:
        data, before = standard(prepared.source, 0), torch.get_rng_state()
        row = checkup(prepared.game, data, 0, augmented=True)
        assert torch.equal(before, torch.get_rng_state())
        assert row["leak"] > 0 and all(math.isfinite(value) for value in row.values())
        assert all(player.net.training for player in prepared.game.players.values())
    finally:
        prepared.folder.unlock()


# ---------------------------------------------------------------------------------------------------- whole runs
@pytest.mark.parametrize(("data", "given", "name"), [
    ("gaussian", {"lr": 1e-6}, "learning_too_slowly"),
    ("ring", {"penalty": "r1", "penalty_weight": 3000}, "penalty_too_strong"),
    ("gaussian", {"objective": "least_squares", "lr": 0.5, "decay": 0}, "diverging"),
])
def test_runs_that_fail_are_told_before_half_of_them(data, given, name, tmp_path):
    said = []

    class Listener(api.Silent):
        def say(self, message):
            said.append(message)

    prepared = prepare(Request("gan", data, FAST | given), tmp_path / "run")
    api.run(replace(prepared, plan=replace(prepared.plan, score_every=0)), Listener())
    _, config, run = opened(tmp_path / "run")
    assert name in names(diagnose(read_lines(tmp_path / "run/log.jsonl"), read_lines(tmp_path / "run/health.jsonl"), config))
    assert next(step for step, then in timeline(run) if then.verdict == "failing") <= 50
    assert sum(name.replace("_", " ") in line for line in said) == 1, "a finding is raised once"
    watch = attend(prepared.source, prepared.folder, 0)         # whoever resumes has been told already
    assert watch.diagnosis is not None and watch.news() == []


def test_a_run_ends_early_when_asked_and_stays_ended(tmp_path):
    for _ in range(2):
        prepared = prepare(Request("gan", "gaussian", FAST | {"lr": 1e-6, "stop_when": "failed"}), tmp_path / "run")
        _, outcome = api.run(replace(prepared, plan=replace(prepared.plan, score_every=0)), api.Silent())
        assert outcome.step < 50 and "failing" in outcome.health
    assert not (tmp_path / "run/model").exists()
    assert api.load(tmp_path / "run").sample(3).shape == (3, 1)         # from its checkpoint
