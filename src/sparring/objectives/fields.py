"""Settings that several recipes have, written once: `width: int = WIDTH`."""

from typing import Any

from pydantic import Field

LATENT: Any = Field(8, ge=1, le=4096, description="numbers in the random vector z ~ N(0, I)")
WIDTH: Any = Field(128, ge=2, le=4096, description="units in a hidden layer; for images, feature maps at full resolution")
DEPTH: Any = Field(2, ge=1, le=16, description="hidden layers (not used for images)")
SLOPE: Any = Field(0.2, ge=0, le=1, description="negative slope of the leaky ReLU; 0 is a ReLU (not used for images)")
RESIDUAL: Any = Field(False, description="for images: residual networks instead of DCGAN's; a round takes about four times as long")
LR: Any = Field(1e-3, gt=0, le=1, description="learning rate of both Adam optimizers")
DECAY: Any = Field(1.0, ge=0, le=1, description="last part of the run over which the learning rate falls to zero")
HALF_DECAY: Any = Field(0.5, ge=0, le=1, description="last part of the run over which the learning rate falls to zero")
EMA: Any = Field(0.999, ge=0, lt=1, description="decay of the average of the weights that sampling uses; 0: no average")
CONDITIONAL: Any = Field(False, description="tell both networks the class; needs data with labels")
BETA1: Any = Field(0.5, ge=0, lt=1, description="Adam's decay of the mean of gradients; that of their squares is 0.999")
