"""The networks of a generator and a discriminator, set up to play against each other: what gan, wgan and r3gan share."""

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from sparring.errors import InputError
from sparring.game import Player
from sparring.nets.dcgan import ConvDiscriminator, ConvGenerator
from sparring.nets.mlp import MLPDiscriminator, MLPGenerator
from sparring.nets.r3gan import R3Discriminator, R3Generator
from sparring.nets.residual_gan import ResidualDiscriminator, ResidualGenerator
from sparring.objectives.augment import Adaptive, diff
from sparring.objectives.gan_turns import Adversaries, Rules, examples_of
from sparring.objectives.losses import Adversarial
from sparring.spaces import Images, Space, traits_of

NETWORKS = ("generator", "discriminator")       # that users may give of their own


class Shape(Protocol):
    """The settings that say how large the networks are, and what they are told."""

    @property
    def latent(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def slope(self) -> float: ...
    @property
    def residual(self) -> bool: ...
    @property
    def conditional(self) -> bool: ...


def opponents(c: Shape, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None, objective: Adversarial, rules: Rules,
              players: Callable[[nn.Module, nn.Module], tuple[Player, Player]], *, once: bool, sloped: str = "",
              deep: bool = False, spectral: bool = False, modern: bool = False) -> Adversaries:
    """Generator and discriminator on the device; `own` networks, by name, replace the built-in ones.

    `players` puts both under their optimizers.  `once`: the discriminator moves once a round, so that its samples can serve the
    generator's turn too.  `sloped`: what the penalty on slopes is called.  InputError where the discriminator that pays it mixes the
    samples of a batch.
    """
    classes = len(space.labels) if c.conditional else 0
    built = networks(space, c.latent, c.width, c.depth, c.slope, classes, rules.pack, residual=c.residual, deep=deep, modern=modern)
    nets = {**built, **(own or {})}
    if rules.penalty:
        refuse_batch_norm(nets["discriminator"], sloped)
    if spectral:
        bound_layers(nets["discriminator"])
    place(nets, space, device)
    generator, discriminator = players(nets["generator"], nets["discriminator"])
    return Adversaries(generator, discriminator, objective, c.latent, device, classes, rules, once=once,
                       separately="discriminator" in (own or {}), examples=examples_of(space, device))


def bound_layers(net: nn.Module) -> None:
    """Divide each layer by its largest singular value (Miyato et al., 2018, Algorithm 1)."""
    for module in list(net.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d) and not is_parametrized(module):     # a network of one's own may be here again
            spectral_norm(module)


def inputs_of(space: Space, classes: int) -> int:
    """How many numbers tell a network the labels: one a class, or one a trait; 0 when it is not told."""
    traits = traits_of(space)
    return len(traits.names) if traits is not None and classes else classes


def networks(space: Space, latent: int, width: int, depth: int, slope: float, classes: int, pack: int = 1, *,
             residual: bool = False, deep: bool = False, modern: bool = False) -> dict[str, nn.Module]:
    """A generator and a discriminator that fit the data's shape; a discriminator of packs sees them joined.  `modern`: R3GAN's."""
    classes = inputs_of(space, classes)
    if deep and (residual or not isinstance(space, Images)):
        raise InputError(f"deep=true is for the convolutional discriminator of images, and "
                         f"{'residual networks are deep as they are' if residual else 'this data is not images'}. Give deep=false.")
    if modern and (residual or not isinstance(space, Images)):
        raise InputError("residual=true and backbone=r3gan ask for two kinds of networks. Give one of them." if residual else
                         "backbone=r3gan is for images, and this data is not images. Give backbone=plain.")
    if isinstance(space, Images):
        channels, height, wide = space.shape
        seen = (channels * pack, height, wide)
        if modern:
            return {"generator": R3Generator(latent, space.shape, width, classes), "discriminator": R3Discriminator(seen, width, classes)}
        if residual:
            return {"generator": ResidualGenerator(latent, space.shape, width, classes),
                    "discriminator": ResidualDiscriminator(seen, width, classes)}
        return {"generator": ConvGenerator(latent, space.shape, width, classes),
                "discriminator": ConvDiscriminator(seen, width, classes, deep)}
    if residual:
        raise InputError("residual=true is for images, and this data is not images. Give residual=false.")
    size, = space.shape
    return {"generator": MLPGenerator(latent, size, width, depth, slope, classes),
            "discriminator": MLPDiscriminator(size * pack, width, depth, slope, classes)}


def augmentation(name: str, space: Space, images: int, pack: int = 1, *, believes: bool = True) -> Callable[[Tensor], Tensor] | None:
    """What `augment=name` asks for, in a run that shows the discriminator so many real images; InputError where it cannot be.

    Adaptive augmentation may go from none to full in a quarter of the run, and never in more than the paper's 500,000 images.
    """
    if name == "none":
        return None
    if not isinstance(space, Images):
        raise InputError(f"augment={name} moves and recolours images, and this data is not images. Give augment=none.")
    if pack > 1:
        raise InputError(f"pack={pack} joins images along their colour channels, and augment={name} would mix these. Give pack=1, or "
                         "augment=none.")
    if name == "diff":
        return diff
    if not believes:
        raise InputError("augment=ada needs an objective whose discriminator gives a probability. Give augment=diff, or "
                         "objective=nonsaturating or minimax.")
    return Adaptive(adaptation(images))


def adaptation(images: int) -> int:
    """In how many images adaptive augmentation may go from none to full, in a run that shows so many."""
    return min(500_000, max(1, images // 4))


def adapts(augment: str, seen: int, steps: int, more: int) -> list[str]:
    """That adaptive augmentation goes by the length of a run whose discriminator sees so many images a round, and how it would go in one
    of `more` rounds; nothing where it does not."""
    now, then = adaptation(steps * seen), adaptation(more * seen)
    return [] if augment != "ada" or now == then else [
        f"augment=ada may go from none to full in {now:,} images, a quarter of what {steps:,} rounds show; of {more:,} rounds it would be "
        f"{then:,}"]


def place(nets: Mapping[str, nn.Module], space: Space, device: torch.device) -> None:
    """Move networks to the device; those for images into channels_last, the layout that convolutions on a CPU prefer."""
    for net in nets.values():
        net.to(device)
        if isinstance(space, Images):
            net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def refuse_nonsense(objective: str, penalty: str, weight: float, rules: Rules, batch: int, classes: int,
                    spectral: bool) -> None:
    """InputError, with the reason, for settings that do not go together."""
    if rules.clip and rules.penalty:
        raise InputError(f"clip={rules.clip} and penalty={penalty} both bound the discriminator's slope. "
                         f"Give one: clip=0, or penalty=none.")
    if rules.clip and spectral:
        raise InputError(f"clip={rules.clip} and spectral=true both bound the discriminator's slope. Give one: clip=0, or spectral=false.")
    if objective == "wasserstein" and not (rules.clip or (rules.penalty and weight) or spectral):
        raise InputError("objective=wasserstein needs a bounded critic: without a bound its loss falls for ever. Add penalty=gradient "
                         "penalty_weight=10, or clip=0.01, or spectral=true.")
    if rules.consensus and rules.every > 1:
        raise InputError(f"penalty=consensus applies to both players in every round, so penalty_every={rules.every} is not possible. Give "
                         "penalty_every=1.")
    if rules.every > 1 and not rules.penalty:
        raise InputError(f"penalty_every={rules.every} is given, but there is no penalty. Give a penalty with a weight above 0, such as "
                         "penalty=r1 penalty_weight=1, or penalty_every=1.")
    if rules.unroll and rules.clip:
        raise InputError(f"unroll={rules.unroll} does not clip the weights of its look-ahead steps, so it cannot go with "
                         f"clip={rules.clip}. Give unroll=0, or clip=0 with spectral=true or a penalty.")
    if rules.unroll and rules.consensus:
        raise InputError(f"penalty=consensus needs the gradients of both players' own losses, and unroll={rules.unroll} gives the "
                         "generator another loss. Give unroll=0, or another penalty.")
    if batch % rules.pack:
        raise InputError(f"batch={batch} cannot be packed by {rules.pack}: the batch must be a multiple of pack. "
                         f"Try batch={max(1, batch // rules.pack) * rules.pack}.")
    if rules.pack > 1 and classes:
        raise InputError(f"pack={rules.pack} joins samples of different classes. Give conditional=false, or pack=1.")


def refuse_batch_norm(net: nn.Module, why: str) -> None:
    """InputError for a network whose output for one sample depends on the rest of the batch."""
    for name, module in net.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise InputError(f"your discriminator has {type(module).__name__} ('{name}'), which mixes the samples of a batch; {why} needs "
                             "the gradient of each sample by itself. Use LayerNorm, GroupNorm or no normalization there.")
