"""What the systems learn that find a latent for a sample: InfoGAN, BiGAN, the adversarial autoencoder and ALICE."""

import math
import runpy

import torch
from sklearn.metrics import mutual_info_score

from benchmarks.systems.trained import EXAMPLES, Claims, at_least, at_most, real, source_of, trained


def infogan(seed: int) -> Claims:
    """Mutual information of the code and of what Q finds."""
    model = trained("infogan", 300, seed)
    z = model.latents(2000)
    found = model.game.model.Q(model.generate(z)).argmax(1)
    return at_least("mutual information of code and sample, over the code's entropy",
                    mutual_info_score(z[:, 16:].argmax(1), found) / math.log(10), 0.9),


def bigan(seed: int) -> Claims:
    """G(E(x)) is near x, though no loss compares them."""
    model = trained("bigan", 1200, seed)
    x = real("bigan", 1000).x
    with torch.no_grad():
        back = model.game.model.G(model.game.model.E(x))
    apart = (x - x.roll(1, 0)).norm(dim=1).mean()
    return at_most("distance of G(E(x)) from x, over that of two samples", (back - x).norm(dim=1).mean() / apart, 0.2),


def aae(seed: int) -> Claims:
    """Little of the variance is lost, and every number of a code has nearly the mean and the deviation of the prior, 0 and 1."""
    model = trained("aae", 700, seed)
    x = real("aae", 1000).x
    with torch.no_grad():
        z = model.game.model.encoder(x)
        lost = (model.game.model.decoder(z) - x).square().mean() / x.var(0).mean()
    return (at_most("part of the variance that is lost", lost, 1 / 3),
            at_most("largest mean of a number of the code (prior: 0)", z.mean(0).abs().max(), 0.35),
            at_least("least deviation of a number of the code (prior: 1)", z.std(0).min(), 0.5),
            at_most("largest deviation of a number of the code (prior: 1)", z.std(0).max(), 1.5))


def alice(seed: int) -> Claims:
    """With 16 pairs, E finds the fifth of the plane that the latent of a held-out sample lies in; without pairs it finds another, though
    cycles close.  What G makes of a latent is nearer to its sample than where pairs alone teach it."""
    sectors = runpy.run_path(str(EXAMPLES / "alice.py"))["sectors"]
    x, z = source_of("alice").held_out.values.chunk(2, 1)
    models = [trained("alice", 1000, seed, **given).game.model for given in ({}, {"pairs": 0.0}, {"adversarial": 0.0, "cycle": 0.0})]
    with torch.no_grad():
        right = [(sectors(model.E(x)) == sectors(z)).float().mean() for model in models]
        off = [(model.G(z) - x).norm(dim=1).mean() for model in models]
    return (at_least("fifths of the latents of held-out samples that are found", right[0], 0.9),
            at_most("the same without pairs (chance: 0.2)", right[1], 0.5),
            at_most("distance of G(z) from the sample of this z, over that learned from pairs alone", off[0] / off[2], 1))
