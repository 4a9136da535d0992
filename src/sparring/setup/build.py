"""A recipe's game, with first weights from the seed alone, and what a user's networks must be able to do in it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from sparring.data.source import blank
from sparring.errors import InputError, did_you_mean
from sparring.game import Game, Translation
from sparring.recipes import Recipe
from sparring.settings import Settings
from sparring.spaces import Space


def build(recipe: Recipe, settings: Settings, space: Space, device: torch.device, seed: int,
          own: Mapping[str, nn.Module] | None = None) -> Game:
    """The recipe's game, with first weights that depend on the seed alone."""
    for name, net in (own or {}).items():
        if not recipe.networks:
            raise InputError("this recipe takes no networks of your own. Its networks are in sparring/nets; leave yours out.")
        if name not in recipe.networks:
            raise InputError(f"this recipe has no network '{name}'.{did_you_mean(name, recipe.networks)} "
                             f"Your own may be: {', '.join(recipe.networks)}.")
        if not isinstance(net, nn.Module):
            raise InputError(f"{name} is {net!r}; expected a torch.nn.Module, made and not only its class: {name}=Net().")
        if any(map(is_lazy, net.parameters())):
            raise InputError(f"{name} has layers whose sizes are not known yet; call it once on an example before.")
        if isinstance(net, nn.Sequential) and isinstance(net[-1], nn.Sigmoid) and name == "discriminator":
            raise InputError("discriminator ends in a Sigmoid; the losses take logits and apply it themselves. Leave it out.")
        if not any(p.requires_grad for p in net.parameters()):
            raise InputError(f"{name} has no parameters that could learn; give a network with some that require gradients.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)                         # the first weights that a loop written by hand would have
        game = recipe.game(settings, space, device, own)
        check_networks(game, space, lambda: recipe.game(settings, space, device, deepcopy(dict(own))) if own else None, settings.batch)
    return game


def check_networks(game: Game, space: Space, trial: Callable[[], Game | None], batch: int) -> None:
    """InputError when a user's networks do not take or give what the data needs.

    `trial` makes the same game with copies of the user's networks, on which every loss is tried once; None without them.
    """
    rng, labels = torch.Generator().manual_seed(0), torch.zeros(2, dtype=torch.int64)
    try:
        if game.translation is not None:
            return check_translation(game.translation, space)
        made = tuple(game.sample(game.prior(2, rng), labels).shape)
        if made != (2, *space.shape):
            raise InputError(f"the generator gives shape {made[1:]} for one sample, and the data has {space.shape}. "
                             f"Change its last layer.")
        if game.judge is not None:
            judged = tuple(game.judge(torch.zeros(2, *space.shape), labels).shape)
            if judged != (2,):
                raise InputError(f"the discriminator must give one logit a sample; for two samples it gave {judged[0]} "
                                 f"numbers. Let its last layer give one.")
        if (rehearsal := trial()) is not None:
            refuse_deaf(rehearsal, trial, space, batch)
    except (InputError, torch.OutOfMemoryError):
        raise
    except Exception as error:                                  # a user's forward may raise anything
        z = tuple(game.prior(2, rng).shape[1:])
        classes = ", and the classes int64[n]" if game.classes else ""
        if "storage" in str(error) or "functorch" in str(error):
            raise InputError(f"penalties, consensus and unroll differentiate your networks with torch.func, which goes through neither "
                             f"numpy nor an autograd.Function without setup_context: {str(error).splitlines()[0]}") from None
        raise InputError(f"the networks do not fit: {error}. For n samples the generator takes random numbers float[n, {z[0]}] "
                         f"(latent={z[0]}) and gives float[n, {', '.join(map(str, space.shape))}], which the discriminator "
                         f"takes{classes}.") from None


def check_translation(translation: Translation, space: Space) -> None:
    """A translation into every domain has the shape of its images."""
    for to, (given, wanted) in enumerate(zip(translation.takes, translation.gives, strict=True)):
        made = tuple(translation.run(torch.zeros(2, *given.shape), to).shape)
        assert made == (2, *wanted.shape), f"a translation has shape {made[1:]}, and the data of {type(space).__name__} {wanted.shape}"


def refuse_deaf(rehearsal: Game, trial: Callable[[], Game | None], space: Space, batch: int) -> None:
    """InputError when a loss of a user's networks does not reach its player, who then cannot learn."""
    heard = rehearse(rehearsal, space, batch)
    if all(heard.values()):
        return
    restless = trial()                                          # a last layer that begins at zero passes nothing on at first
    assert restless is not None
    for amount in (0.1, 0.5, 1.0):                              # a small network's ReLUs can all be off by chance, at the start or after
        jolt(restless, amount)
        with suppress(Exception):                               # other weights may not suit a stranger's network: nothing is added then
            heard = {turn: reached or heard[turn] for turn, reached in rehearse(restless, space, batch).items()}
    # Flat is enough only of the generator's loss: a hinge, for one, is flat where the discriminator is sure.
    deaf = [turn for turn, reached in heard.items() if reached is None or (turn == "generator" and not reached)]
    if deaf:
        raise InputError(f"turn '{deaf[0]}' teaches nothing: no gradient of its loss comes back to its player. Something in your "
                         f"networks lets none through: rounding, argmax, a comparison, .detach(), torch.no_grad(), numpy, or a ReLU that "
                         f"is never on. Leave it out, above all from what the discriminator does to its input.")


def rehearse(game: Game, space: Space, batch: int) -> dict[str, bool | None]:
    """Try every loss and its gradient, the last turn's first, which is the simplest: by turn, whether the gradient is other
    than zero anywhere, or None when there is none."""
    heard: dict[str, bool | None] = {}
    for name, turn in reversed(game.turns.items()):
        for player in game.players.values():
            player.thaw(player is turn.player)
        device = turn.player.parameters[0].device
        terms = turn.loss(blank(space, batch, device, game.classes > 0), turn.start).minimize.values()
        total = sum(terms)
        if not isinstance(total, Tensor):
            heard[name] = True                                  # it sits this round out
        elif not total.requires_grad:
            heard[name] = None
        else:
            slopes = torch.autograd.grad(total, turn.player.parameters, allow_unused=True)
            reached = [bool(slope.any()) for slope in slopes if slope is not None]
            heard[name] = any(reached) if reached else None
    return heard


@torch.no_grad()
def jolt(game: Game, amount: float) -> None:
    """Move every parameter, frozen ones too, away from where it is: by so much times a standard normal number."""
    for player in game.players.values():
        for p in player.net.parameters():
            p.add_(amount * torch.randn_like(p))
