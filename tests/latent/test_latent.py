"""Latent control on generators whose answer is known: arcs, truncated normals, directions of known matrices, the way back."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

import sparring
from conftest import CELLS, SOURCES
from shell import TINY
from sparring.data.pretrained import JUDGING, TRAINING, pretrained
from sparring.errors import InputError
from sparring.latent.directions import along, closed_form, components, principal
from sparring.latent.inversion import invert, radius
from sparring.latent.layers import activations, first, trace
from sparring.latent.parts import path
from sparring.latent.slerp import slerp
from sparring.latent.truncation import bounded, checked
from sparring.objectives.perceptual import distance
from sparring.spaces import Images, Traits
from untrained import untrained


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------------------------------------------------ slerp
def test_the_arc_turns_at_a_constant_rate_and_keeps_its_length() -> None:
    a, b = (torch.nn.functional.normalize(normal(5, 7, seed=k), dim=1) for k in (0, 1))
    steps = torch.stack([slerp(a, b, k / 8) for k in range(9)]).double()
    assert torch.allclose(steps.norm(dim=2), torch.ones(9, 5, dtype=torch.float64), atol=1e-6)
    turns = (steps[1:] * steps[:-1]).sum(2).clamp(-1, 1).acos()
    whole = (a * b).sum(1).double().acos()
    assert torch.allclose(turns, (whole / 8).expand(8, 5), atol=1e-4)
    assert torch.equal(slerp(a, b, 0.0), a) and torch.equal(slerp(a, b, 1.0), b)


def test_lengths_change_on_a_straight_line() -> None:
    a, b = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 5.0]])
    assert torch.allclose(slerp(a, b, 0.5), torch.full((1, 2), 4 / math.sqrt(2)))
    assert torch.allclose(slerp(torch.tensor([[1.0, 1.0]]), torch.tensor([[2.0, 2.0]]), 0.5), torch.tensor([[1.5, 1.5]]))


def test_equal_opposite_and_zero_vectors() -> None:
    a = normal(4, 6)
    assert torch.allclose(slerp(a, a, 0.3), a)
    halves = slerp(a, -a, 0.5)
    assert torch.allclose(halves.norm(dim=1), a.norm(dim=1))                    # around, not through zero
    assert torch.allclose((halves * a).sum(1), torch.zeros(4), atol=1e-5)
    assert torch.allclose(slerp(a, -a, 1.0), -a, atol=1e-6)
    assert torch.allclose(slerp(a, 0 * a, 0.25), 0.75 * a) and torch.allclose(slerp(0 * a, a, 0.25), 0.25 * a)
    assert torch.equal(slerp(0 * a, 0 * a, 0.5), 0 * a)
    assert abs(float(slerp(torch.ones(1, 1), -torch.ones(1, 1), 0.5))) < 1e-12  # a line has no way around
    near = slerp(a, -a + 1e-6 * normal(4, 6, seed=1), 0.5)
    assert torch.isfinite(near).all() and torch.allclose(near.norm(dim=1), a.norm(dim=1), rtol=1e-4)


def test_a_path_goes_through_its_points() -> None:
    points = normal(3, 5)
    found = path(points, 4)
    assert found.shape == (7, 5)
    assert torch.equal(found[[0, 3, 6]], points)
    with pytest.raises(InputError, match="steps=1: interpolation needs at least the two ends"):
        path(points, 1)
    with pytest.raises(InputError, match="at least two latents"):
        path(points[:1], 4)


# ------------------------------------------------------------------------------------------------------- truncation
def test_truncation_is_a_truncated_normal_and_keeps_the_order() -> None:
    z = normal(20_000)
    for bound in (0.1, 0.7, 2.0):
        cut = bounded(z, bound)
        assert float(cut.abs().max()) <= bound and torch.equal(cut.sign(), z.sign())
        assert stats.kstest(cut.double().numpy(), stats.truncnorm(-bound, bound).cdf).pvalue > 0.01
        order = z.argsort()
        assert (cut[order].diff() >= 0).all()                   # the same z stays the same sample, nearer to the middle
    assert torch.equal(bounded(z, math.inf), z)
    assert torch.allclose(bounded(z, 20.0), z, atol=1e-6)
    assert not bounded(z, 0.0).any()


@pytest.mark.parametrize("bound", [0, -1, math.nan, "a lot", [0.7]])
def test_a_truncation_is_above_zero(bound) -> None:
    with pytest.raises(InputError, match="give a number above 0"):
        checked(bound)


# ------------------------------------------------------------------------------------------------------- directions
def known(latent: int = 6, outputs: int = 20) -> tuple[nn.Linear, Tensor, Tensor]:
    """A layer A z + b, the right singular vectors of A in columns, and the squares of its singular values, which are of few digits."""
    left = torch.linalg.qr(normal(outputs, latent))[0]
    right = torch.linalg.qr(normal(latent, latent, seed=1))[0]
    values = torch.arange(latent, 0, -1.0)
    layer = nn.Linear(latent, outputs)
    with torch.no_grad():
        layer.weight.copy_(left * values @ right.T)
    return layer, right, values.square()


def agree(found: Tensor, columns: Tensor) -> Tensor:
    """|cosines| of directions, one a row, with the columns of a matrix in their order."""
    return (found @ columns[:, :len(found)]).diagonal().abs()


def test_directions_of_a_known_matrix_are_recovered() -> None:
    layer, right, squares = known()
    found = closed_form(nn.Sequential(layer, nn.ReLU(), nn.Linear(20, 3)), 6, 6)
    assert torch.allclose(agree(found.vectors, right), torch.ones(6), atol=1e-5)
    assert torch.allclose(found.shares, squares / squares.sum(), atol=1e-5)
    assert found.layer == "0" and torch.equal(found.linear, torch.ones(6))
    again = torch.linalg.eigh(layer.weight.T @ layer.weight)[1].flip(1)         # the definition
    assert torch.allclose(agree(found.vectors, again), torch.ones(6), atol=1e-5)


class Odd(nn.Module):
    """A first layer after others that z does not reach, which takes the latent as an image, with classes that scale and shift."""

    def __init__(self, bend: bool = False) -> None:
        super().__init__()
        self.style, self.first, self.last = nn.Linear(2, 6), nn.ConvTranspose2d(6, 5, 4), nn.Conv2d(5, 1, 3)
        self.bend = bend

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        style = self.style(torch.nn.functional.one_hot(labels, 2).float())
        z = torch.nn.functional.normalize(z) if self.bend else z
        return self.last(self.first((z * style + style)[:, :, None, None]).relu())


def test_whatever_joins_or_scales_the_latent_is_part_of_the_matrix() -> None:
    torch.manual_seed(0)
    net = Odd()
    weight = net.first.weight.flatten(1).T                      # [outputs, latent]
    for label in (0, 1):
        style = net.style(torch.nn.functional.one_hot(torch.tensor([label]), 2).float())
        values, vectors = torch.linalg.eigh((weight * style).T @ (weight * style))
        found = closed_form(net, 6, 6, torch.tensor([label]))
        assert found.layer == "first"
        assert torch.allclose(agree(found.vectors, vectors.flip(1)), torch.ones(6), atol=1e-4)
        assert torch.allclose(found.shares, values.flip(0) / values.sum(), atol=1e-4)
    with pytest.raises(InputError, match="not affine in z"):
        closed_form(Odd(bend=True), 6, 2, torch.tensor([0]))
    assert principal(Odd(bend=True), normal(600, 6), 2, torch.arange(600) % 2).vectors.shape == (2, 6)


def test_components_are_those_of_the_singular_values() -> None:
    for n, d in ((40, 20), (400, 300)):                         # all of them, and the few that are asked for
        values = (normal(n, 5) * torch.tensor([5.0, 4, 3, 2, 1])) @ torch.linalg.qr(normal(d, 5, seed=1))[0].T
        values -= values.mean(0)
        x, variances = components(values, 4)
        assert torch.allclose(variances, torch.linalg.svdvals(values.double())[:4].square() / n, rtol=1e-4)
        scatter = x.T @ x / n
        assert torch.allclose(scatter, torch.diag(variances), atol=1e-4)


def test_before_the_nonlinearity_pca_finds_what_the_closed_form_finds() -> None:
    layer, right, squares = known()
    found = principal(layer, normal(20_000, 6, seed=3), 6)
    assert torch.allclose(agree(found.vectors, right), torch.ones(6), atol=5e-3)
    assert torch.allclose(found.shares, squares / squares.sum(), atol=1e-2)
    assert torch.allclose(found.linear, torch.ones(6), atol=1e-5)


class Bent(nn.Module):
    """Activations |z_0| (large) and z_1 (small): the main component is no linear function of z, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 2, bias=False), nn.Linear(2, 2)
        with torch.no_grad():
            self.first.weight.copy_(torch.eye(2))

    def forward(self, z: Tensor) -> Tensor:
        made = self.first(z)
        return self.last(torch.stack([5 * made[:, 0].abs(), made[:, 1]], 1))


