"""The engine: players (networks with their optimizers) that take turns, and how a turn is computed (precision, processes, compilation).

One round is every turn that is due: usually the discriminator's K steps, then the generator's.  Other texts call it an iteration or a
step; `steps` counts rounds.  The engine knows spaces and batches, and nothing of what players minimize.
"""

from sparring.game.drawing import evaluate
from sparring.game.latents import Normal, OneHot, Uniform, draw
from sparring.game.players import (
    Animation,
    Game,
    Loss,
    NotFinite,
    Player,
    Report,
    Translation,
    Turn,
    Watched,
    averaged,
    nothing_to_draw,
    only_animates,
)
from sparring.game.rounds import Move, Share, gathered, moves, not_finite, play, play_at_once

__all__ = ["Animation", "Game", "Loss", "Move", "Normal", "NotFinite", "OneHot", "Player", "Report", "Share", "Translation", "Turn",
           "Uniform", "Watched", "averaged", "draw", "evaluate", "gathered", "moves", "not_finite", "nothing_to_draw", "only_animates",
           "play", "play_at_once"]
