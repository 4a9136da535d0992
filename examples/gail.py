"""GAIL (Ho and Ermon, 2016): a policy learns to act like an expert, from what the expert did alone.

D tells pairs (s, a) of the policy from those of the expert: it maximizes E_pi[log D] + E_E[log(1 - D)], and the policy minimizes
E_pi[log D] - lambda H(pi) (equation 16).  Algorithm 1: after a step of D, the policy takes a step along E[grad log pi(a|s) Q(s, a)] -
lambda grad H (equations 17 and 18), where Q is the sum of log D from there on.  The paper limits that step by TRPO; here it is Adam's, Q
is discounted, and its mean over the trajectories is subtracted.  The problem: a cart on a line is to be pushed to 0 and to stop there.
"""

from functools import partial

import torch
from pydantic import Field
from torch.distributions import Normal
from torch.nn.functional import softplus
from torch.optim import Adam

from sparring.data import open_source
from sparring.data.source import Finite
from sparring.game import Game, Player, Report, Turn
from sparring.nets.mlp import mlp
from sparring.objectives.losses import nonsaturating
from sparring.recipes import Reader
from sparring.rng import generator as seeded
from sparring.settings import Settings
from sparring.spaces import Vectors

SUMMARY = "GAIL (Ho and Ermon, 2016): a policy that imitates an expert"
STEPS = 30                                      # of a trajectory: a sample is place, speed and push at every step


@torch.no_grad()
def played(pi, z):
    """Trajectories float[B, STEPS, 3] of latents float[B, 2 + STEPS]: where they start, and what chance does to each push.  pi(s) is a
    distribution of pushes."""
    s, rows = z[:, :2], []
    for chance in z[:, 2:].T:
        at = pi(s)
        rows.append(torch.cat([s, at.mean + at.stddev * chance[:, None]], 1))
        s = torch.stack([s[:, 0] + 0.1 * s[:, 1], s[:, 1] + 0.2 * rows[-1][:, 2].clamp(-3, 3)], 1)
    return torch.stack(rows, 1)


def open_trajectories(data, settings):
    """Trajectories float[N, 3 STEPS]: an array, or those of `expert`, who pushes against place and speed."""
    if str(data) != "expert":
        return open_source(data, settings)
    z = torch.randn(64, 2 + STEPS, generator=seeded(0, "expert"))
    x = played(lambda s: Normal(-3 * s[:, :1] - 2.5 * s[:, 1:], 0.1), z).flatten(1)
    return Finite(Vectors((0.0,) * x.shape[1], (1.0,) * x.shape[1]), x)


READS = Reader(open_trajectories, example="expert", kinds=(Vectors,))


class GailSettings(Settings):
    batch: int = Field(64, ge=2, le=4096, description="trajectories of the expert in a batch, and of the policy")
    lr: float = Field(3e-3, gt=0, le=1, description="learning rate of both players")
    discount: float = Field(0.9, ge=0, le=1, description="of what D says of the steps to come")
    entropy: float = Field(1e-3, ge=0, le=10, description="lambda, the weight of the entropy")


def game(c, space, device, own=None):
    pi, D = mlp(2, 32, 2, 2, 0.2).to(device), mlp(3, 32, 2, 1, 0.2).to(device)      # pi: mean and log deviation of a push
    weights = (c.discount ** (torch.arange(STEPS) - torch.arange(STEPS)[:, None])).triu().T.to(device)
    policy, discriminator = Player(pi, Adam(pi.parameters(), c.lr), ema=0.98), Player(D, Adam(D.parameters(), c.lr))

    def prior(n, rng=None):
        return torch.randn(n, 2 + STEPS, generator=rng)

    def acting(net, s):
        mean, log_std = net(s).split(1, -1)
        return Normal(mean, log_std.exp())

    def sample(z, labels=None, live=False):
        return played(partial(acting, pi if live else policy.average), z.to(device)).flatten(1)

    def rolled(n):                              # trajectories of the policy as it plays
        return sample(prior(n), live=True).unflatten(1, (STEPS, 3))

    def discriminate(batch, step):              # D is 1 for the policy's pairs, as in the paper
        return Report({"adversarial": nonsaturating.discriminator(D(rolled(len(batch.x))), D(batch.x.unflatten(1, (STEPS, 3))))})

    def improve(batch, step):
        x = rolled(len(batch.x))
        at, Q = acting(pi, x[..., :2]), -softplus(-D(x)).squeeze(2) @ weights        # Q: sums of log D(s, a) from each step on
        advantage = ((Q - Q.mean(0)) / Q.std())[..., None]
        return Report({"cost": (at.log_prob(x[..., 2:]) * advantage).mean(), "entropy": -c.entropy * at.entropy().mean()})

    return Game({"policy": policy, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "policy": Turn(policy, improve)},
                model=policy.average, prior=prior, sample=sample)
