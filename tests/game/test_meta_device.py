"""A device nobody has: every recipe, kind of data and setting on an accelerator on paper, where only devices are checked."""

from contextlib import closing
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from conftest import CELLS, SOURCES
from paper_device import PAPER, Accelerator, autocast
from played_together import MORE
from repeated import once
from sparring.api import Model, Silent, run
from sparring.data.source import batches
from sparring.doctor.checkup import checkup, standard
from sparring.errors import InputError
from sparring.game import play, play_at_once
from sparring.game.accumulate import in_parts
from sparring.game.precision import in_bfloat16
from sparring.metrics.dual_gap import Search, best_response
from sparring.recipes import RECIPES
from sparring.rng import generator, seed_round
from sparring.runs import checkpoint
from sparring.runs.folder import RunFolder
from sparring.setup.build import build
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.training.course import on_device
from sparring.training.loop import train
from sparring.training.plan import Plan

SETTINGS = [{}, *(more for _, more in MORE), {"unroll": 2}, {"unroll": 2, "augment": "diff", "penalty": "r1"}, {"penalty": "consensus"},
            {"penalty": "consensus", "augment": "ada"}, {"penalty": "r1+r2", "augment": "diff"}, {"penalty": "dragan", "augment": "ada"},
            {"residual": True}, {"deep": True}, {"doubled": True}, {"skip": True}, {"colours": 7}, {"halvings": 1},
            {"gamma": 0.5, "pool": 3}, {"pool": 3, "batch": 2}, {"adversarial": 0.0}, {"direction": "BtoA"}, {"dropout": 0.0},
            {"identity": 0.0}, {"decay": 0.5}, {"perceptual": 1.0}, {"backbone": "r3gan"}, {"jacobian": False}, {"soft": True},
            {"anchor": 0.1}]
SMALL = {"steps": 4, "pretrain": 1, "warm": 0, "rollouts": 2, "pack": 1,
         "filters": 5, "batch": 8, "width": 8, "first_steps": 7, "blocks": 1, "seen": 32}


def suits(recipe, source, more):
    """Whether the recipe has these settings; a few that the data does not take are refused when the game is built."""
    return more.keys() <= RECIPES[recipe].settings.model_fields.keys() and \
        (source == "images" or not more.keys() & {"augment", "residual", "deep", "backbone"})


def settings_for(recipe, source, more=None):
    entry = RECIPES[recipe]
    few = {name: value for name, value in SMALL.items() if name in entry.settings.model_fields}
    return entry.settings(**{**entry.defaults(SOURCES[source].space), **few, **(more or {})})


def made(recipe, source, more=None):
    settings = settings_for(recipe, source, more)
    game = RECIPES[recipe].game(settings, SOURCES[source].space, PAPER, None)
    for part in game.memory.values():
        if hasattr(part, "p"):
            part.p = 0.5                                        # adaptive augmentation begins with none
    return settings, game


@pytest.fixture(autouse=True)
def paper(monkeypatch):
    monkeypatch.setattr(torch, "autocast", autocast)
    with Accelerator():
        yield


def rounds(game, source, batch, count=2, turn=play):
    with closing(batches(SOURCES[source], batch, 0)) as stream:
        given = on_device(stream, PAPER)
        for step in range(count):
            seed_round(0, PAPER, step)
            terms, watched = turn(game, given, step)
            assert all(term.device == PAPER for term in terms.values())
            assert [look().item() for look in watched.values()] == pytest.approx([1.0] * len(watched), abs=1)


ROWS = once([(recipe, source, more) for recipe, source in CELLS for more in SETTINGS if recipe != "images" and suits(recipe, source, more)],
            lambda recipe, source, more: recipe, lambda recipe, source, more: source, lambda recipe, source, more: str(more))


@pytest.mark.parametrize(("recipe", "source", "more"), ROWS, ids=str)
def test_every_recipe_plays_draws_and_is_looked_at(recipe, source, more):
    try:
        settings, game = made(recipe, source, more)
    except (InputError, ValidationError):                       # they do not go together
        return
    rounds(game, source, settings.batch)
    if game.translation is not None:
        for to, given in enumerate(game.translation.takes):
            for live in (False, True):
                game.translation.run(torch.zeros(2, *given.shape), to, live=live)
        return
    if game.animation is not None:
        for live in (False, True):
            x = torch.zeros(2, *game.animation.frame.shape)
            game.animation.render(x, *[game.animation.points(x, live=live)] * 2, live=live)
        return
    for live in (False, True):
        game.sample(game.prior(5, generator(0, "test")), torch.zeros(5, dtype=torch.int64), live=live)
    if game.judge is not None:
        game.judge(torch.zeros(2, *SOURCES[source].space.shape), torch.zeros(2, dtype=torch.int64))
    if not more and source != "lines":                          # which has no check-ups
        assert "gradient/generator" in checkup(game, standard(SOURCES[source], 0), 0, True) or recipe in ("vae", "tvae")


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter:UserWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(("recipe", "source"), once([cell for cell in CELLS if cell[0] not in ("images", "stargan")],
                                                    lambda recipe, source: source))
