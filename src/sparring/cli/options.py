"""Options that many commands have.  Nothing here imports torch."""

from typing import Annotated

import typer

from sparring.data.formats import READ

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")]
Seed = Annotated[int, typer.Option("--seed", help="Every random draw follows from it.")]
Device = Annotated[str, typer.Option("--device", help="Where to compute: auto, cpu, cuda or mps.")]
Data = Annotated[list[str] | None, typer.Option(
    "--data", metavar="SOURCE", help="What to learn from: quadratic, gaussian, mixture, ring, grid or digits; or the path of "
    f"{READ}; of table, any .csv, .tsv or .parquet. Images in subfolders have these as classes; a labels.csv beside them gives several "
    "labels. Translators learn from pairs, two sets (give --data twice) or a folder a domain. When left out, it is the example that "
    "`sparring show RECIPE` names.")]
Columns = Annotated[list[str] | None, typer.Option(
    "--column", metavar="NAME=KIND", help="Of table: what a column is, where that is not as found: number, integer, category, date or "
    "skip; number:, has decimal commas, date:%d/%m/%Y a format. As often as needed.")]
Rules = Annotated[list[str] | None, typer.Option(
    "--rule", metavar="RULE", help="Of table: what every row keeps, such as 'age >= 18', 'end >= start', 'total = price * quantity', "
    "'unique id', 'code ~ \"[A-Z]{2}\"'. As often as needed, in quotes.")]
Where = Annotated[str | None, typer.Option(
    "--where", metavar="NAME=VALUE", help="Of table: what rows should be, such as 'sex=Female,age>=30', in quotes since a "
    "shell reads > too.")]
Target = Annotated[str | None, typer.Option(
    "--target", metavar="COLUMN", help="Of table: how well classifiers that learned from samples predict this column of real rows.")]
Own = Annotated[str | None, typer.Option(
    "--recipe", metavar="FILE", help="Your own system that the run is of, such as ./mine.py. Its code is run because you name it here, and "
    "never because a folder does.")]
Temperature = Annotated[float | None, typer.Option(
    "--temperature", help="Of text: above 1 for more variety, below 1 for likelier words; 1 is as learned.")]
Prefix = Annotated[str, typer.Option("--prefix", metavar="TEXT", help="Of text: how every line begins.")]
