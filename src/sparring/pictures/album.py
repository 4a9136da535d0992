"""The pictures that sum up a finished run, drawn from its folder and its generator."""

from pathlib import Path

from sparring.game import Game
from sparring.objectives.theory import LOG4
from sparring.pictures.log_charts import loss_curves, score_curves
from sparring.pictures.strips import filmstrip, interpolation
from sparring.runs.folder import RunFolder, read_lines
from sparring.spaces import Space, Table, Texts


def album(game: Game, space: Space, folder: RunFolder, seed: int) -> list[tuple[Path, str]]:
    """Draw filmstrip, interpolation, losses and scores into the run folder; each path with a caption, last samples first.

    What has nothing to draw from, because someone deleted it, is left out.
    """
    pictures = []
    shots, rows = sorted(folder.samples.glob("*.png")), read_lines(folder.log)
    if shots:
        pictures += [(shots[-1], f"After {int(shots[-1].stem):,} rounds."),
                     (filmstrip(folder.samples, folder.path / "filmstrip.png"), "The same, from before the first round to the last.")]
    if game.draws and not isinstance(space, Table | Texts):         # a row or a line has no halfway to another
        pictures.append((interpolation(game, space, folder.path / "interpolation.png", seed),
                         "On the way from one random vector to another: what lies between two samples."))
    if rows:
        pictures.append((loss_curves(rows, folder.path / "losses.png", None if game.judge is None else LOG4),
                         "The game: losses, and below them what is only watched." +
                         ("" if game.judge is None else " Accuracy is the share of samples on the right side of one half.")))
    scores = score_curves(read_lines(folder.scores), folder.path / "scores.png")
    return pictures if scores is None else [*pictures, (scores, "Scores over the rounds.")]
