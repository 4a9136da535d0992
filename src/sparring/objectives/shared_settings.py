"""Settings that several recipes have, written once: `width: int = WIDTH`."""

from typing import Any

from pydantic import Field

LATENT: Any = Field(8, ge=1, le=4096, description="size of the latent vector z ~ N(0, I)")
WIDTH: Any = Field(128, ge=2, le=4096, description="width of the networks: units per hidden layer; for images, feature maps at full "
                   "resolution")
DEPTH: Any = Field(2, ge=1, le=16, description="number of hidden layers (not used for images)")
SLOPE: Any = Field(0.2, ge=0, le=1, description="negative slope of the leaky ReLU; 0 is a ReLU (not used for images)")
RESIDUAL: Any = Field(False, description="residual networks instead of DCGAN's, for images; a round takes about four times as long")
LR: Any = Field(1e-3, gt=0, le=1, description="learning rate of both Adam optimizers")
SPAN = "last share of the run, in which lr falls to 0; the fall is linear, and decay=0 keeps lr constant"
DECAY: Any = Field(1.0, ge=0, le=1, description=SPAN)
HALF_DECAY: Any = Field(0.5, ge=0, le=1, description=SPAN)
EMA: Any = Field(0.999, ge=0, lt=1, description="decay of the weights' moving average, which sampling uses; 0: no average")
TRANSLATION_EMA: Any = Field(0.0, ge=0, lt=1, description="decay of the moving average of the generators' weights, which translation uses; "
                             "0, as in the paper: no average")
AUGMENT: Any = Field("none", description="augment the images that D sees, so that fewer suffice: diff = always (DiffAugment), ada = as "
                     "often as needed (ADA)")
CONDITIONAL: Any = Field(False, description="make the model conditional: give both networks the label; needs data with labels")
DOUBLED: Any = Field(False, description="enlarge by doubling and convolving; the paper's transposed convolutions leave a checkerboard in "
                     "short runs")
PATCH: Any = Field(70, description="side in pixels of the patches that the discriminator judges (PatchGAN); default: about a quarter of an "
                   "image's side")
BETA1: Any = Field(0.5, ge=0, lt=1, description="Adam's beta1: decay of the mean of gradients; beta2 is 0.999")
