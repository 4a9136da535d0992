"""Every recipe learns a toy, to a threshold that luck does not reach."""

import numpy as np
import pytest
import torch
from torch import nn

import sparring
from conftest import small_images
from made import refused
from sparring.data.builtin.synthetic import gaussian, ring
from sparring.nets.multiscale import JumpingGenerator
from sparring.recipes import RECIPES

TWO = (np.random.default_rng(0).normal(size=(40, 2)), ["a", "b"] * 20)      # classes that say nothing


def test_curves_are_learned_and_the_game_ends_in_a_draw():
    model = sparring.fit("gan", data="quadratic", steps=1000, batch=64, seed=0, threads=1)
    assert model.scores["ks"] < 0.10
    assert model.scores["residual"] < 0.03


def test_the_minimax_game_learns_too():
    model = sparring.fit("gan", data="quadratic", steps=600, batch=64, objective="minimax", seed=0, threads=1)
    assert model.scores["ks"] < 0.15
    assert model.scores["residual"] < 0.05


def test_a_density_is_learned_and_the_loss_agrees_with_the_theorem():
    model = sparring.fit("gan", data="gaussian", steps=300, batch=64, seed=0, threads=1)
    assert model.scores["jsd"] < 0.02
    assert model.scores["loss"] == pytest.approx(model.scores["loss_theory"], abs=0.1)


def test_several_discriminator_steps_a_round():
    model = sparring.fit("gan", data="gaussian", steps=120, batch=64, discriminator_steps=3, seed=0, threads=1)
    assert model.scores["jsd"] < 0.06


def test_classes_are_obeyed():
    model = sparring.fit("gan", data=small_images(200), steps=150, batch=32, width=8, latent=4, seed=0, threads=1)
    assert model.labels == ("dark", "bright")
    dark, bright = (model.sample(64, labels=name).mean().item() for name in model.labels)
    assert dark == pytest.approx(30 / 127.5 - 1, abs=0.25)
    assert bright == pytest.approx(180 / 127.5 - 1, abs=0.25)


def test_your_own_networks_learn():
    torch.manual_seed(0)
    data = torch.randn(2000, 2) * torch.tensor([0.5, 2.0]) + torch.tensor([1.0, -2.0])
    G = nn.Sequential(nn.Linear(4, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 2))
    D = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
    model = sparring.fit("gan", data=data, generator=G, discriminator=D, latent=4, steps=600, batch=64, seed=0, threads=1)
    samples = model.sample(4000)
    assert samples.mean(0).tolist() == pytest.approx([1.0, -2.0], abs=0.3)
    assert samples.std(0).tolist() == pytest.approx([0.5, 2.0], rel=0.3)


def test_own_networks_are_left_without_the_average_when_there_is_none():
    G, D = nn.Linear(4, 3), nn.Linear(3, 1)
    model = sparring.fit("gan", data=torch.randn(64, 3), generator=G, discriminator=D, latent=4, steps=3, batch=16, ema=0)
    assert model.game.model is G


def test_a_critic_with_clipped_weights_learns():
    model = sparring.fit("wgan", data="gaussian", steps=120, batch=64, lr=5e-4, first_steps=20, seed=0, threads=1)
    assert model.scores["jsd"] < 0.02


def test_a_critic_with_a_gradient_penalty_learns():
    model = sparring.fit("wgan-gp", data="gaussian", steps=200, batch=64, seed=0, threads=1)
    assert model.scores["jsd"] < 0.03


@pytest.mark.parametrize("more", [{"objective": "least_squares"}, {"objective": "hinge"},
                                  {"objective": "relativistic", "penalty": "r1+r2", "penalty_weight": 0.1},
                                  {"penalty": "r1", "penalty_weight": 0.1, "penalty_every": 4}, {"pack": 2}, {"noise": 0.5}], ids=str)
def test_other_objectives_and_rules_learn(more):
    model = sparring.fit("gan", data="gaussian", steps=300, batch=64, seed=0, threads=1, **more)
    assert model.scores["jsd"] < 0.03


def test_a_relativistic_critic_with_both_penalties_learns():
    model = sparring.fit("r3gan", data="gaussian", steps=150, batch=64, seed=0, threads=1)
    assert model.scores["jsd"] < 0.03


@pytest.mark.slow
def test_a_generator_that_may_jump_leaves_no_bridges_between_modes():
    model = sparring.fit("r3gan", data="ring", seed=1)
    assert model.settings.cells == 256 and model.scores["modes"] == 8
    assert model.scores["high_quality"] > 0.9 and model.scores["reverse_kl"] < 0.02


def test_points_that_a_generator_jumps_between_are_equally_likely():
    net = JumpingGenerator(3, 2, 8, 4, 1, 0.2)
    nn.init.zeros_(net.spread[-1].weight)
    nn.init.zeros_(net.spread[-1].bias)
    made = net(torch.randn(8000, 3, generator=torch.Generator().manual_seed(0)))
    points, count = made.unique(dim=0, return_counts=True)
    assert len(points) == 8 and count.min() > 900 and net(torch.tensor([[50.0, 0, 0], [-50.0, 0, 0]])).isfinite().all()


def test_where_a_generator_may_jump():
    for given, data, why in [({"cells": 4}, "quadratic", "not vectors"), ({"cells": 4, "conditional": True}, TWO, "told classes")]:
        refused(why, sparring.fit, "r3gan", data, steps=1, batch=8, **given)
    assert sparring.fit("r3gan", TWO, steps=1, batch=8, width=4).settings.cells == 0
    assert RECIPES["r3gan"].defaults(ring().space)["cells"] == 256 and "cells" not in RECIPES["r3gan"].defaults(gaussian().space)


def test_a_variational_autoencoder_learns():
    model = sparring.fit("vae", data="gaussian", steps=300, batch=64, seed=0, threads=1)
    assert model.scores["jsd"] < 0.01


def test_a_variational_autoencoder_learns_a_curved_line_in_fifteen_dimensions():
    model = sparring.fit("vae", data="quadratic", steps=800, seed=0, threads=1)
    assert model.scores["ks"] < 0.15
    assert model.scores["residual"] < 0.02


def test_every_recipe_is_tested_here_to_learn():
    here = {"gan", "wgan", "wgan-gp", "r3gan", "vae"}
    elsewhere = {"pix2pix", "cyclegan", "stargan", "images", "projected", "stylegan", "seqgan", "relgan", "table", "tvae", "motion"}
    assert set(RECIPES) == here | elsewhere, "a new recipe needs a test that it learns"


@pytest.mark.slow
def test_digits_can_be_read_by_a_classifier_that_saw_only_generated_ones():
    model = sparring.fit("gan", data="digits", steps=600, seed=0)
    assert model.scores["svc_accuracy"] > 0.88
    assert model.scores["smallest_class"] > 0.05