def test_pca_says_when_a_component_is_not_linear_in_the_latent() -> None:
    found = principal(Bent(), normal(5000, 2, seed=2), 2)
    assert float(found.linear[0]) < 0.01 < 0.99 < float(found.linear[1])
    assert torch.allclose(found.vectors[1].abs(), torch.tensor([0.0, 1.0]), atol=0.05)


def test_where_the_latent_goes() -> None:
    net = nn.Sequential(spectral_norm(nn.Linear(4, 8)), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    layers = trace(net, 4)
    assert first(layers).name == "0" and first(layers).affine_out and activations(layers) == ("3", True)
    assert activations(trace(nn.Linear(4, 2), 4)) == ("", False)
    assert net.training and int(net[1].num_batches_tracked) == 0
    with pytest.raises(InputError, match="no linear or convolutional layer"):
        closed_form(nn.BatchNorm1d(4), 4, 2)
    with pytest.raises(InputError, match="from 1 to 4 directions"):
        closed_form(net, 4, 5)
    assert torch.equal(along(torch.zeros(2, 3), torch.ones(3), torch.tensor([-1.0, 2.0])),
                       torch.tensor([[[-1.0] * 3, [2.0] * 3]] * 2))


# -------------------------------------------------------------------------------------------------------- inversion
def test_what_a_generator_made_is_given_back() -> None:
    layer, _, _ = known()
    z = normal(5, 6, seed=4)
    found = invert(layer, layer(z).detach(), normal(512, 6, seed=5), None, None, starts=3, steps=150)
    assert float(found.error.max()) < 1e-2 and float((found.z - z).abs().max()) < 2e-2
    assert found.errors.shape == (5, 3) and (found.errors.diff(dim=1) >= 0).all()
    assert torch.allclose((layer(found.z) - layer(z)).square().mean(1).sqrt(), found.error, atol=1e-5)


def test_whoever_waits_is_told_every_step_of_all_starts() -> None:
    layer, _, _ = known()
    told = list[tuple[int, int]]()
    invert(layer, normal(50, 20), normal(512, 6), None, None, 3, 4, lambda done, total: told.append((done, total)))
    done = [at for at, _ in told]
    assert {total for _, total in told} == {50 * 3 * 4} and done[0] == 0 and done[-1] == 50 * 3 * 4
    assert done == sorted(done) and len(done) == 1 + 3 * 4      # three parts of 64 rows at most


def test_inversion_stays_where_latents_are() -> None:
    layer, _, _ = known()
    far = layer(10 * torch.nn.functional.normalize(normal(3, 6, seed=4), dim=1)).detach()
    found = invert(layer, far, normal(512, 6), None, None, 2, 50)
    assert float(found.z.norm(dim=1).max()) <= radius(6) * (1 + 1e-6) and float(found.error.min()) > 0.5
    lengths = normal(100_000, 6).norm(dim=1)
    assert float((lengths > radius(6)).double().mean()) == pytest.approx(0.001, abs=4e-4)


def test_a_class_that_is_not_given_is_found() -> None:
    torch.manual_seed(1)
    net, labels = Odd(), torch.tensor([0, 1, 1])
    x = net(normal(3, 6, seed=6), labels).detach()
    classes = torch.arange(512) % 2
    free = invert(net, x, normal(512, 6), classes, None, 6, 150)
    told = invert(net, x, normal(512, 6), classes, labels, 6, 150)
    assert torch.equal(told.labels, labels) and float(told.error.max()) < 0.05
    assert float(free.error.max()) < 0.05


# -------------------------------------------------------------------------------------------------- a model's methods
@pytest.fixture(scope="module")
def model() -> sparring.Model:
    return sparring.fit("gan", "quadratic", steps=2, precision="fp32", **TINY)


@pytest.mark.parametrize("recipe,source", [cell for cell in CELLS if cell[1] not in ("table", "density", "lines", "rows")])
def test_every_recipe_with_a_latent_can_be_steered(recipe, source) -> None:
    made = untrained(recipe, SOURCES[source].space)
    if not made.game.draws:
        for steer in (made.directions, lambda: made.latents(2), lambda: made.generate(torch.zeros(2, 8)), lambda: made.invert([])):
            with pytest.raises(InputError, match=r"(translates|animates) images"):
                steer()
        return
    z = made.latents(3, seed=5)
    assert torch.equal(made.generate(z), made.sample(3, seed=5))
    for method in ("closed_form", "pca")[recipe == "stylegan":]:        # which normalizes latents first
        found = made.directions(method, n=2)
        assert torch.allclose(found.vectors.norm(dim=1), torch.ones(2), atol=1e-5) and (found.shares.diff() <= 0).all()
    moved = made.traverse(z, found.vectors[0], steps=3)
    assert moved.shape == (3, 3, *made.space.shape)
    last_bits = 1e-6 if recipe == "projected" else 0.0          # its layers differ with the place in a batch
    assert torch.allclose(moved[:, 1], made.sample(3, seed=5), rtol=0, atol=last_bits)
    back = made.invert(made.sample(2), starts=2, steps=3)
    assert back.samples.shape == (2, *made.space.shape) and (back.labels is None) == (not made.labels)


def test_samples_and_ways_are_those_of_their_latents(model) -> None:
    assert torch.equal(model.latents(70)[:5], model.latents(5))
    assert torch.equal(model.generate(model.latents(70)), model.sample(70))
    cut = model.latents(5, truncation=0.5)
    assert float(cut.abs().max()) <= 0.5
    assert torch.equal(model.generate(cut), model.sample(5, truncation=0.5))
    assert torch.equal(model.interpolate(model.latents(3), steps=4)[[0, 3, 6]], model.sample(3))
    assert torch.equal(model.generate(np.zeros((1, 5), np.float32)), model.generate(torch.zeros(1, 5)))


def test_the_same_seed_gives_the_same_directions_and_inversions(model) -> None:
    for method in ("closed_form", "pca"):
        once, again = model.directions(method, n=3), model.directions(method, n=3)
        assert all(torch.equal(a, b) for a, b in zip(once[:3], again[:3], strict=True))
    state = torch.get_rng_state()
    once, again = (model.invert(model.sample(2), steps=5, seed=3) for _ in range(2))
    assert torch.equal(once.z, again.z) and torch.equal(torch.get_rng_state(), state)


def test_several_labels_and_modulated_networks() -> None:
    """Labels that are rows of numbers, and a generator into every block of which the latent enters."""
    traits = Traits(("age", "smiling"), (20.0, 0.0), (10.0, 1.0), ((10.0, 0.0), (30.0, 1.0), (20.0, 1.0)))
    space = Images(1, 16, 16, traits.in_words(), traits)
    made = untrained("gan", space, residual=True, conditional=True)
    z = made.latents(4)
    assert torch.equal(made.generate(z), made.sample(4))
    assert torch.equal(made.generate(z, labels={"age": 25}), made.sample(4, labels={"age": 25}))
    for method in ("closed_form", "pca"):
        for label in (None, {"age": 25, "smiling": 1}):
            found = made.directions(method, n=2, label=label)
            assert found.layer == "first" and found.vectors.shape == (2, 32)
    weight = made.game.generator.first.weight.data[:, :32].mul_(torch.arange(32, 0, -1))     # at first all directions are alike
    closed = made.directions(n=3)
    assert torch.allclose(agree(closed.vectors, torch.linalg.eigh(weight.T @ weight)[1].flip(1)), torch.ones(3), atol=1e-3)
    assert made.traverse(z, closed.vectors[0], steps=2).shape == (4, 2, 1, 16, 16)
    assert made.interpolate(z, steps=2).shape == (4, 1, 16, 16)
    for labels in (None, {"age": 25}):
        back = made.invert(made.sample(2), labels=labels, starts=2, steps=2)
        assert back.labels.shape == (2, 2) and (labels is None or (back.labels[:, 0] == 0.5).all())


@pytest.mark.parametrize("mistake,words", [
    (lambda m: m.sample(2, truncation=0), "truncation=0: .* above 0"),
    (lambda m: m.latents(0), "n=0: the number of samples"),
    (lambda m: m.generate(torch.zeros(2, 4)), r"Expected float\[n, 5\]"),
    (lambda m: m.generate(torch.full((2, 5), math.nan)), "NaN or infinities"),
    (lambda m: m.interpolate(m.latents(2), steps=1), "steps=1"),
    (lambda m: m.interpolate(m.latents(1)), "at least two latents"),
    (lambda m: m.directions("svd"), "no method 'svd'"),
    (lambda m: m.directions(n=6), "from 1 to 5 directions"),
    (lambda m: m.directions(label=1), "without classes"),
    (lambda m: m.traverse(m.latents(2), torch.ones(5), steps=1), "steps=1"),
    (lambda m: m.traverse(m.latents(2), torch.ones(5), reach=0), "reach=0"),
    (lambda m: m.traverse(m.latents(2), torch.ones(4)), r"Expected float\[n, 5\]"),
    (lambda m: m.invert(torch.zeros(2, 14)), r"expected float\[n, 15\]"),
    (lambda m: m.invert(torch.full((2, 15), math.inf)), "all finite"),
    (lambda m: m.invert(m.sample(2), starts=0), "starts=0"),
    (lambda m: m.invert(m.sample(2), starts=10_000), "from 1 to 512 starts"),
    (lambda m: m.invert(m.sample(2), steps=0), "steps=0"),
    (lambda m: m.invert(m.sample(2), perceptual=0.1), "perceptual=0.1 compares images, and this model's samples are numbers"),
    (lambda m: m.invert(m.sample(2), perceptual=-1), "perceptual=-1: a weight is a number from 0"),
    (lambda m: m.invert(m.sample(2), perceptual=math.nan), "perceptual=nan: a weight"),
])
def test_mistakes_are_told(model, mistake, words) -> None:
    with pytest.raises(InputError, match=words):
        mistake(model)


def test_what_is_alike_to_the_eye_can_be_found_too() -> None:
    """The sum is minimized and decides which is best; errors stay root mean squares; the distance reported is by another network."""
    pictures = untrained("gan", SOURCES["images"].space)
    x = pictures.sample(2, seed=3)
    plain, seen = (pictures.invert(x, starts=3, steps=8, perceptual=weight) for weight in (0.0, 0.5))
    assert plain.perceptual is None and seen.perceptual.shape == seen.errors.shape == (2, 3)
    assert torch.allclose((seen.samples - x).square().flatten(1).mean(1).sqrt(), seen.error, atol=1e-6)
    assert torch.allclose(distance(pretrained(JUDGING), seen.samples, x), seen.perceptual[:, 0], atol=1e-5)
    by_pixels, by_eye = (float(distance(pretrained(TRAINING), one.samples, x).mean()) for one in (plain, seen))
    assert by_eye < by_pixels and float(plain.error.mean()) < float(seen.error.mean()) + 1e-3


def test_images_of_another_size_or_range_are_not_inverted() -> None:
    pictures = untrained("gan", SOURCES["images"].space)
    for wrong in (torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 9, 8), torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.zeros(0, 1, 8, 8),
                  torch.full((1, 1, 8, 8), 255.0)):
        with pytest.raises(InputError, match=r"expected float\[n, 1, 8, 8\] in \[-1, 1\]"):
            pictures.invert(wrong)
    told = pictures.invert(pictures.sample(2), labels="bright", starts=1, steps=1)
    assert told.labels.tolist() == [1, 1]
