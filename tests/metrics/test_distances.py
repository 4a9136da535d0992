"""Distances between two sets of features, against closed forms and independent implementations, and what their intervals hold."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, stats
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from sparring.errors import InputError
from sparring.metrics import fid, intervals, kid, memorization, neighbours, prd, sliced
from sparring.metrics.catalogue import METRICS, OF_FEATURES, lacking, measure
from sparring.metrics.fid import Gaussian, gaussian
from sparring.rng import generator
from sparring.settings import RunSettings


def cloud(n, d=8, seed=0, shift=0.0, scale=1.0):
    return shift + scale * torch.randn(n, d, generator=generator(seed, "cloud"))


def held(estimates, truth):
    """The share of intervals that hold the truth."""
    return sum(e.low <= truth <= e.high for e in estimates) / len(estimates)


# ---------------------------------------------------------------------------------------------------------- Frechet
def diagonal(mean, deviations):
    deviations = torch.as_tensor(deviations, dtype=torch.float64)
    return Gaussian(1000, torch.as_tensor(mean, dtype=torch.float64), torch.diag(deviations.square()))


@given(st.lists(st.tuples(*[st.floats(-3, 3)] * 2, *[st.floats(0, 3)] * 2), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_frechet_of_commuting_gaussians_is_what_it_is_in_each_direction(numbers):
    """Diagonal covariances, singular ones too: |mu - nu|^2 + |sigma - tau|^2, to 1e-6."""
    mu, nu, sigma, tau = map(torch.tensor, zip(*numbers, strict=True))
    truth = float((mu.double() - nu).square().sum() + (sigma.double() - tau).square().sum())
    assert fid.frechet(diagonal(mu, sigma), diagonal(nu, tau)) == pytest.approx(truth, rel=1e-6, abs=1e-6)


def test_frechet_does_not_feel_a_rotation_of_both():
    turn = torch.linalg.qr(cloud(9, 9).double()).Q
    a, b = diagonal(torch.arange(9.0), torch.linspace(0, 2, 9)), diagonal(torch.zeros(9), torch.linspace(1, 0, 9))
    turned = [Gaussian(g.n, turn @ g.mean, turn @ g.covariance @ turn.T) for g in (a, b)]
    assert fid.frechet(*turned) == pytest.approx(fid.frechet(a, b), rel=1e-9)


@pytest.mark.parametrize("n", [40, 2000])
def test_frechet_agrees_with_the_root_of_the_product(n):
    """scipy's general root, also where there are fewer samples than features."""
    x, y = cloud(n, 64), cloud(n, 64, seed=1, shift=0.1) @ torch.diag(torch.linspace(0.2, 2, 64))
    a, b = (np.cov(s.double().numpy(), rowvar=False) for s in (x, y))
    jitter = 1e-12 * np.eye(64)
    root = linalg.sqrtm((a + jitter) @ (b + jitter)).real
    truth = float((x.double().mean(0) - y.double().mean(0)).square().sum()) + np.trace(a + b - 2 * root)
    assert fid.frechet(gaussian(x), gaussian(y)) == pytest.approx(truth, rel=1e-5)
    assert fid.frechet(gaussian(x), gaussian(x)) == pytest.approx(0, abs=1e-9)


def test_moments_without_a_group_are_those_of_the_rest():
    x, group = cloud(101, 5, shift=3.0), intervals.deal([101, 101], 0)[0][0]
    for g, found in enumerate(fid.without_each(x, group, 20)):
        wanted = gaussian(x[group != g])
        assert found.n == wanted.n
        torch.testing.assert_close(found.mean, wanted.mean)
        torch.testing.assert_close(found.covariance, wanted.covariance)


@pytest.mark.parametrize("shift, scale", [(0.0, 1.0), (0.3, 1.2)])
def test_frechet_intervals_hold_the_truth(shift, scale):
    """`fid` that of its mean at 200 samples, `fid_infinity` the closed form.  Where both sets are alike they are too wide."""
    found = [fid.measure(cloud(200, 4, 2 * i), cloud(200, 4, 2 * i + 1, shift, scale), i) for i in range(60)]
    truth = 4 * (shift**2 + (scale - 1)**2)
    here = float(np.mean([f["fid"].value for f in found]))
    assert here > truth + 0.04                                  # the bias that fid_infinity is rid of
    assert np.mean([f["fid_infinity"].value for f in found]) == pytest.approx(truth, abs=0.03)
    assert held([f["fid"] for f in found], here) >= 0.88 and held([f["fid_infinity"] for f in found], truth) >= 0.88


