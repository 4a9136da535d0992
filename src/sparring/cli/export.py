"""The command `export`: a model in files that other programs run, each with a page about it.  Nothing here imports torch before it is
needed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sparring.cli.answer import finish, reading
from sparring.cli.options import Json, Own
from sparring.errors import InputError, did_you_mean, shown

FORMATS = ("onnx",)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a model folder.")],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="The format: onnx.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to: FILE.onnx; RUN.onnx in the current folder when left "
                                             "out. A page about the model goes beside it, FILE.md.")] = None,
    recipe: Own = None,
    as_json: Json = False,
) -> None:
    """Write a model into a file that runs without torch and sparring."""

    def action() -> dict[str, Any]:
        if to not in FORMATS:
            raise InputError(f"--to {shown(to)}: expected onnx.{did_you_mean(to, FORMATS)}")
        reading(run)
        return exported(run, out or Path(f"{run.resolve().name}.onnx"), recipe)

    finish(action, as_json, "export")


def exported(run: Path, out: Path, recipe: str | None) -> dict[str, Any]:
    """Write the files, and say how exact they are."""
    from sparring import api
    from sparring.export.convert import require
    from sparring.export.files import refuse_name, write
    from sparring.export.parts import TRIED

    refuse_name(out)
    require()                                                   # before a large model is read
    before = out.exists()
    files = write(api.load(run, recipe=recipe), out)
    said = [f"{one.file}: {one.size / 1e6:.3g} MB{', which replaced that file' if before else ''}. Over {TRIED} inputs at most "
            f"{one.difference:.1e} away from torch, in float32. About it: {one.page}" for one in files]
    return {"files": [{"file": str(one.file), "page": str(one.page), "bytes": one.size, "difference": one.difference,
                       "inputs": list(one.part.trial), "output": one.part.output} for one in files],
            "precision": "float32", "text": "\n".join(said)}
