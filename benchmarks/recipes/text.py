"""Text against the oracle of Yu et al. (2017): how likely are generated lines under the LSTM that the training lines came from?

    python -m benchmarks.recipes.text [WORD...]         # the cases that begin with one of these words

NLL_oracle alone is bettered by a lower temperature (Caccia et al., 2020), so every model stands beside its own temperature curve, and
beside NLL_test: how likely fresh lines of the oracle are under the model.
"""

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.record import DATA, record
from sparring.api import Model, Silent, run
from sparring.data.source import Finite
from sparring.metrics.texts import nats
from sparring.rng import generator
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Texts
from sparring.spaces.texts import FIRST

WORDS, LENGTH, START = 5000, 20, 0
LEARNED, DRAWN, AT_ONCE = 10_000, 2048, 512     # lines that are learned from, lines that are judged, and how many at a time
TEMPERATURES = (0.5, 0.7, 0.85, 1.0, 1.2)
PAPER = {"width": 32, "free_bits": 0.0, "unheard": 0.0, "latent": 4, "batch": 64, "lr": 0.01, "ema": 0.0}
LIKELIHOOD = PAPER | {"pretrain": 9400, "steps": 9400}                              # 60 passes over the lines
SEQGAN = PAPER | {"pretrain": 9400, "warm": 1500, "steps": 11_100, "discriminator_steps": 15, "rollouts": 16, "filters": 100,
                  "policy_lr": 0.01, "discriminator_lr": 1e-4}


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


def judged(model: Model, source: Oracle, fresh: Tensor, seed: int) -> dict[str, Any]:
    """NLL_oracle of drawn lines at each temperature, NLL_test of fresh ones, and the share of drawn lines that are not of full length."""
    found: dict[str, Any] = {"NLL_test": nats(model.game.model, (fresh + FIRST).int(), seed)}  # type: ignore[arg-type]
    for temperature in TEMPERATURES:
        z = model.game.prior(DRAWN, generator(seed, "judged"))
        x = torch.cat([model.game.sample(part, temperature=temperature) for part in z.split(AT_ONCE)])
        whole = (x >= FIRST).all(1)
        found[f"NLL_oracle, temperature {temperature}"] = source.nats(x[whole] - FIRST) if bool(whole.any()) else None
        found[f"distinct words, temperature {temperature}"] = len(x.unique())
        found["short"] = max(found.get("short", 0.0), float((~whole).double().mean()))
    return found


def learned(given: dict[str, Any], seed: int, source: Oracle | None = None, lines: int = LEARNED, words: int = WORDS) -> dict[str, Any]:
    """Train on lines of the oracle, and judge."""
    source = source or oracle()
    data, floor = source.lines(lines, seed, "learned")
    fresh, _ = source.lines(DRAWN, seed, "fresh")
    rarely = {"show_every": 10**9, "score_every": 10**9, "threads": 1, "precision": "fp32", "compile": "off"}
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(Request("seqgan", source_of(data, words), {**rarely, **given}, seed), Path(folder) / "run")
        model, outcome = run(prepared, Silent())
    return {"floor": floor, **judged(model, source, fresh, seed), "seconds": round(outcome.seconds), "rounds": prepared.plan.steps}


def floor(seed: int) -> dict[str, Any]:
    """The oracle's own nats a token."""
    return {"NLL_oracle": oracle().lines(LEARNED, seed, "floor")[1]}


def random(seed: int) -> dict[str, Any]:
    """Words drawn evenly."""
    return {"NLL_oracle": oracle().nats(torch.randint(WORDS, (LEARNED, LENGTH), generator=generator(seed, "random")))}


CASES: dict[str, Callable[[], dict[str, Any]]] = {}
for number in (0, 1, 2):
    CASES |= {f"floor, seed {number}": partial(floor, number), f"random, seed {number}": partial(random, number),
              f"likelihood, seed {number}": partial(learned, LIKELIHOOD, number),
              f"seqgan, seed {number}": partial(learned, SEQGAN, number)}

if __name__ == "__main__":
    asked = [word for word in sys.argv[1:] if not word.startswith("-")]
    record("text", f"Oracle of Yu et al. (2017): vocabulary {WORDS:,}, length {LENGTH}, {LEARNED:,} lines to learn from. NLL_oracle: nats "
           f"a token of {DRAWN:,} drawn lines under the oracle; NLL_test: of as many fresh lines of the oracle under the model. floor: the "
           f"oracle's own. likelihood: {LIKELIHOOD}. seqgan: {SEQGAN}.",
           {"random": "NLL_oracle 10.31 +- .02", "likelihood": "NLL_oracle within .1 of 9.038", "seqgan": "NLL_oracle < 8.736"},
           [(name, case) for name, case in CASES.items() if not asked or any(name.startswith(word) for word in asked)])
