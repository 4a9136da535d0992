"""Build a recipe's game, with first weights from the seed alone, and check the user's networks on a trial batch."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from sparring.data.source import blank
from sparring.errors import InputError, did_you_mean
from sparring.game import Game, Translation
from sparring.game.copies import copied
from sparring.game.players import counted
from sparring.game.rounds import heard
from sparring.recipes import Recipe
from sparring.settings import Settings
from sparring.setup.outputs import Listening, out_of_range, refuse_probabilities
from sparring.setup.unregistered import refuse_unregistered
from sparring.spaces import Space


def build(recipe: Recipe, settings: Settings, space: Space, device: torch.device, seed: int,
          own: Mapping[str, nn.Module] | None = None) -> Game:
    """The recipe's game, with first weights that depend on the seed alone.  InputError for networks of one's own that cannot play."""
    refuse_unfit(recipe, own or {})
    game = fresh(recipe, settings, space, device, seed, own)

    def trial() -> Game | None:
        return fresh(recipe, settings, space, device, seed, copied(dict(own), " and ".join(own))) if own else None

    check_networks(game, space, trial, settings.batch)
    return game


def fresh(recipe: Recipe, settings: Settings, space: Space, device: torch.device, seed: int,
          own: Mapping[str, nn.Module] | None = None) -> Game:
    """The same, unchecked."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)                         # the first weights that a loop written by hand would have
        return recipe.game(settings, space, device, own)


def refuse_unfit(recipe: Recipe, own: Mapping[str, nn.Module]) -> None:
    """InputError for what is no network that this recipe can train."""
    for name, net in own.items():
        if not recipe.networks:
            raise InputError("this recipe takes no networks of your own. Its networks are in sparring/nets; leave yours out.")
        if name not in recipe.networks:
            raise InputError(f"this recipe has no network '{name}'.{did_you_mean(name, recipe.networks)} "
                             f"Your own may be: {', '.join(recipe.networks)}.")
        if not isinstance(net, nn.Module):
            raise InputError(f"{name} is {net!r}; expected a torch.nn.Module instance, such as {name}=Net(), not its class.")
        if any(map(is_lazy, net.parameters())):
            raise InputError(f"{name} has lazy layers whose sizes are not known yet. Call it once on an example first.")
    refuse_unregistered(own)
    for name, net in own.items():
        if not any(p.requires_grad for p in net.parameters()):
            raise InputError(f"{name} has no trainable parameters. Give a network with parameters that require gradients.")
    for (name, net), (other, rival) in pairwise(own.items()):
        if shared := [p for p in net.parameters() if any(p is q for q in rival.parameters())]:
            raise InputError(f"{name} and {other} share {counted(shared)}. They play against each other, so each needs parameters of its "
                             "own. Give each its own copy.")


