"""An encoder and a decoder under one optimizer."""

from torch import nn


class Autoencoder(nn.Module):
    """Both networks, which learn together.  A user's own `generator` is the decoder."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
