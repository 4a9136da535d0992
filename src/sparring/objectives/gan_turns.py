"""A generator and a discriminator under any objective, with any penalty: what the GAN recipes share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import Adam

from sparring.data.source import Batch
from sparring.game import Game, Player, Report, Turn, Watched, evaluate
from sparring.game.precision import full
from sparring.game.schedules import Schedule, constant
from sparring.objectives import penalties
from sparring.objectives.augment import Adaptive
from sparring.objectives.losses import Adversarial
from sparring.objectives.unroll import adam_ahead, weights_of, with_weights
from sparring.spaces import Space, traits_of

SETTLED = 4                             # rounds between those in which the averaged generator takes statistics of its own


@dataclass(frozen=True)
class Rules:
    """Penalties and other constraints on the discriminator, and how samples are shown to it."""

    penalty: Mapping[str, penalties.Penalty] = field(default_factory=dict)    # named terms
    weight: Schedule = constant(0.0)    # by the round  # noqa: RUF009 - a function, never changed
    every: int = 1                      # rounds between penalties; more than one is lazy regularization
    clip: float = 0.0                   # weights are clamped to [-clip, clip]; 0: not
    pack: int = 1                       # samples judged together
    noise: Schedule | None = None       # deviation of the noise on what the discriminator sees, by the round
    consensus: float = 0.0              # weight of the consensus penalty, which both players pay
    unroll: int = 0                     # discriminator steps that the generator looks ahead
    steps: int = 1                      # discriminator steps a round, which a lazy penalty stands for
    augment: Callable[[Tensor], Tensor] | None = None   # what happens to all the discriminator sees


@dataclass
class Adversaries:
    """Two players, their objective and their rules; the bound methods are the losses of their turns."""

    generator: Player
    discriminator: Player
    objective: Adversarial
    latent: int
    device: torch.device
    classes: int = 0
    rules: Rules = field(default_factory=Rules)
    once: bool = True                   # one discriminator step a round: its samples can serve the generator's turn too
    separately: bool = False            # a user's D may look at the whole batch: real and fake in passes of their own
    waiting: tuple[Batch, Tensor] | None = None     # the samples made for this batch, which the generator still has to learn from
    drawn: Tensor | None = None         # or the latents that they came from, in a compiled round
    examples: Tensor | None = None      # of labels, float[M, K], that indices stand for where labels are not classes

    # ------------------------------------------------------------------------------------------------ the losses
    def discriminate(self, batch: Batch, step: int) -> Report:
        """Algorithm 1 of Goodfellow et al. (2014), inner loop, with the penalty when it is not lazy.

        With one step a round the generator's turn learns from the very samples that are judged here: G does not
        move in between, so one forward pass serves both.  With more steps each turn draws its own.
        """
        made = self.shared(batch) if self.once else self.fake(batch)
        real, fake = self.logits(batch.x, made.detach(), self.labels(batch), step)
        if isinstance(self.rules.augment, Adaptive):
            self.rules.augment.observe(real)
        terms = {"adversarial": self.objective.discriminator(real, fake)}
        if self.rules.every == 1:
            terms |= self.penalized(batch, made.detach(), step)
        return Report(terms | self.agreement(batch, step), self.watched(real, fake))

    def watched(self, real: Tensor, fake: Tensor) -> Watched:
        """Mean probabilities where the objective has them; of a critic, its mean scores."""
        strength: Watched = {}
        if isinstance(self.rules.augment, Adaptive):
            p = torch.tensor(self.rules.augment.p)
            strength["augmented"] = lambda: p
        if not self.objective.probability:
            return strength | {"score(x)": lambda: real.mean(), "score(G(z))": lambda: fake.mean()}
        return strength | {"D(x)": lambda: real.sigmoid().mean(), "D(G(z))": lambda: fake.sigmoid().mean(),
                "accuracy": lambda: ((real > 0).float().mean() + (fake <= 0).float().mean()) / 2}

    def generate(self, batch: Batch, step: int) -> Report:
        """Algorithm 1, outer loop."""
        self.clip()
        made = self.left_over(batch)
        labels, critic = self.labels(batch), self.opponent(batch, made, step)
        real = self.score(batch.x, labels, step, critic) if self.objective.relativistic else None
        loss = self.objective.generator(real, self.score(made, labels, step, critic))
        return Report({"adversarial": loss} | self.agreement(batch, step))

    def regularize(self, batch: Batch, step: int) -> Report:
        """The lazy penalty, weighted by the discriminator steps it stands for (Karras et al., 2020, appendix B)."""
        made = self.fake(batch).detach()
        stands_for = self.rules.every * self.rules.steps
        return Report({name: stands_for * term for name, term in self.penalized(batch, made, step).items()})

    def settle(self, batch: Batch, step: int) -> Report:
        """The averaged generator takes the statistics of its own maps, in its batch norms; nothing learns."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            self.generator.average(self.latents(batch), *self.labels(batch))
        return Report()

    def penalized(self, batch: Batch, fake: Tensor, step: int) -> dict[str, Tensor]:
        """Each penalty by name, weighted; a packed sample has one gradient."""
        if not self.rules.penalty:                              # and no noise is drawn for none
            return {}
        labels = tuple(y[::self.rules.pack] for y in self.labels(batch))
        real, made = (penalties.packed(self.seen(x, step), self.rules.pack) for x in (batch.x, fake))

        def critic(x: Tensor) -> Tensor:
            return self.discriminator.net(self.augmented(x), *(y.repeat(len(x) // len(y), *[1] * (y.ndim - 1)) for y in labels))

        weight = self.rules.weight(step)
        return {name: weight * penalty(critic, real, made) for name, penalty in self.rules.penalty.items()}

    def agreement(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """The consensus penalty, weighted, on fakes of its own."""
        if not self.rules.consensus:
            return {}
        G, D, labels = self.generator.net, self.discriminator.net, self.labels(batch)
        latents = torch.randn(len(batch.x), self.latent, device=self.device)

        def losses(generator: penalties.Weights, discriminator: penalties.Weights) -> tuple[Tensor, Tensor]:
            made, critic = with_weights(G, generator)(latents, *labels), with_weights(D, discriminator)
            real, fake = self.score(batch.x, labels, step, critic), self.score(made, labels, step, critic)
            return self.objective.generator(real, fake), self.objective.discriminator(real, fake)

        return {"consensus": self.rules.consensus * penalties.consensus(
            losses, weights_of(G, self.generator.parameters), weights_of(D, self.discriminator.parameters))}

    def opponent(self, batch: Batch, made: Tensor, step: int) -> Callable[..., Tensor]:
        """The discriminator that the generator trains against: the current one, or the one after some unrolled steps
        (Metz et al., 2017), which the generator's gradient then follows too.  The steps are down the adversarial loss alone."""
        D, labels = self.discriminator.net, self.labels(batch)
        if not self.rules.unroll:
            return D

        def loss(weights: penalties.Weights) -> Tensor:
            critic = with_weights(D, weights)
            return self.objective.discriminator(self.score(batch.x, labels, step, critic), self.score(made, labels, step, critic))

        adam = self.discriminator.optimizer
        assert isinstance(adam, Adam)
        return with_weights(D, adam_ahead(loss, D, adam, self.rules.unroll))

    # ----------------------------------------------------------------------------------------------- their parts
    def latents(self, batch: Batch) -> Tensor:
        return torch.randn(len(batch.x), self.latent, device=self.device)

    def fake(self, batch: Batch, z: Tensor | None = None) -> Tensor:
        return full(self.generator.net(self.latents(batch) if z is None else z, *self.labels(batch)))

    def shared(self, batch: Batch) -> Tensor:
        """Samples that the generator's turn will learn from too.

        A compiled turn finds its gradients itself, and none come back to samples of another turn: there the latents wait instead.
        """
        if torch.compiler.is_compiling():
            self.drawn = self.latents(batch)
            return self.fake(batch, self.drawn)
        self.generator.thaw(True)
        made = self.fake(batch)
        self.waiting = batch, made
        self.generator.thaw(False)
        return made

    def left_over(self, batch: Batch) -> Tensor:
        """The samples that the discriminator judged, or others where it judged several batches of them."""
        waiting, z = self.waiting, self.drawn
        self.waiting = self.drawn = None
        if waiting is not None and waiting[0] is batch:         # a part of a batch is not the whole
            return waiting[1]
        if z is None:
            return self.fake(batch)
        again = with_weights(self.generator.net, {})            # which does not count them a second time
        return full(again(z, *self.labels(batch)))

    def labels(self, batch: Batch) -> tuple[Tensor, ...]:
        return self.chosen(batch.labels)

    def seen(self, x: Tensor, step: int) -> Tensor:
        """What the discriminator is shown: the sample, with instance noise while there is any (Soenderby et al., 2017)."""
        deviation = self.rules.noise(step) if self.rules.noise is not None else 0.0
        return x + deviation * torch.randn_like(x) if deviation else x

    def augmented(self, x: Tensor) -> Tensor:
        """The sample as the discriminator sees it, differently every time; penalties are about slopes before that."""
        if self.rules.augment is None:
            return x
        with torch.autocast(x.device.type, enabled=False):      # places of pixels need more than two digits
            return self.rules.augment(full(x))

    def score(self, x: Tensor, labels: tuple[Tensor, ...], step: int, critic: Callable[..., Tensor] | None = None) -> Tensor:
        """The logits of the discriminator, or of another critic in its place: float[B / pack]."""
        pack = self.rules.pack
        shown = penalties.packed(self.augmented(self.seen(x, step)), pack)
        return full((self.discriminator.net if critic is None else critic)(shown, *(y[::pack] for y in labels))).flatten()

    def logits(self, real: Tensor, fake: Tensor, labels: tuple[Tensor, ...], step: int) -> tuple[Tensor, Tensor]:
        self.clip()
        if self.separately:
            return self.score(real, labels, step), self.score(fake, labels, step)
        first, second = self.score(torch.cat([real, fake]), tuple(torch.cat([y, y]) for y in labels), step).chunk(2)
        return first, second

    def clip(self) -> None:
        """Clamp before every use, which is after every step."""
        if self.rules.clip:
            penalties.clip(self.discriminator.parameters, self.rules.clip)

    # ------------------------------------------------------------------------------------------- for the game
    def turns(self, steps: int) -> dict[str, Turn]:
        """The discriminator `steps` times, its lazy penalty when there is one, then the generator."""
        return {"discriminator": Turn(self.discriminator, self.discriminate, times=steps), **self.lazily(),
                "generator": Turn(self.generator, self.generate), **self.settled()}

    def lazily(self) -> dict[str, Turn]:
        """The turn of a lazy penalty, where there is one."""
        lazy = self.rules.penalty and self.rules.every > 1
        return {"penalty": Turn(self.discriminator, self.regularize, every=self.rules.every)} if lazy else {}

    def settled(self) -> dict[str, Turn]:
        """The turn in which an averaged generator with batch norms takes its own statistics, where it does."""
        return {"statistics": Turn(self.generator, self.settle, every=SETTLED)} if self.generator.own_statistics else {}

    def game(self, turns: dict[str, Turn]) -> Game:
        """D can be asked for its belief only where it has one, and about single samples."""
        has_probability = self.objective.probability and self.rules.pack == 1
        return Game(players={"generator": self.generator, "discriminator": self.discriminator}, turns=turns,
                    model=self.generator.average, generator=self.generator.average, classes=self.classes, prior=self.prior,
                    sample=self.sample, judge=self.judge if has_probability else None,
                    memory={"augmentation": self.rules.augment} if isinstance(self.rules.augment, Adaptive) else {})

    def prior(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randn(n, self.latent, generator=rng)

    def sample(self, z: Tensor, labels: Tensor | None = None, live: bool = False) -> Tensor:
        return evaluate(self.generator.net if live else self.generator.average, z.to(self.device), *self.chosen(labels))

    def judge(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return evaluate(self.discriminator.net, x.to(self.device), *self.chosen(labels)).flatten()

    def chosen(self, labels: Tensor | None) -> tuple[Tensor, ...]:
        """Labels as networks take them."""
        return asked(labels, self.device, self.examples) if self.classes else ()


def examples_of(space: Space, device: torch.device) -> Tensor | None:
    """Rows of labels that indices stand for, where labels are not classes."""
    traits = traits_of(space)
    return None if traits is None else traits.table().to(device)


def asked(labels: Tensor | None, device: torch.device, examples: Tensor | None) -> tuple[Tensor, ...]:
    """Labels as networks take them: classes int64[B]; or float[B, K], which may be asked for by the index of an example."""
    if labels is None:
        return ()
    labels = labels.to(device)
    return (labels if examples is None or labels.is_floating_point() else examples[labels],)
