"""Path length of whole models: against derivatives in float64, and what `sparring evaluate` says of it."""

from copy import deepcopy

import pytest
import torch

import sparring
from made import refused
from sparring.data.pretrained import installed
from sparring.evaluation import path_length
from sparring.evaluation.path_length import measured
from sparring.latent.slerp import slerp
from sparring.rng import generator
from sparring.spaces import Images
from untrained import untrained

COLOUR = Images(3, 8, 8)


def apart(a, b):
    return (a - b).square().flatten(1).sum(1)


def moved(draw, way, a, b, share):
    """The mean of |d draw(way(t)) / dt|^2 at each share, in float64."""
    step = 1e-6
    with torch.no_grad():
        return apart(draw(way(a, b, share + step)), draw(way(a, b, share - step))).mean() / (2 * step)**2


@pytest.mark.parametrize(("recipe", "space"), [("stylegan", path_length.IN_W), ("gan", path_length.IN_Z)])
def test_it_is_the_square_of_the_derivative_along_the_way(recipe, space):
    """Also where networks are in float32 and the step is 1e-4."""
    model, n = untrained(recipe, COLOUR), 24
    found = measured(model, n, 3, apart)
    net = deepcopy(model.game.generator).double().eval()
    z = model.game.prior(2 * n, generator(3, "path_length")).double()
    share = torch.rand(n, 1, generator=generator(3, "path_length", 1), dtype=torch.float64)
    if recipe == "stylegan":
        a, b = net.mapping(z).split(n)
        wanted = moved(lambda w: net.synthesis(net.everywhere(w)).clamp(-1, 1), torch.lerp, a, b, share)
    else:
        wanted = moved(lambda z: net(z).clamp(-1, 1), slerp, *z.split(n), share)
    assert found.value == pytest.approx(float(wanted), rel=0.01)
    assert found.about["space"] == space and found.about["pairs"] == n and found.about["step"] == 1e-4
    assert measured(model, n, 3, apart) == found


def test_both_ends_are_of_one_class():
    """Of a model that knows nothing but the class, no way changes anything."""
    model = untrained("stylegan", Images(1, 8, 8, ("a", "b")))
    net = model.game.generator
    net.mapping.layers[0].weight.data[:, :net.mean.shape[0]] = 0
    assert measured(model, 8, 0, apart).value == 0
    net.mapping.layers[0].weight.data.normal_()
    assert measured(model, 8, 0, apart).value > 0


@pytest.mark.skipif(not installed(), reason="needs the extra photos")
def test_it_is_measured_when_asked_for_by_name():
    model = untrained("stylegan", COLOUR)
    found = sparring.evaluate(model, metrics="path_length", n=4)        # no data is needed
    figure = found["metrics"]["path_length(lite1)"]
    assert figure["low"] < figure["value"] < figure["high"] and found["left_out"] == {}
    assert figure["protocol"]["pairs"] == 4 and figure["protocol"]["extractor"] == "lite1"
    assert found["notes"] == ["path length of 4 pairs in W, along straight lines; perceptual distance by lite1"]


def test_what_has_no_path_is_refused():
    refused("moves the latents of a model that draws images", sparring.evaluate, real="digits", generated="digits", metrics="path_length")
    refused("moves the latents of a model that draws images", sparring.evaluate, untrained("gan", sparring.data.open_source("ring").space),
            metrics="path_length", n=4)