def check_networks(game: Game, space: Space, trial: Callable[[], Game | None], batch: int) -> list[str]:
    """InputError when a user's networks do not take or give what the data needs; what to tell of networks that do.

    `trial` makes the same game with copies of the user's networks, on which every loss is tried once; None without them.  Whoever draws
    random numbers draws the same as if nothing had been tried.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _check_networks(game, space, trial, batch)


def _check_networks(game: Game, space: Space, trial: Callable[[], Game | None], batch: int) -> list[str]:
    rng, labels = torch.Generator().manual_seed(0), torch.zeros(2, dtype=torch.int64)
    try:
        if game.translation is not None:
            check_translation(game.translation, space)
            return []
        if game.animation is not None:
            x = torch.zeros(2, *game.animation.frame.shape)
            found = game.animation.points(x)
            assert game.animation.render(x, found, found).shape == x.shape
            return []
        if not game.draws:
            return []
        made = tuple(game.sample(game.prior(2, rng), labels).shape)
        if made != (2, *space.shape):
            raise InputError(f"the generator gives shape {made[1:]} for one sample, and the data has {space.shape}. "
                             f"Change its last layer.")
        if game.judge is not None:
            judged = tuple(game.judge(torch.zeros(2, *space.shape), labels).shape)
            if judged != (2,):
                raise InputError(f"the discriminator must return one logit per sample; for two samples it returned {judged[0]} numbers. "
                                 "Give its last layer one output.")
        if (rehearsal := trial()) is not None:
            nets = {name: player.net for name, player in rehearsal.players.items()}
            generates = nets["generator"] if "generator" in nets else getattr(nets.get("autoencoder"), "decoder", nn.Identity())
            with Listening(nets.get("discriminator", nn.Identity())) as judging, Listening(generates) as generating:
                reached = rehearse(rehearsal, space, batch)
            told = [refuse_probabilities(judging), out_of_range(generating, space)]
            refuse_blocked_gradients(rehearsal, reached, trial, space, batch)
            return [one for one in told if one]
        return []
    except (InputError, torch.OutOfMemoryError):
        raise
    except Exception as error:                                  # a user's forward may raise anything
        z = tuple(game.prior(2, rng).shape[1:])
        classes = ", and the classes int64[n]" if game.classes else ""
        if "storage" in str(error) or "functorch" in str(error):
            raise InputError("penalties, consensus and unroll differentiate your networks with torch.func. It does not work through numpy, "
                             f"or through an autograd.Function without setup_context: {str(error).splitlines()[0]}") from None
        raise InputError(f"the networks failed on a trial batch: {error}. For n samples the generator gets latents float[n, {z[0]}] "
                         f"(latent={z[0]}) and must return float[n, {', '.join(map(str, space.shape))}], which the discriminator "
                         f"gets{classes}.") from None


def check_translation(translation: Translation, space: Space) -> None:
    """A translation into every domain has the shape of its images."""
    for to, (given, wanted) in enumerate(zip(translation.takes, translation.gives, strict=True)):
        made = tuple(translation.run(torch.zeros(2, *given.shape), to).shape)
        assert made == (2, *wanted.shape), f"a translation has shape {made[1:]}, and the data of {type(space).__name__} {wanted.shape}"


def refuse_blocked_gradients(rehearsal: Game, reached: dict[str, bool | None], trial: Callable[[], Game | None], space: Space,
                             batch: int) -> None:
    """InputError when the gradient of a loss does not reach its player, which then cannot learn; `reached` is what `rehearse` found."""
    if all(reached.values()):
        return
    moved = trial()                                             # a last layer that begins at zero passes nothing on at first
    assert moved is not None
    for amount in (0.1, 0.5, 1.0):                              # a small network's ReLUs can all be off by chance, at the start or after
        add_noise(moved, amount)
        with suppress(Exception):                               # other weights may not suit a stranger's network: nothing is added then
            reached = {turn: found or reached[turn] for turn, found in rehearse(moved, space, batch).items()}
    # Flat is enough only of the generator's loss: a hinge, for one, is flat where the discriminator is sure.
    blocked = [turn for turn, found in reached.items() if found is None or (turn == "generator" and not found)]
    if blocked:
        name = next(name for name, player in rehearsal.players.items() if player is rehearsal.turns[blocked[0]].player)
        raise InputError(f"no gradient of turn '{blocked[0]}' reaches the {name}, so it cannot learn. Something in your networks blocks "
                         "gradients: rounding, argmax, a comparison, .detach(), torch.no_grad(), numpy, or a ReLU that is always off. "
                         "Remove it; look first at what the discriminator does to its input.")


def rehearse(game: Game, space: Space, batch: int) -> dict[str, bool | None]:
    """Try every loss and its gradient, the last turn's first, which is the simplest: by turn, whether the gradient is other
    than zero anywhere, or None when there is none."""
    reached: dict[str, bool | None] = {}
    for name, turn in reversed(game.turns.items()):
        game.let_learn(turn.player)
        device = turn.player.parameters[0].device
        terms = heard(name, turn, blank(space, batch, device, game.classes > 0), turn.start).minimize.values()
        total = sum(terms)
        if not isinstance(total, Tensor):
            reached[name] = True                                # it sits this round out
        elif not total.requires_grad:
            reached[name] = None
        else:
            slopes = torch.autograd.grad(total, turn.player.parameters, allow_unused=True)
            nonzero = [bool(slope.any()) for slope in slopes if slope is not None]
            reached[name] = any(nonzero) if nonzero else None
    return reached


@torch.no_grad()
def add_noise(game: Game, amount: float) -> None:
    """Add to every parameter, frozen ones too, so much times a standard normal number."""
    for player in game.players.values():
        for p in player.net.parameters():
            p.add_(amount * torch.randn_like(p))