def test_the_bias_at_equality_grows_with_one_over_n():
    few, many = (np.mean([fid.frechet(gaussian(cloud(n, 4, 2 * i)), gaussian(cloud(n, 4, 2 * i + 1))) for i in range(150)])
                 for n in (100, 1000))
    assert few / many == pytest.approx(10, rel=0.3)


# ------------------------------------------------------------------------------------------------------------ kernel
def test_kid_agrees_with_an_independent_implementation():
    x, y = cloud(300, 16).double(), cloud(200, 16, seed=1, shift=0.2).double()
    def within(z):
        k = polynomial_kernel(z, degree=3, gamma=1 / 16, coef0=1)
        return (k.sum() - np.trace(k)) / (len(z) * (len(z) - 1))
    truth = within(x.numpy()) + within(y.numpy()) - 2 * polynomial_kernel(x.numpy(), y.numpy(), degree=3, gamma=1 / 16, coef0=1).mean()
    assert kid.kid(x, y) == pytest.approx(truth, rel=1e-9)


def test_kid_is_unbiased():
    """Zero on average for equal sets, however small; and the closed form in one dimension, from the moments of both."""
    equal = [kid.measure(cloud(60, 6, 2 * i), cloud(60, 6, 2 * i + 1), i)["kid"] for i in range(100)]
    values = np.array([e.value for e in equal])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert (values < 0).mean() > 0.3
    assert held(equal, 0.0) >= 0.93
    mu, s = 0.4, 0.9
    p, q = np.array([0, 1, 0]), np.array([mu, mu**2 + s**2, mu**3 + 3 * mu * s**2])
    def k(a, b):
        return a[2] * b[2] + 3 * a[1] * b[1] + 3 * a[0] * b[0] + 1
    apart = [kid.measure(cloud(400, 1, 2 * i), cloud(400, 1, 2 * i + 1, mu, s), i)["kid"] for i in range(100)]
    truth, values = k(p, p) + k(q, q) - 2 * k(p, q), np.array([e.value for e in apart])
    assert abs(values.mean() - truth) < 3 * values.std() / 10
    assert held(apart, truth) >= 0.88


def test_blocks_of_the_kernel_are_averaged():
    x, y = cloud(200), cloud(200, seed=1, shift=0.3)
    whole, parts = (kid.measure(x, y, 0, block)["kid"] for block in (200, 50))
    assert parts.value == pytest.approx(np.mean([kid.kid(a, b) for a, b in zip(x.split(50), y.split(50), strict=True)]))
    assert (whole.about["blocks"], parts.about["blocks"]) == (1, 4)
    assert parts.low < whole.value < parts.high


# -------------------------------------------------------------------------------------------------------- neighbours
def by_hand(x, y, k_manifold=3, k_cover=5):
    """The four, with scikit-learn's neighbours."""
    def radius(z, k):
        return NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(z).kneighbors(z)[0][:, k]
    apart = np.linalg.norm(x[:, None] - y[None], axis=2)
    near, wide, far = radius(x, k_manifold), radius(x, k_cover), radius(y, k_manifold)
    return {"precision": (apart <= near[:, None]).any(0).mean(), "recall": (apart <= far).any(1).mean(),
            "density": (apart <= wide[:, None]).sum(0).mean() / k_cover, "coverage": (apart.min(1) <= wide).mean()}


@pytest.mark.parametrize("n, m, d", [(300, 300, 4), (211, 340, 2), (8, 7, 3)])
def test_neighbours_agree_with_an_independent_implementation(n, m, d):
    x, y = cloud(n, d).double(), cloud(m, d, seed=1, shift=0.3, scale=0.8).double()
    found, wanted = neighbours.measure(x, y, 0), by_hand(x.numpy(), y.numpy())
    assert {name: e.value for name, e in found.items()} == pytest.approx(wanted, abs=1e-12)
    assert neighbours.precision_recall(x, y) == pytest.approx((wanted["precision"], wanted["recall"]))


