"""Policy gradient for text: whole lines are judged, and roll-outs say what each word was worth (Yu et al., 2017)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from sparring.game.processes import total
from sparring.nets.text import Memory, TextGenerator, continued, drawn, log_likelihood, sayable
from sparring.spaces.texts import END

Judge = Callable[[Tensor], Tensor]      # int[N, L] to rewards float[N]


@torch.no_grad()
def written(writer: TextGenerator, z: Tensor, length: int) -> tuple[Tensor, Memory]:
    """Lines drawn from the generator, int64[B, length], and its states, float[B, length, H]: that of place p has heard the END before the
    line and the p tokens before that place."""
    token, at = torch.full((len(z),), END, dtype=torch.int64, device=z.device), writer.memory(z)
    made, states = list[Tensor](), list[Memory]()
    for place in range(length):
        logits, at = writer.step(token, at)
        token = drawn(sayable(logits, place == 0))
        token = continued(token, made[-1]) if made else token
        made.append(token)
        states.append(at)
    return torch.stack(made, 1), Memory(torch.stack([one.h for one in states], 1), torch.stack([one.c for one in states], 1))


@torch.no_grad()
def rolled_out(writer: TextGenerator, x: Tensor, states: Memory) -> Tensor:
    """Each line's first 1, 2, ..., L - 1 tokens, written on to the end by the generator itself: int64[B, L - 1, L].

    All prefixes go on together: at place p those of 1 to p tokens, of which the last joins with the state that the line itself had.
    """
    length = x.shape[1]
    made = x[:, None].repeat(1, max(1, length - 1), 1)
    at = Memory(states.h[:, :0], states.c[:, :0])
    for place in range(1, length):
        at = Memory(torch.cat([at.h, states.h[:, place - 1:place]], 1), torch.cat([at.c, states.c[:, place - 1:place]], 1))
        before = made[:, :place, place - 1]
        logits, at = writer.step(before, at)
        made[:, :place, place] = continued(drawn(sayable(logits)), before)
    return made


@torch.no_grad()
def rewards(writer: TextGenerator, judge: Judge, x: Tensor, states: Memory, rollouts: int) -> Tensor:
    """What each token is worth, float[B, L]: the mean reward of so many lines that begin like this one up to it; of the last token, the
    reward of the line (Yu et al., 2017, eq. 4)."""
    last, length = judge(x)[:, None], x.shape[1]
    if length == 1:
        return last
    worth = torch.zeros(len(x), length - 1, device=x.device, dtype=last.dtype)
    for _ in range(rollouts):
        worth += judge(rolled_out(writer, x, states).flatten(0, 1)).unflatten(0, (len(x), length - 1))
    return torch.cat([worth / rollouts, last], 1)


def policy(logits: Tensor, x: Tensor, worth: Tensor) -> Tensor:
    """Minus the reward, up to a constant, whose gradient is that of Yu et al. (2017, eq. 7 and 8) without bias: the mean over lines of
    -sum_t (Q_t - b_t) log p(x_t | before).

    logits: float[B, L, tokens]; x: int[B, L]; worth: float[B, L].  b_t is the mean worth of the same place in the other lines, of all
    processes, which does not depend on this one: it takes away variance and no bias (Williams, 1992).
    """
    others = total(torch.ones((), device=x.device) * len(x)) - 1
    baseline = (total(worth.sum(0)) - worth) / others.clamp(min=1)
    first, rest = sayable(logits[:, :1], True), sayable(logits[:, 1:])
    return -((worth - baseline) * log_likelihood(torch.cat([first, rest], 1), x)).sum(1).mean()


def free_bits(mean: Tensor, log_deviation: Tensor, bits: float) -> Tensor:
    """KL(q(z | x) || N(0, I)) of which each number of z has its part of so many bits for nothing: nats a line, the mean over the batch
    of all processes (Kingma et al., 2016, eq. 16).  mean, log_deviation: float[B, latent]."""
    each = (mean.square() + (2 * log_deviation).exp() - 1) / 2 - log_deviation
    average = total(each.sum(0)) / total(torch.ones((), device=mean.device) * len(mean))
    return F.relu(average - bits * math.log(2) / mean.shape[1]).sum()
