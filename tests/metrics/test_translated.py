"""The measures of translations, of known differences."""

import pytest
import torch

from sparring.metrics.translated import kid, l1, label_accuracy, psnr, ssim


def test_measures_of_known_differences():
    x = torch.rand(3, 3, 24, 24) * 2 - 1
    assert l1(x, x) == 0 and psnr(x, x) == pytest.approx(100) and ssim(x, x) == pytest.approx(1)
    assert l1(x + 0.1, x) == pytest.approx(0.1, abs=1e-6)
    assert psnr(x + 0.2, x) == pytest.approx(20, abs=1e-4)      # 10 log10(4 / 0.04)
    flat, other = torch.zeros(1, 1, 16, 16), torch.full((1, 1, 16, 16), 0.5)
    assert ssim(flat, other) == pytest.approx(0.0004 / (0.25 + 0.0004), rel=1e-6)   # no variance: the luminance term alone
    assert label_accuracy(torch.tensor([1, 2, 3, 3]), torch.tensor([1, 2, 3, 0])) == 0.75


def test_kernel_distance_is_zero_between_halves_and_known_between_means():
    rng = torch.Generator().manual_seed(0)
    a, b, c = (torch.randn(1500, 4, generator=rng, dtype=torch.float64) for _ in range(3))
    assert kid(a, b) == pytest.approx(0, abs=0.03)
    assert kid(a, c + 1) > 1