def test_leaving_a_group_out_is_computing_it_again():
    """The intervals' standard errors, by computing everything anew without each group."""
    x, y = cloud(120, 3).double(), cloud(120, 3, seed=1, shift=0.4).double()
    (a, b), count = intervals.deal([120, 120], 7)
    again = [by_hand(x[a != g].numpy(), y[b != g].numpy()) for g in range(count)]
    for name, e in neighbours.measure(x, y, 7).items():
        error = intervals.jackknife(e.value, [each[name] for each in again])[0]
        wanted = intervals.around(e.value, error, count, least=0.0) if name == "density" else intervals.share(e.value, error, count, 120)
        assert (e.low, e.high) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def test_copies_lie_in_the_manifold():
    x = cloud(100)
    assert {name: e.value for name, e in neighbours.measure(x, x.flip(0), 0).items()} == {
        "precision": 1.0, "recall": 1.0, "density": pytest.approx(1.2), "coverage": 1.0}    # a copy is in its own ball too: (k + 1) / k
    same = torch.ones(30, 4)
    assert neighbours.measure(same, same, 0)["coverage"].value == 1.0
    assert neighbours.measure(x, x[:1].repeat(100, 1), 0)["coverage"].value < 0.1               # of a hundred equal samples


def test_expected_coverage_is_the_published_one():
    assert neighbours.expected_coverage(10_000, 10_000) == pytest.approx(0.96877, abs=1e-5)
    assert neighbours.expected_coverage(2_000, 2_000) == pytest.approx(0.96887, abs=1e-5)
    assert neighbours.expected_coverage(10_000, 10_000, 3) == pytest.approx(0.87504, abs=1e-5)


def test_density_and_coverage_of_equal_distributions():
    """In any number of dimensions: density 1, and the coverage that depends on the numbers alone; the intervals hold both."""
    found = [neighbours.measure(cloud(150, 3, 2 * i), cloud(150, 3, 2 * i + 1), i) for i in range(40)]
    truth = neighbours.expected_coverage(150, 150)
    coverage, density = ([f[name].value for f in found] for name in ("coverage", "density"))
    assert abs(np.mean(coverage) - truth) < 3 * np.std(coverage) / np.sqrt(40)
    assert abs(np.mean(density) - 1) < 3 * np.std(density) / np.sqrt(40)
    assert held([f["coverage"] for f in found], truth) >= 0.93 and held([f["density"] for f in found], 1.0) >= 0.93


def test_precision_and_recall_tell_half_a_distribution_from_one_too_wide():
    both = torch.cat([cloud(200), cloud(200, seed=1, shift=30.0)])
    found = neighbours.measure(both, torch.cat([both[:200], cloud(200, seed=2)]), 0)
    assert found["precision"].value > 0.7 and found["recall"].value == pytest.approx(0.5, abs=0.05)
    tight = neighbours.measure(cloud(200, 16, scale=3.0), cloud(200, 16, seed=1, scale=0.1), 0)
    assert tight["precision"].value > 0.8 and tight["recall"].value < 0.3           # a tight cluster in the middle


# ------------------------------------------------------------------------------------------------------- the others
def test_sliced_distance_of_translated_sets():
    x = cloud(500, 1)
    assert sliced.measure(x, x + 0.5, 0)["swd"].value == pytest.approx(0.5, rel=1e-4)
    assert sliced.measure(x, x + 0.5, 0)["swd"].value == sliced.sliced_wasserstein(x, x + 0.5, 0)
    assert held([sliced.measure(cloud(200, 1, 2 * i), cloud(200, 1, 2 * i + 1, 0.5), i)["swd"] for i in range(25)], 0.5) >= 0.88


def test_copies_are_told_by_their_distance():
    train, fresh, held_out = cloud(400, 4), cloud(300, 4, seed=1), cloud(300, 4, seed=2)
    beside = memorization.nearest(held_out, train)
    assert torch.allclose(beside, torch.cdist(held_out, train).amin(1), atol=1e-5)
    honest = memorization.measure(memorization.nearest(fresh, train), beside, 0)
    assert honest.low <= 0.05 <= honest.high and honest.about["baseline"] == pytest.approx(0.05)
    copies = torch.cat([train[:60] + 1e-3, fresh[60:]])
    caught = memorization.measure(memorization.nearest(copies, train), beside, 0)
    assert caught.low > 0.15 and caught.about["c_t"] < -3
    assert memorization.nearest(train[:50], train).max() == 0


