"""Text that fits the terminal in which it is read: folded between words, and commands so that a shell still takes them."""

import os
import re
import textwrap
from typing import TextIO

LEAST = 20              # columns that are left for folded text; with fewer it begins further left
COMMAND = re.compile(r"\s*(?:\w[\w ,']{0,40}: )?(?:torchrun \S.{0,40} )?sparring [a-z]+ ")
WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|\S)+""")       # with what a shell takes for part of it


def columns(stream: TextIO) -> int:
    """How wide the terminal of a stream is: what COLUMNS says, else what the terminal does; 80 where there is none."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):
        return 80


def fold(text: str, width: int) -> str:
    """The text with no line longer than that, unless one word is: broken between words, under the column where its words stand."""
    return "\n".join(line if len(line) <= width else folded(line, width) for line in text.split("\n"))


def folded(line: str, width: int) -> str:
    """One line as several; the lines of a command end in a backslash, so that they can be pasted."""
    if COMMAND.match(line):
        return folded_command(line, width)
    return "\n".join(textwrap.wrap(line, width, subsequent_indent=" " * hanging(line, width), break_long_words=False,
                                   break_on_hyphens=False, replace_whitespace=False, expand_tabs=False)) or line


def hanging(line: str, width: int) -> int:
    """Where the rest of a line goes on: in a table under its last column, if there is room, else a little further in than it began."""
    places = [0, *(gap.end() for gap in re.finditer(r"\S {2,}(?=\S)", line))]
    begins = [len(line) - len(line.lstrip()) + (2 if line.startswith(("- ", " ")) else 0), *places[1:]]
    return max((place for place in begins if place <= width - LEAST), default=0)


def folded_command(line: str, width: int) -> str:
    """A command on several lines, broken outside quotes."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    lines, now = list[str](), line[:len(line) - len(line.lstrip())]
    for word in WORD.findall(line):
        longer = f"{now} {word}" if now.strip() else now + word
        if len(longer) > width - 2 and now.strip():
            lines.append(f"{now} \\")
            longer = indent + word
        now = longer
    return "\n".join([*lines, now])
