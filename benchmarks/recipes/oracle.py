"""The oracle of Yu et al. (2017): a fixed LSTM, whose lines are learned from and which says how likely others are."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.record import DATA
from sparring.data.source import Finite
from sparring.rng import generator
from sparring.spaces import Texts
from sparring.spaces.texts import FIRST

WORDS, LENGTH, START, AT_ONCE = 5000, 20, 0, 512


class Oracle:
    """The fixed LSTM of the paper, from the arrays of its authors."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self.part = {name: torch.from_numpy(file[name]) for name in file.files}

    def step(self, token: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the next token, float[B, WORDS], and the state after this one, int64[B]."""
        x, part = self.part["embedding"][token], self.part
        i, f, o, g = (x @ part[f"W_{gate}"] + h @ part[f"U_{gate}"] + part[f"b_{gate}"] for gate in "ifoc")
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h @ part["W_out"] + part["b_out"], h, c

    def lines(self, n: int, seed: int, stream: str, length: int = LENGTH) -> tuple[Tensor, float]:
        """n lines, int64[n, length], and its own nats a token for them."""
        made, total, rng = list[Tensor](), 0.0, generator(seed, stream)
        for size in [AT_ONCE] * (n // AT_ONCE) + [n % AT_ONCE] * bool(n % AT_ONCE):
            token, (h, c), line = torch.full((size,), START), self.nothing(size), list[Tensor]()
            for _ in range(length):
                logits, h, c = self.step(token, h, c)
                token = torch.multinomial(logits.softmax(1), 1, generator=rng)[:, 0]
                total -= float(logits.log_softmax(1).gather(1, token[:, None]).sum())
                line.append(token)
            made.append(torch.stack(line, 1))
        return torch.cat(made), total / n / length

    def nats(self, x: Tensor) -> float:
        """NLL_oracle of lines, int64[n, length]: nats a token."""
        total = 0.0
        for part in x.split(AT_ONCE):
            token, (h, c) = torch.full((len(part),), START), self.nothing(len(part))
            for column in part.unbind(1):
                logits, h, c = self.step(token, h, c)
                total -= float(logits.log_softmax(1).gather(1, column[:, None]).sum())
                token = column
        return total / x.numel()

    def nothing(self, n: int) -> tuple[Tensor, Tensor]:
        size = self.part["U_i"].shape[0]
        return torch.zeros(n, size), torch.zeros(n, size)


def oracle() -> Oracle:
    return Oracle(DATA / "text" / "seqgan_oracle_lstm.npz")


def source_of(x: Tensor, words: int = WORDS) -> Finite:
    """Lines of an oracle as data: its token k is the word `k`, and no line ends before its length."""
    return Finite(Texts(tuple(map(str, range(words))), x.shape[1], "word"), (x + FIRST).int())
