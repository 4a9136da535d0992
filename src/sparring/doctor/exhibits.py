"""Settings of runs that fail on purpose, each in well under a minute, and of their cures."""

from dataclasses import dataclass, field
from typing import Any

SMALL = {"batch": 64, "width": 64, "steps": 300, "threads": 1, "compile": "off", "precision": "fp32", "check_every": 15}
WILD = SMALL | {"decay": 0, "ema": 0.9}


@dataclass(frozen=True)
class Exhibit:
    """A run that fails, and why it should; `cure` is what is changed afterwards, or the doctor's first action when it is empty."""

    name: str
    title: str
    text: str
    recipe: str
    data: str
    given: dict[str, Any]
    cure: str = ""
    cured_data: str = ""
    own: str = ""               # a discriminator of DISCRIMINATORS; the cured run has the recipe's own
    longer: dict[str, Any] = field(default_factory=dict)        # of the cured run: rounds that a failure does not need


EXHIBITS = (
    Exhibit("strong-discriminator", "A discriminator that is too strong",
            "Fifteen discriminator steps a round under log(1 - D): soon D is sure of everything and the generator's loss is flat.",
            "gan", "ring", WILD | {"objective": "minimax", "discriminator_steps": 15, "lr": 3e-3, "steps": 200}, longer={"steps": 700}),
    Exhibit("saturating-loss", "A loss that saturates",
            "log(1 - D(G(z))) with large steps: once D wins, the generator gets no gradient and cannot recover.",
            "gan", "ring", WILD | {"objective": "minimax", "lr": 1e-2, "beta1": 0.5}, longer={"steps": 700}),
    Exhibit("no-penalty", "Momentum and large steps, without a penalty",
            "The gradients rotate around the equilibrium, and momentum carries the players outwards.",
            "gan", "ring", WILD | {"beta1": 0.9, "lr": 1e-2, "ema": 0}, longer={"steps": 700}),
    Exhibit("collapse", "Total collapse on the ring",
            "Ten discriminator steps a round, ReLUs and momentum: the samples end up around one of the eight modes.",
            "gan", "ring", WILD | {"latent": 100, "slope": 0, "lr": 5e-4, "beta1": 0.5, "discriminator_steps": 10}, longer={"steps": 700}),
    Exhibit("strong-penalty", "A penalty that keeps the discriminator constant",
            "R1 with a weight of 3,000 keeps D constant: its loss is log 4, as if samples and data were the same.",
            "gan", "ring", SMALL | {"penalty": "r1", "penalty_weight": 3000}, longer={"steps": 700}),
    Exhibit("tight-clip", "A critic clipped too tightly",
            "Weights of at most 0.0001 in three layers leave a slope of nearly nothing.",
            "wgan", "gaussian", SMALL | {"clip": 1e-4, "first_steps": 5, "steps": 250}, longer={"steps": 500}),
    Exhibit("nan", "On the way to NaN", "A learning rate of 1: numbers grow until they are not finite.",
            "gan", "quadratic", WILD | {"objective": "least_squares", "lr": 1.0}, longer={"steps": 700}),
    Exhibit("dead-units", "Rectifiers that died", "ReLUs and a learning rate of 0.1: most units are zero for every sample and never "
                                                  "recover.",
            "gan", "ring", WILD | {"slope": 0, "lr": 0.1}, longer={"steps": 700}),
    Exhibit("too-slow", "Steps that are too small", "A learning rate of 0.000001: nothing breaks, and nothing is learned.",
            "gan", "gaussian", SMALL | {"lr": 1e-6}, longer={"steps": 700}),
    Exhibit("learning-rates", "A wrong ratio of learning rates",
            "The discriminator's steps are a thousand times as large as the generator's, which cannot keep up.",
            "gan", "ring", SMALL | {"lr": 3e-6, "lr_ratio": 1000}, longer={"steps": 700}),
    Exhibit("batch-norm", "BatchNorm that leaks across the batch",
            "The discriminator begins with BatchNorm, which removes the mean and scale of every batch. Real and generated samples come in "
            "separate batches, so the discriminator cannot see, or teach, where samples are and how large.",
            "gan", "ring", SMALL | {"lr": 2e-3, "steps": 500}, own="batch norm",
            longer={"penalty": "r1", "penalty_weight": 0.1}),
    Exhibit("leaking-augmentation", "An augmentation that leaks",
            "The discriminator shifts every image, real or generated, by a random number of pixels, wrapping around the edges. It cannot "
            "see where a digit was, so the generator draws digits anywhere (Karras et al., 2020, section 2.2).",
            "gan", "digits", SMALL | {"width": 12, "lr": 2e-3, "conditional": False, "steps": 400, "check_every": 20},
            own="rolling"),
    Exhibit("memorizing", "Twenty samples, learned by heart", "The networks have hundreds of weights for every number in the data, so they "
                                                              "memorize it.",
            "r3gan", "twenty", SMALL | {"lr": 3e-3, "batch": 10, "steps": 800}, cured_data="many", longer={"batch": 64, "steps": 1200}),
    Exhibit("broken-data", "Twelve samples, two hundred times each", "What looks like 2,400 samples is twelve.",
            "gan", "repeated", SMALL, cure="penalty=r1 penalty_weight=0.1 lr=0.002", cured_data="thousands", longer={"steps": 600}),
)
