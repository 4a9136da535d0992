"""Options that many commands have.  Nothing here imports torch."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")]
Seed = Annotated[int, typer.Option("--seed", help="Every random draw follows from it.")]
Device = Annotated[str, typer.Option("--device", help="Where to compute: auto, cpu, cuda or mps.")]
