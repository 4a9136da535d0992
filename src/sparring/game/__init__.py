"""The engine: players who take turns, the rounds they play, and how a turn is computed (threads, precision, processes, compilation).

It knows samples by their spaces and batches by the data that make them, and nothing of what players minimize.
"""

from sparring.game.players import Game, Loss, NotFinite, Player, Report, Translation, Turn, Watched, averaged, nothing_to_draw
from sparring.game.rounds import Share, not_finite, play, play_at_once

__all__ = ["Game", "Loss", "NotFinite", "Player", "Report", "Share", "Translation", "Turn", "Watched", "averaged", "not_finite",
           "nothing_to_draw", "play", "play_at_once"]
