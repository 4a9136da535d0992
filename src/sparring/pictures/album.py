"""The pictures that sum up a finished run, drawn from its folder and its generator."""

from pathlib import Path

from sparring.data.space import Space
from sparring.game import Game
from sparring.pictures.losses import loss_curves, score_curves
from sparring.pictures.strips import filmstrip, interpolation
from sparring.run import RunFolder, read_lines


def album(game: Game, space: Space, folder: RunFolder, seed: int) -> list[tuple[Path, str]]:
    """Draw filmstrip, interpolation, losses and scores into the run folder; each path with a caption, last samples first."""
    last = sorted(folder.samples.glob("*.png"))[-1]
    pictures = [
        (last, f"After {int(last.stem):,} rounds."),
        (filmstrip(folder.samples, folder.path / "filmstrip.png"), "The same, from the first round to the last."),
        (interpolation(game, space, folder.path / "interpolation.png", seed),
         "On the way from one random vector to another: what lies between two samples."),
        (loss_curves(read_lines(folder.log), folder.path / "losses.png"),
         "The game: losses, and what the discriminator says of real and generated samples."),
    ]
    scores = score_curves(read_lines(folder.scores), folder.path / "scores.png")
    return pictures if scores is None else [*pictures, (scores, "Scores over the rounds.")]