def test_a_whole_run_and_its_model(recipe, source, tmp_path):
    """Pictures, scores, check-ups, saving, resuming; and what a model can do."""
    settings, game = made(recipe, source)
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.write_config({"recipe": recipe, "settings": settings.model_dump()})
    plan = Plan(2, settings.batch, 0, PAPER, log_every=1, show_every=2, score_every=2, save_every=2, check_every=2)
    train(game, SOURCES[source], plan, folder, Silent())
    _, outcome = train(game, SOURCES[source], replace(plan, steps=3, show_every=0, score_every=0), folder, Silent())
    assert outcome.step == 3
    model = Model(recipe, settings, SOURCES[source].space, game)
    model.save(tmp_path / "model")
    if game.translation is not None:
        given = game.translation.takes[0]
        for fit in ("resize", "tile"):
            model.translate(torch.zeros(1, given.channels, 20, 20), to=game.translation.names[0], fit=fit, seed=1)
        return
    if game.animation is not None:
        model.animate(torch.zeros(3, 16, 16), torch.zeros(2, 3, 16, 16), relative=True, find_best_frame=True)
        return
    if recipe in ("table", "tvae"):                            # whose latents hold draws, with no way through them
        assert model.sample(2) is not None
        return
    z = model.latents(2)
    model.interpolate(z, steps=3)
    model.traverse(z, torch.ones(z.shape[1]), steps=2)
    if source == "lines":                                       # words have no slopes
        return
    model.invert(model.sample(2), steps=2, starts=2, perceptual=0.1 if source == "images" else 0.0)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter:UserWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(("recipe", "source", "own"), [("images", "images", False), ("gan", "curves", True), ("pix2pix", "pairs", False)])
def test_a_run_is_prepared_there(recipe, source, own, tmp_path, monkeypatch):
    """Precision, time and memory are tried there too, and the networks of users."""
    for room in ("prepare", "request"):
        monkeypatch.setattr(f"sparring.setup.{room}.choose_device", lambda asked: "meta")
    monkeypatch.setattr("sparring.setup.autotune.SMALL", 0)
    nets = {"generator": nn.Linear(4, 15), "discriminator": nn.Linear(15, 1)} if own else {}
    given = {"steps": 300, "batch": 8, "compile": "off", "width": 4, "show_every": 1000, "score_every": 1000}
    prepared = prepare(Request(recipe, SOURCES[source], given | ({"latent": 4} if own else {}), own=nets), tmp_path / "run")
    assert prepared.config["device"] == "meta" and "a round" in prepared.config["reasons"]["forecast"]
    assert not any("fail" in why for why in prepared.config["reasons"].values()), prepared.config["reasons"]
    _, outcome = run(replace(prepared, plan=replace(prepared.plan, steps=2, show_every=0, score_every=0)), Silent())
    assert outcome.step == 2


@pytest.mark.parametrize("change", ["parts", "bf16", "at once", "restored", "response"])
def test_other_ways_to_play(change):
    settings, game = made("gan", "images", {"augment": "diff", "penalty": "r1"})
    match change:
        case "parts":
            game = in_parts(game, 2)
        case "bf16":
            game = replace(game, turns={name: replace(turn, loss=in_bfloat16(turn.loss, PAPER)) for name, turn in game.turns.items()})
        case "restored":
            rounds(game, "images", settings.batch)
            with pytest.warns(UserWarning, match="copying from a non-meta"):
                checkpoint.restore(checkpoint.contents(game, 2, {}), made("gan", "images", {"augment": "diff", "penalty": "r1"})[1])
        case "response":
            latents = torch.randn(4, settings.latent, device=PAPER), torch.zeros(4, len(SOURCES["images"].space.labels), device=PAPER)
            search = Search(steps=2)
            best_response(game.players["generator"].net, lambda net, step: net(latents[0], latents[1][:, 0].long()).mean(), search,
                          lambda net, search, role: None, "minimizer")
    rounds(game, "images", settings.batch, turn=play_at_once if change == "at once" else play)


def test_networks_of_ones_own_are_tried_where_they_will_play():
    G, D = (nn.Sequential(nn.Linear(a, 8), nn.ReLU(), nn.Linear(8, b)) for a, b in ((4, 15), (15, 1)))
    settings = RECIPES["gan"].settings(batch=8, latent=4, spectral=True)
    game = build(RECIPES["gan"], settings, SOURCES["curves"].space, PAPER, 0, {"generator": G, "discriminator": D})
    rounds(game, "curves", 8)


HERE, THERE = torch.ones(3, 3), torch.ones(3, 3, device="meta")
MIXED = {"a sum": lambda: HERE + THERE, "torch.cat": lambda: torch.cat([HERE, THERE]), "a product": lambda: HERE @ THERE,
         "torch.where": lambda: torch.where(THERE > 0, THERE, torch.arange(3)), "a mask": lambda: THERE.masked_fill(HERE > 0, 0.0),
         "gather": lambda: THERE.gather(1, torch.zeros(3, 1, dtype=torch.int64)), "a layer": lambda: nn.Linear(3, 3)(THERE),
         "an index that is added at": lambda: THERE.index_add(0, torch.arange(3), THERE),
         "a generator": lambda: torch.randn(3, device=PAPER, generator=torch.Generator()), "numpy": THERE.numpy}
APART = {"a number": lambda: THERE * torch.tensor(2.0), "an index": lambda: THERE[torch.arange(2)],
         "a number read": lambda: float(THERE.sum()),
         "a comparison read": lambda: bool((THERE > 0).all()), "a list": THERE.tolist, "a move": lambda: THERE.cpu() + HERE,
         "a move there": lambda: HERE.to(PAPER) + THERE, "a copy": lambda: torch.zeros(3, 3).copy_(THERE)}


@pytest.mark.parametrize(("does", "mixes"), [*((does, True) for does in MIXED.values()), *((does, False) for does in APART.values())],
                         ids=[*MIXED, *APART])
def test_the_device_on_paper_refuses_what_an_accelerator_does(does, mixes):
    if not mixes:
        does()
        return
    with pytest.raises((AssertionError, RuntimeError, TypeError, NotImplementedError)):
        does()
