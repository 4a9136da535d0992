"""Every experiment by name: small programs that each check one claim of the literature, end to end.

They lean on everything that trains, up to fit(), and no run needs them.
"""

from functools import partial

from sparring.errors import InputError, did_you_mean
from sparring.experiments import (
    dirac,
    dual_gap,
    gan_vs_vae,
    modes,
    optimal_discriminator,
    stacked_mnist,
    strong_discriminator,
    vanishing_gradient,
    wgan_curve,
)
from sparring.experiments.claims import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    "dirac": Experiment(dirac.CLAIM, dirac.SOURCE, dirac.run, dirac.headline),
    "optimal-discriminator": Experiment(optimal_discriminator.CLAIM, optimal_discriminator.SOURCE, optimal_discriminator.run,
                                        optimal_discriminator.headline),
    "vanishing-gradient": Experiment(vanishing_gradient.CLAIM, vanishing_gradient.SOURCE, vanishing_gradient.run,
                                     vanishing_gradient.headline),
    "dual-gap": Experiment(dual_gap.CLAIM, dual_gap.SOURCE, dual_gap.run, dual_gap.headline),
    "wgan-curve": Experiment(wgan_curve.CLAIM, wgan_curve.SOURCE, wgan_curve.run, wgan_curve.headline),
    **{name: Experiment(protocol.claim, protocol.source, partial(modes.run, name), modes.headline)
       for name, protocol in modes.PROTOCOLS.items()},
    "stacked-mnist": Experiment(stacked_mnist.CLAIM, stacked_mnist.SOURCE, stacked_mnist.run,
                                stacked_mnist.headline),
    "strong-discriminator": Experiment(strong_discriminator.CLAIM, strong_discriminator.SOURCE, strong_discriminator.run,
                                       strong_discriminator.headline),
    "gan-vs-vae": Experiment(gan_vs_vae.CLAIM, gan_vs_vae.SOURCE, gan_vs_vae.run, gan_vs_vae.headline),
}


def find(name: str) -> Experiment:
    """The experiment of this name; InputError when there is none."""
    if name not in EXPERIMENTS:
        raise InputError(f"there is no experiment '{name}'.{did_you_mean(name, EXPERIMENTS)} "
                         f"Experiments: {', '.join(EXPERIMENTS)}; or --all.")
    return EXPERIMENTS[name]
