"""What `--help` looks like: whole sentences, commands in groups, and names as they are typed.  Nothing here imports torch."""

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

GROUPS = {
    "Begin": ("demo", "recipes", "show", "data", "new"),
    "Train": ("train", "rerun"),
    "Use what was trained": ("sample", "explore", "translate", "animate", "export"),
    "See how good it is": ("evaluate", "doctor", "report", "compare"),
    "Study": ("lab", "experiment", "gallery", "bench"),
}


class Command(TyperCommand):
    """A command whose arguments are shown as they are typed, without the types that Python has for them, in every version of typer."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["[OPTIONS]", *(usage(param) for param in self.get_params(ctx) if param.param_type_name == "argument")]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            records = [record for param in self.get_params(ctx) if param.param_type_name == kind
                       if (record := param.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(title):
                    formatter.write_dl([(re.sub(r" <.+>$", "", name) if kind == "argument" else name, text) for name, text in records])


class Group(TyperGroup):
    """The list of commands: each group under its title, each command with the whole first sentence of its help."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.list_commands(ctx)))
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), first_sentence(getattr(self.get_command(ctx, name), "help", None) or ""))
                                    for name in names])


def usage(argument: Any) -> str:
    """`RECIPE`, `[RUN]` where it may be left out, `INPUT...` where there may be several."""
    name = argument.metavar or argument.name.upper()
    return (name if argument.required else f"[{name}]") + ("..." if argument.nargs != 1 else "")


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence."""
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]
