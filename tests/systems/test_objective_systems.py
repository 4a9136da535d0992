"""What the systems in examples/ learn whose objective is another: f-GAN, the energy-based GAN and VAE-GAN (`make examples`)."""

import json
import runpy

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from example_systems import EXAMPLES, real, trained
from sparring.data import open_source
from sparring.data.builtin.synthetic import mixture
from sparring.metrics.sharpness import sharpness

DIVERGENCES = {                                                 # f of Nowozin et al. (2016), table 1
    "kl": lambda u: u * np.log(u),
    "reverse_kl": lambda u: -np.log(u),
    "pearson": lambda u: (u - 1)**2,
    "hellinger": lambda u: (np.sqrt(u) - 1)**2,
    "js": lambda u: u * np.log(u) - (u + 1) * np.log((u + 1) / 2),
    "gan": lambda u: u * np.log(u) - (u + 1) * np.log(u + 1),
}
# Reverse KL is left out: from the wide start that KL needs, its Gaussian stays wide, and ends at 1.3 to 1.5 times the least divergence.
LEARNED = [name for name in DIVERGENCES if name != "reverse_kl"]


@pytest.mark.parametrize("name", DIVERGENCES)
def test_each_divergence_is_the_best_that_its_bound_can_be(name):
    """max over v of u g_f(v) - f*(g_f(v)) is f(u), to a millionth, for u from 0.05 to 10: the bound at its optimum is the divergence."""
    activation, conjugate = runpy.run_path(str(EXAMPLES / "fgan.py"))["TABLE"][name]
    u = torch.linspace(0.05, 10, 50, dtype=torch.float64)
    v = torch.linspace(-20, 20, 100_001, dtype=torch.float64)
    best = (u[:, None] * activation(v) - conjugate(v)).amax(1)
    assert (best - torch.from_numpy(DIVERGENCES[name](u.numpy()))).abs().max() < 1e-6


def divergence(name, mean, deviation):
    """D_f(P||Q) of the mixture P and N(mean, deviation^2) in network units, by quadrature, less its value f(1) for equal distributions."""
    x, space = np.linspace(-12, 12, 24_001), mixture().space
    p = mixture().pdf(torch.from_numpy(x * space.scale[0] + space.shift[0])[:, None]).numpy() * space.scale[0]
    q = np.exp(-((x - mean) / deviation)**2 / 2) / deviation / np.sqrt(2 * np.pi)
    p, q = np.maximum(p, 1e-300), np.maximum(q, 1e-300)
    f = DIVERGENCES[name]
    return float((q * f(p / q)).sum() * (x[1] - x[0])) - f(1.0)


def nearest(name):
    """The least divergence that a Gaussian can have from the mixture, from a wide start and from each of its two halves."""
    starts = ((0.0, 0.0), (1.0, -1.0), (-1.0, -1.0))            # mean, log deviation
    return min(minimize(lambda a: divergence(name, a[0], np.exp(a[1])), start, method="Nelder-Mead").fun for start in starts)


@pytest.mark.examples
@pytest.mark.parametrize("name", LEARNED)
def test_fgan_finds_the_gaussian_that_is_nearest_by_each_divergence(name, tmp_path):
    """As in the paper's table 3: the bound is within 8 % of the divergence in closed form, and that within 3 % of the least there is."""
    model = trained("fgan", 1000, divergence=name, out=tmp_path, log_every=1)
    mean, deviation = model.game.model[0].bias.item(), abs(model.game.model[0].weight.item())
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()][-300:]
    bound = sum(row["discriminator/bound"] for row in rows) / len(rows) - DIVERGENCES[name](1.0)
    found = divergence(name, mean, deviation)
    print(f"fgan {name}: bound {bound:.4f}, divergence {found:.4f}, least {nearest(name):.4f}, N({mean:.3f}, {deviation:.3f}^2)")
    assert abs(bound - found) < 0.08 * found
    assert found < 1.03 * nearest(name)


def held_out():
    """The 360 digits that training does not see, and their classes."""
    return open_source("digits").held_out.at(torch.arange(360))


@pytest.mark.examples
def test_ebgan_has_low_energy_at_data_alone_and_nears_its_balance(tmp_path):
    """Held-out digits have less than the margin of energy, and their pixels in another order more than twice that; L_D, which is the
    margin in balance (theorem 1), is within 30 % of it; and samples are of every class, none less than a third of its share."""
    model = trained("ebgan", 1000, out=tmp_path, log_every=1)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()][-300:]
    loss = sum(row["discriminator/real"] + row["discriminator/fake"] for row in rows) / len(rows)
    D, margin = model.game.players["discriminator"].net, model.settings.margin
    x = held_out().x
    mixed = x.flatten(1)[:, torch.randperm(256, generator=torch.Generator().manual_seed(0))].view_as(x)
    with torch.no_grad():
        at_data, elsewhere = ((D(one) - one).square().mean() for one in (x, mixed))
    print(f"ebgan: L_D {loss:.4f}, margin {margin}, energy of held-out {at_data:.4f}, of mixed {elsewhere:.4f}, {model.scores}")
    assert at_data < margin < elsewhere / 2
    assert abs(loss - margin) < 0.3 * margin
    assert model.scores["smallest_class"] > 0.033


@pytest.mark.examples
def test_vaegan_rebuilds_held_out_digits_by_what_d_sees():
    """A classifier that learned from real digits gives three of four rebuilt ones the class of the original (chance: one of ten).  In what
    D sees, a digit is nearer to its own than to another of its class: at most half as far, in squares."""
    model = trained("vaegan", 800)
    encoder, D = (model.game.players[name].net for name in ("encoder", "discriminator"))
    (x, labels), (known, classes) = held_out(), real("vaegan", 1400)
    judge = LogisticRegression(max_iter=300).fit(known.flatten(1), classes)
    with torch.no_grad():
        again = model.game.model(encoder(x).chunk(2, 1)[0])
        order = labels.argsort(stable=True)                     # neighbours in this order are of one class, but for nine pairs
        seen, rebuilt = D[0](x[order]), D[0](again[order])
        ratio = (seen - rebuilt).square().sum() / (seen - seen.roll(1, 0)).square().sum()
    kept = judge.score(again.flatten(1), labels)
    print(f"vaegan: {kept:.4f}, {ratio:.4f}, {float(sharpness(again).mean() / sharpness(x).mean())}, {model.scores}")
    assert kept > 0.75
    assert ratio < 0.5
