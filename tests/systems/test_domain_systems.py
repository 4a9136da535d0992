"""The systems in examples/ with two domains: each learns what its paper claims, to a number (`make examples`)."""

import pytest
import torch

from example_systems import reader, trained
from sparring.data.builtin.scenes import read_flat, read_rendered


def source_of(name, **settings):
    """The data that the system learns from, as a source."""
    reads = reader(name)
    return reads.open(reads.example, reads.settings(**settings))


def accuracy(net, held_out):
    """The share of held-out samples whose class the network tells; class 0 of the data is "without a label"."""
    with torch.no_grad():
        told = net["classes"](net["features"](held_out.space.encode(held_out.values))).argmax(1)
    return float((told + 1 == held_out.labels).float().mean())


@pytest.mark.examples
def test_cogan_draws_pairs_though_it_never_saw_one():
    """Of what is drawn as the negative of a digit, more than 0.85 of the pixels are its negative; of another digit's, fewer than 0.8 (the
    paper has 0.967 for MNIST, section 4)."""
    model = trained("cogan", 500)
    z = model.latents(500)
    digit, negative = (model.generate(z, labels=domain) > 0 for domain in ("digits", "negatives"))
    assert (digit != negative).float().mean() > 0.85
    assert (digit != negative.roll(1, 0)).float().mean() < 0.8


@pytest.mark.examples
def test_discogan_finds_what_belongs_together_without_pairs():
    """Of held-out scenes, translated in both directions, most pixels keep their label; those of another scene do not."""
    model = trained("discogan", 300, size="16x16")
    a, b = (half.space.encode(half.values) for half in source_of("discogan", size="16x16").held_out)
    rendered, labels = model.translate(a, to="rendered"), model.translate(b, to="labels")
    assert (read_rendered(rendered) == read_flat(a)).float().mean() > 0.85
    assert (read_flat(labels) == read_rendered(b)).float().mean() > 0.85
    assert (read_flat(a.roll(1, 0)) == read_flat(a)).float().mean() < 0.8


@pytest.mark.examples
def test_dann_learns_a_domain_without_labels():
    """It closes a quarter of the gap between a classifier of the source alone and how well that does in its own domain."""
    held_out = source_of("dann").held_out
    alone, adapted = (accuracy(trained("dann", 800, weight=weight).game.model, held_out) for weight in (0, 1))
    assert adapted - alone > 0.25 * (0.97 - alone)
