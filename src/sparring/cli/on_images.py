"""Commands that make images of images, as `app.py` takes them in.  Nothing here imports torch before it is needed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sparring.cli.answer import finish, reading
from sparring.cli.options import Json, Own


def translate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a model folder, of a translator.")],
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT", help="Images, folders of images, or .zip files of them.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the translations, one PNG each.")],
    to: Annotated[str | None, typer.Option("--to", help="The domain to translate into, where there are several.")] = None,
    fit: Annotated[str, typer.Option("--fit", help="Images of another size than training's: resize (there and back), tile (overlapping "
                                     "tiles), or whole (as they are).")] = "resize",
    half: Annotated[str | None, typer.Option("--half", help="Of pictures that hold pairs side by side, the half to translate: left or "
                                             "right.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Draw the noise of training, where the system has some; without, the same "
                                             "image gives the same translation.")] = None,
    recipe: Own = None,
    as_json: Json = False,
) -> None:
    """Translate images with a trained translator."""

    def action() -> dict[str, Any]:
        reading(run)
        from sparring.cli.translate import translate as command

        return command(run, inputs, out, to, fit, seed, half, recipe)  # type: ignore[arg-type]

    finish(action, as_json, "translate")


def animate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a model folder, of `motion`.")],
    source: Annotated[list[Path], typer.Option("--source", metavar="IMAGE", help="The picture to animate; give it several times for a film "
                                               "of each.")],
    driving: Annotated[Path, typer.Option("--driving", metavar="CLIP", help="What moves: a film, an animated picture, a strip or a folder "
                                          "of frames, with one figure in it, cut as the training clips were.")],
    out: Annotated[Path, typer.Option("--out", help="The film: .gif, .webp, .png, .mp4, .mov or .webm, or a new folder for its frames.")],
    relative: Annotated[bool, typer.Option("--relative", help="Take only the changes since the clip's first frame, so that the picture "
                                           "keeps its own build and place.")] = False,
    find_best_frame: Annotated[bool, typer.Option("--find-best-frame", help="With --relative: the changes since the frame in which the "
                                                  "clip's pose is nearest to the picture's.")] = False,
    show_keypoints: Annotated[bool, typer.Option("--show-keypoints", help="Show picture and clip with their key points beside the "
                                                 "result.")] = False,
    pace: Annotated[float, typer.Option("--pace", metavar="FRAMES", help="Frames a second; 0: as many as the driving clip has.")] = 0.0,
    recipe: Own = None,
    as_json: Json = False,
) -> None:
    """Animate a picture by a clip, with a trained `motion` model."""

    def action() -> dict[str, Any]:
        reading(run)
        from sparring.cli.animate import animate as command

        return command(run, source, driving, out, relative, find_best_frame, show_keypoints, pace, recipe)

    finish(action, as_json, "animate")