def test_a_training_sample_stands_for_a_held_out_one_when_it_is_passed_over():
    train = cloud(100, 3)
    own = torch.tensor([5, 70, 200])
    found = memorization.nearest(train[[5, 70, 70]], train, own)
    apart = torch.cdist(train, train).fill_diagonal_(torch.inf).amin(1)
    assert found.tolist() == pytest.approx([apart[5].item(), apart[70].item(), 0.0], abs=1e-5)


@given(st.lists(st.integers(0, 9), min_size=3, max_size=30), st.lists(st.integers(0, 9), min_size=3, max_size=30))
@settings(max_examples=40, deadline=None)
def test_c_t_is_the_mann_whitney_statistic(a, b):
    u = stats.mannwhitneyu(a, b).statistic
    n, m = len(a), len(b)
    truth = (u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12)
    assert memorization.c_t(torch.tensor(a).float(), torch.tensor(b).float()) == pytest.approx(truth, abs=1e-6)


def test_shares_have_an_interval_at_their_ends_too():
    certain = intervals.share(1.0, 0.0, 20, 100)
    assert certain.high == 1.0 and 0.94 < certain.low < 0.97
    assert intervals.share(0.0, 0.0, 20, 100).high == pytest.approx(1 - certain.low)
    middle = intervals.share(0.5, 0.1, 20, 10_000)
    assert (middle.low, middle.high) == pytest.approx((0.5 - 2.093 * 0.1, 0.5 + 2.093 * 0.1), abs=1e-3)


def test_too_few_samples_are_refused_with_the_least_that_work():
    for name in OF_FEATURES:
        for features in (2, 9):
            least = METRICS[name].least(features)
            x, y = cloud(least, features), cloud(least, features, seed=1)
            assert torch.isfinite(torch.tensor(measure([name], x, y, 0)[name][:3])).all()
            assert f"at least {least:,} samples" in (lacking(name, least - 1, features) or "")
            with pytest.raises(InputError, match=f"at least {least:,} samples a set"):
                measure([name], x[1:], y[1:], 0)


def test_a_run_may_keep_the_best_by_any_metric_of_two_sets():
    field = RunSettings.model_fields["keep_best"]
    assert field.annotation.__args__ == ("none", *OF_FEATURES)


def test_figures_depend_on_the_seed_alone_and_leave_random_numbers_alone():
    x, y = cloud(100), cloud(100, seed=1)
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    first = measure(OF_FEATURES, x, y, 5)
    assert torch.equal(torch.rand(2), wanted)
    assert measure(OF_FEATURES, x, y, 5) == first


# --------------------------------------------------------------------------------------------- precision as a curve
def test_the_published_cases_of_precision_and_recall_as_a_curve():
    half, one, other = (torch.tensor(shares) for shares in ([0.5, 0.5], [1.0, 0.0], [0.0, 1.0]))
    precision, recall = prd.curve(half, one, 11)
    assert (precision[5].item(), recall[5].item(), precision[10].item(), recall[1].item()) == pytest.approx((0.5, 0.5, 0.5, 1.0))
    precision, recall = prd.curve(one, half, 11)
    assert (precision[5].item(), recall[5].item(), precision[10].item(), recall[1].item()) == pytest.approx((0.5, 0.5, 1.0, 0.5))
    assert all(float(part.abs().max()) == 0 for part in prd.curve(one, other, 11))
    equal = prd.curve(half, half)
    assert float(equal[0].max()) == 1.0 and float(equal[1].max()) == 1.0


def test_the_curve_of_features_tells_a_missing_mode():
    both = torch.cat([cloud(150, 3), cloud(150, 3, seed=1, shift=30.0)])
    precision, recall = prd.of_features(both, both[:150].repeat(2, 1), 0, clusters=6)
    assert float(precision.max()) > 0.99 and float(recall.max()) == pytest.approx(0.5, abs=0.02)
