"""What the systems with two domains learn: coupled GANs, DiscoGAN, and domain-adversarial training."""

import torch
from torch import Tensor, nn

from benchmarks.systems.trained import Claims, at_least, at_most, source_of, trained
from sparring.data.builtin.scenes import read_flat, read_rendered
from sparring.data.source import Source


def accuracy(net: nn.Module, held_out: Source) -> float:
    """The share of held-out samples whose class the network tells; class 0 of the data is "without a label"."""
    with torch.no_grad():
        told = net["classes"](net["features"](held_out.space.encode(held_out.values))).argmax(1)
    return float((told + 1 == held_out.labels).float().mean())


def share(same: Tensor) -> float:
    return float(same.float().mean())


def cogan(seed: int) -> Claims:
    """What is drawn as the negative of a digit is its negative, and not another's; the paper has 0.967 for MNIST (section 4)."""
    model = trained("cogan", 500, seed)
    z = model.latents(500)
    digit, negative = (model.generate(z, labels=domain) > 0 for domain in ("digits", "negatives"))
    return (at_least("pixels of a negative that are the negative of its digit", share(digit != negative), 0.85),
            at_most("the same of another digit", share(digit != negative.roll(1, 0)), 0.8))


def discogan(seed: int) -> Claims:
    """Of held-out scenes, translated in both directions, most pixels keep their label; those of another scene do not."""
    model = trained("discogan", 300, seed, size="16x16")
    a, b = (half.space.encode(half.values) for half in source_of("discogan", size="16x16").held_out)
    rendered, labels = model.translate(a, to="rendered"), model.translate(b, to="labels")
    return (at_least("pixels that keep their label, translated to rendered scenes", share(read_rendered(rendered) == read_flat(a)), 0.85),
            at_least("the same, translated to labels", share(read_flat(labels) == read_rendered(b)), 0.85),
            at_most("pixels that two scenes have in common", share(read_flat(a.roll(1, 0)) == read_flat(a)), 0.8))


def dann(seed: int) -> Claims:
    """It closes a part of the gap between a classifier of the source alone and how well that does in its own domain, 0.97."""
    held_out = source_of("dann").held_out
    alone, adapted = (accuracy(trained("dann", 800, seed, weight=weight).game.model, held_out) for weight in (0, 1))
    return at_least("part of the gap between the domains that is closed", (adapted - alone) / (0.97 - alone), 0.25),
