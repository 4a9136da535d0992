"""A report: one HTML file that holds everything it shows and asks nothing of any network."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from sparring.runs.folder import write_atomic

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --pale: #595959; --rule: #d9d9d9; --shade: #f6f6f4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --paper: #17181a; --pale: #b0b0b0; --rule: #3c3d40; --shade: #202225; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; color: var(--ink); background: var(--paper);
       font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.8rem; line-height: 1.25; margin: 0 0 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-top: 1.25rem; border-top: 1px solid var(--rule); }
p { max-width: 44rem; margin: .6rem 0; overflow-wrap: anywhere; white-space: pre-line; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .9rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
th { color: var(--pale); font-weight: 600; }
td.number { text-align: right; }
tbody tr:nth-child(even) { background: var(--shade); }
figure { margin: 1.25rem 0; }
img { display: block; max-width: 100%; height: auto; border-radius: 6px; border: 1px solid var(--rule); }
.band { display: flex; gap: 2px; margin: 1rem 0 .5rem; }
.band span { flex: 1; height: 2.2rem; border-radius: 3px; }
.healthy { background: #009E73; } .converged { background: #0072B2; } .failing { background: #D55E00; } .unclear { background: #B0B0B0; }
.key span { display: inline-block; width: .9rem; height: .9rem; border-radius: 3px; margin: 0 .35rem 0 1rem; vertical-align: -1px; }
.slides input { width: 100%; }
figcaption { color: var(--pale); font-size: .92rem; margin-top: .4rem; }
"""


BANDS = ("healthy", "converged", "failing", "unclear")
SLIDE = """<script>
for (const box of document.querySelectorAll(".slides")) {
  const frames = box.querySelectorAll("figure"), handle = box.querySelector("input");
  const show = () => frames.forEach((frame, i) => { frame.hidden = i != handle.value; });
  handle.addEventListener("input", show);
  show();
}
</script>"""


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, a table (`header`, then rows of as many cells), PNGs with what they show, a timeline."""

    heading: str
    text: Sequence[str] = ()
    header: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    pictures: Sequence[tuple[Path, str]] = ()
    slides: Sequence[tuple[Path, str]] = ()     # shown one at a time, with a slider
    slider: str = "which round"                 # what it moves through
    begin: int | None = None                    # where it stands at first; at the last slide when None
    band: Sequence[tuple[str, str]] = ()        # what each part of a timeline says, and its kind: a word of BANDS


def page(title: str, sections: Sequence[Section]) -> str:
    """The whole HTML page; every text is escaped.  OSError when a picture cannot be read."""
    body = "\n".join(_section(section) for section in sections)
    script = f"{SLIDE}\n" if any(section.slides for section in sections) else ""
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
            f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n{script}</body>\n</html>\n")


def write_page(path: Path, title: str, sections: Sequence[Section]) -> Path:
    """Write the page in one step."""
    write_atomic(path, page(title, sections))
    return path


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.heading)}</h2>", *(f"<p>{escape(line)}</p>" for line in section.text)]
    if section.header or section.rows:
        parts.append(_table(section.header, section.rows))
    if section.band:
        parts.append(_band(section.band))
    parts += [_picture(picture, caption) for picture, caption in section.pictures]
    if section.slides:
        parts.append(_slider(section.slides, section.slider, section.begin))
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    top = f"<thead><tr>{head}</tr></thead>\n" if header else ""
    return f'<div class="wide"><table>\n{top}<tbody>\n{body}\n</tbody>\n</table></div>'


def _cell(text: str) -> str:
    try:
        float(text.replace(",", "").removesuffix("%"))
    except ValueError:
        return f"<td>{escape(text)}</td>"
    return f'<td class="number">{escape(text)}</td>'


def _picture(picture: Path, caption: str) -> str:
    data = base64.b64encode(picture.read_bytes()).decode("ascii")
    kind = picture.suffix.removeprefix(".")
    return (f'<figure><img src="data:image/{kind};base64,{data}" alt="{escape(caption)}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>")


def _band(band: Sequence[tuple[str, str]]) -> str:
    """A timeline of coloured parts; each says on hovering, and to a screen reader, what its colour says."""
    parts = "".join(f'<span class="{escape(kind)}" role="img" title="{escape(text)}" aria-label="{escape(text)}"></span>'
                    for text, kind in band)
    key = "".join(f'<span class="{kind}"></span>{kind}' for kind in BANDS if kind in {k for _, k in band})
    return f'<div class="band">{parts}</div>\n<div class="key">{key}</div>'


def _slider(slides: Sequence[tuple[Path, str]], about: str, begin: int | None) -> str:
    """Pictures one at a time; without scripts, all of them one below the other."""
    frames = "\n".join(_picture(picture, caption) for picture, caption in slides)
    most = len(slides) - 1
    value = most if begin is None else begin
    return (f'<div class="slides"><input type="range" min="0" max="{most}" value="{value}" step="1" aria-label="{escape(about)}">\n'
            f"{frames}</div>")
