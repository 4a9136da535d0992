"""How good translations are: against the truth where there are pairs, and else by what comes back and by what a domain looks like."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from sparring.data.source import Arranged
from sparring.data.translation.sets import TwoSets
from sparring.game import Translation
from sparring.metrics.features import Watch

EXAMPLES, FEW = 256, 16      # images that are scored during training, and translated at once


def score(translation: Translation, source: Arranged, seed: int) -> dict[str, float]:
    """Scores on at most 256 examples, held out where that can be.  Pairs: `l1`, `psnr`, `ssim` of the translations.

    Models that go back: `cycle_l1`, the mean distance between images and what comes back, by the domain they went through.
    L1 is in [0, 2], for images in [-1, 1].
    """
    examples, result = source.examples(EXAMPLES, seed), dict[str, float]()
    if not isinstance(source, TwoSets):
        for to, name in enumerate(translation.names):
            made = run(translation, examples.x, to)
            back = torch.cat([run(translation, one[None], int(home)) for one, home in zip(made, examples.labels, strict=True)])
            result[f"cycle_l1 {name}"] = l1(back, examples.x)
        return result
    everyone = source.space.names
    for to, name in enumerate(translation.names):
        half, several = everyone.index(name), len(translation.names) > 1
        x, truth, made = examples[1 - half], examples[half], run(translation, examples[1 - half], to)
        ending = f" {name}" if several else ""
        if source.space.aligned:
            result |= {f"l1{ending}": l1(made, truth), f"psnr{ending}": psnr(made, truth), f"ssim{ending}": ssim(made, truth)}
        if several:
            result[f"cycle_l1{ending}"] = l1(run(translation, made, 1 - to), x)
    return result


@torch.no_grad()
def run(translation: Translation, x: Tensor, to: int, watch: Watch = lambda done, total: None) -> Tensor:
    """Translations of images float[N, C, H, W], a few at a time, on the CPU."""
    parts = list[Tensor]()
    for part in x.split(FEW):
        parts.append(translation.run(part, to).cpu())
        watch(sum(map(len, parts)), len(x))
    return torch.cat(parts)


def l1(made: Tensor, truth: Tensor) -> float:
    """The mean absolute difference of images in [-1, 1]."""
    return float((made - truth).abs().mean())


def psnr(made: Tensor, truth: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, of each image in [-1, 1] (whose peak is 2), averaged; at most 100."""
    error = (made.double() - truth.double()).square().flatten(1).mean(1).clamp_min(4e-10)
    return float((10 * torch.log10(4 / error)).mean())


def ssim(made: Tensor, truth: Tensor) -> float:
    """Structural similarity (Wang et al., 2004, eq. 13), the mean over channels and pixels.

    Gaussian windows of 11x11 pixels and deviation 1.5 within the image, K1 = 0.01, K2 = 0.03, L = 2; images of less than 11 pixels
    a side have one window as large as they are.
    """
    a, b = made.double().flatten(0, 1)[:, None], truth.double().flatten(0, 1)[:, None]
    side = min(11, *a.shape[-2:])
    at = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    bell = torch.exp(-at.square() / (2 * 1.5**2))
    window = torch.outer(bell, bell)[None, None] / bell.sum().square()
    mean_a, mean_b = conv2d(a, window), conv2d(b, window)
    var_a, var_b = conv2d(a * a, window) - mean_a.square(), conv2d(b * b, window) - mean_b.square()
    covariance = conv2d(a * b, window) - mean_a * mean_b
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    return float(((2 * mean_a * mean_b + c1) * (2 * covariance + c2)
                  / ((mean_a.square() + mean_b.square() + c1) * (var_a + var_b + c2))).mean())


def label_accuracy(found: Tensor, truth: Tensor) -> float:
    """The share of pixels whose label, int64[N, H, W], is the true one."""
    return float((found == truth).double().mean())


def kid(made: Tensor, real: Tensor) -> float:
    """Kernel inception distance (Binkowski et al., 2018, eq. 4): the unbiased squared MMD of features float[N, D] under the kernel
    (x.y / D + 1)^3, over all pairs."""
    x, y = made.double(), real.double()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    n, m = len(x), len(y)
    within = (kernel(x, x).sum() - kernel(x, x).diagonal().sum()) / (n * (n - 1))
    other = (kernel(y, y).sum() - kernel(y, y).diagonal().sum()) / (m * (m - 1))
    return float(within + other - 2 * kernel(x, y).mean())


def outline(x: Tensor, factor: int = 4) -> Tensor:
    """What stays when textures and colours change: the grey image at a quarter of its size, centred and of length one, float[N, D]."""
    grey = avg_pool2d(x.mean(1, keepdim=True), factor).flatten(1)
    grey = grey - grey.mean(1, keepdim=True)
    return grey / grey.norm(dim=1, keepdim=True).clamp_min(1e-8)
