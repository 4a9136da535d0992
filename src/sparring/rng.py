"""Keyed randomness: every draw is a function of (seed, stream, index ...), never of what was drawn before.

The position in the data, the latents of a round and the noise of a layer can therefore be found again from
the step alone, which is what makes a resumed run equal to one that was never stopped.
"""

import hashlib

import torch


def key(seed: int, stream: str, *index: int) -> int:
    """A 63-bit seed for the named stream at this index."""
    text = f"{seed}/{stream}/{'/'.join(map(str, index))}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def generator(seed: int, stream: str, *index: int) -> torch.Generator:
    """A CPU generator for the named stream at this index."""
    return torch.Generator().manual_seed(key(seed, stream, *index))


def seed_round(seed: int, device: torch.device, *index: int) -> None:
    """Seed the global generators that networks and losses draw from, for one round.

    torch.manual_seed would do, but on a machine without a GPU it formats a stack trace at every call.
    """
    number = key(seed, "round", *index)
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)
