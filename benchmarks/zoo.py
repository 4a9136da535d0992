"""The table of docs/zoo.md, its counts, and its picture docs/pictures/zoo.png, which is drawn from the table.

    python -m benchmarks.zoo

writes the counts into the page and draws the picture anew.
"""

import re
from collections import Counter
from functools import cache
from hashlib import sha256
from itertools import combinations, pairwise
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from benchmarks.record import ROOT

PAGE, PICTURE = ROOT / "docs" / "zoo.md", ROOT / "docs" / "pictures" / "zoo.png"
MEANINGS = {                                                    # how a cell begins: what that means, and its colour (Okabe and Ito, 2008)
    "settings": ("a command of today trains it, or shows it", "#0072B2"),
    "recipe": ("a recipe is this very system", "#009E73"),
    "example": ("a file in `examples/` is this system", "#A65A00"),
    "could be": ("one file could be it: the cell says which one to copy, and what changes", "#5C5C5C"),
    "lacks": ("something is missing here, which the cell names", "#B5387D"),
}
CELL = re.compile(rf"\*\*({'|'.join(MEANINGS)})\*\*,? ")
TABLE = "| name | authors, year | idea | here |"
COUNTED = re.compile(r"^\| \*(?:settings|recipe|example|could be|lacks)\* \|.*\n", re.MULTILINE)

WIDE, MARGIN, GAP, COLUMNS = 1600, 24, 16, 4                    # pixels
NAME, HEAD, TITLE, LINE = 15, 18, 26, 22
CARD_WIDE = (WIDE - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS
PAPER, CARD, RULE, INK = "#FFFFFF", "#F5F6F8", "#D9DCE1", "#1F2328"


class Row(NamedTuple):
    """One GAN of the page."""

    family: str
    name: str
    authors: str
    idea: str
    standing: str                                               # one of MEANINGS
    here: str                                                   # what the last cell says after that


def rows(page: str) -> list[Row]:
    """The rows of all tables of the page.  ValueError for a row that is not as the others are."""
    found: list[Row] = []
    for family in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title, _, text = family.partition("\n")
        for line in text[text.index(TABLE):].splitlines()[2:] if TABLE in text else ():
            if not line.startswith("|"):
                break
            cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            begins = CELL.match(cells[3]) if len(cells) == 4 else None
            if begins is None or not all(cells):
                raise ValueError(f"{line!r}: expected | name | authors, year | idea | **{'** or **'.join(MEANINGS)}** ... |")
            name, authors, idea, here = cells
            found.append(Row(title, name, authors, idea, begins[1], here[begins.end():]))
    return found


def counts(table: list[Row]) -> str:
    """How many rows there are of each kind, as rows of a table."""
    of = Counter(row.standing for row in table)
    return "".join(f"| *{standing}* | {meaning} | {of[standing]} |\n" for standing, (meaning, _) in MEANINGS.items())


def counted(page: str) -> str:
    """The page with its counts as they are."""
    table, first = rows(page), COUNTED.search(page)
    assert first is not None
    page = COUNTED.sub("", page)
    page = page[:first.start()] + counts(table) + page[first.start():]
    return re.sub(r"This page sorts \d+ of them", f"This page sorts {len(table)} of them", page)


def fingerprint(table: list[Row]) -> str:
    """A hash of all that the picture shows."""
    return sha256("\n".join(f"{row.family}|{row.name}|{row.standing}" for row in table).encode()).hexdigest()


# --------------------------------------------------------------------------------------------------------------- the picture
@cache
def font(size: int, kind: str = "") -> ImageFont.FreeTypeFont:
    from matplotlib import get_data_path

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans{kind}.ttf", size, layout_engine=ImageFont.Layout.BASIC)


def letters(standing: str) -> ImageFont.FreeTypeFont:
    """Bold for what is here and oblique for what lacks something, so that colours are not needed to tell them apart."""
    return font(NAME, {"could be": "", "lacks": "-Oblique"}.get(standing, "-Bold"))


def lines_of(names: list[Row], width: float) -> list[list[tuple[float, Row]]]:
    """Names with their places from the left, broken into lines no wider than this."""
    lines: list[list[tuple[float, Row]]] = [[]]
    at = 0.0
    for row in names:
        wide = letters(row.standing).getlength(row.name)
        if lines[-1] and at + wide > width:
            lines.append([])
            at = 0.0
        lines[-1].append((at, row))
        at += wide + NAME
    return lines


def in_columns(heights: dict[str, int]) -> list[list[str]]:
    """Families in columns, in the order of the page, so that the highest column is as low as can be."""
    names = list(heights)

    def cut(places: tuple[int, ...]) -> list[list[str]]:
        return [names[begin:end] for begin, end in pairwise((0, *places, len(names)))]

    def highest(columns: list[list[str]]) -> int:
        return max(sum(heights[name] + GAP for name in column) for column in columns)

    return min(map(cut, combinations(range(1, len(names)), COLUMNS - 1)), key=highest)


def draw(table: list[Row]) -> Image.Image:
    """The map: a card for each family, and each name in the colour of where it stands.  It is opaque, for light and dark pages."""
    width = CARD_WIDE
    broken = {family: lines_of([row for row in table if row.family == family], width - 2 * GAP)
              for family in dict.fromkeys(row.family for row in table)}
    heights = {family: 2 * GAP + HEAD + 8 + LINE * len(lines) for family, lines in broken.items()}
    columns, top = in_columns(heights), MARGIN + TITLE + 2 * GAP + LINE + GAP
    high = top + max(sum(heights[family] + GAP for family in column) for column in columns) - GAP + MARGIN
    picture = Image.new("RGB", (WIDE, high), PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((MARGIN, MARGIN), f"{len(table)} GANs by idea, and where they stand here", INK, font(TITLE, "-Bold"))
    legend(pen, table, MARGIN + TITLE + 2 * GAP)
    for at, column in enumerate(columns):
        x, y = MARGIN + at * (width + GAP), top
        for family in column:
            pen.rounded_rectangle((x, y, x + width, y + heights[family]), 8, CARD, RULE)
            pen.text((x + GAP, y + GAP - 4), family, INK, font(HEAD, "-Bold"))
            for down, line in enumerate(broken[family]):
                for right, row in line:
                    place = (x + GAP + right, y + GAP + HEAD + 8 + LINE * down)
                    pen.text(place, row.name, MEANINGS[row.standing][1], letters(row.standing))
            y += heights[family] + GAP
    return picture


def legend(pen: ImageDraw.ImageDraw, table: list[Row], y: int) -> None:
    """What the colours mean, with the counts."""
    of, at = Counter(row.standing for row in table), float(MARGIN)
    for standing, (_, colour) in MEANINGS.items():
        words = f"{standing}: {of[standing]}"
        pen.rounded_rectangle((at, y + 2, at + NAME, y + 2 + NAME), 3, colour)
        pen.text((at + NAME + 8, y), words, colour, letters(standing))
        at += NAME + 8 + letters(standing).getlength(words) + 2 * GAP


if __name__ == "__main__":
    page = counted(PAGE.read_text())
    PAGE.write_text(page)
    about = PngImagePlugin.PngInfo()
    about.add_text("table", fingerprint(rows(page)))            # a test compares it, so that the picture cannot go stale
    draw(rows(page)).quantize(64).save(PICTURE, pnginfo=about, optimize=True)
