"""Everything that `pip install sparring` brings, with its licence: writes docs/dependencies.md.

    python -m benchmarks.closure
"""

import re
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement

from benchmarks.record import ROOT

PAGE = ROOT / "docs" / "dependencies.md"
HEAD = """# What an installation brings

The table lists every package that `pip install sparring` brings, with the version pinned in `constraints.txt` and the licence that the
package states. All licences are permissive. `python -m benchmarks.closure` writes this page.

`constraints-hashes.txt` has the same versions with the sha256 of every file on the package index. To install exactly these files:
`pip install --no-deps --require-hashes -r constraints-hashes.txt`, then `pip install --no-deps .`. Builds of PyTorch from its own index,
such as those for the CPU alone, are other files with other hashes. `make audit` asks pip-audit for known weaknesses of these versions.

| package | version | licence |
| --- | --- | --- |
"""
MORE = """
Only an extra brings these:

| extra | package | version | licence |
| --- | --- | --- | --- |
"""

FILMS = """
The wheels of `av` (PyAV) also carry FFmpeg, with x264 and x265 among its libraries, which are under the LGPL and the GPL: think of that
before you pass these files on. Nothing but films (.mp4, .mov, .webm, .mkv, .avi) needs them.
"""


def extras(root: str) -> list[str]:
    """What `root` offers its users beside its core."""
    return [name for name in distribution(root).metadata.get_all("Provides-Extra", []) if name != "dev"]


def closure(root: str, extra: str = "") -> dict[str, Distribution]:
    """The distributions that `root` needs on this platform, with one of its extras or none, itself left out."""
    found: dict[str, Distribution] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        for line in (found.get(name) or distribution(name)).requires or ():
            needed = Requirement(line)
            key = re.sub(r"[-_.]+", "-", needed.name).lower()
            if (needed.marker is None or needed.marker.evaluate({"extra": extra if name == root else ""})) and key not in found:
                found[key] = distribution(key)
                waiting.append(key)
    return dict(sorted(found.items()))


def licence(package: Distribution) -> str:
    """What the package says: its licence expression, its classifiers, the first words of the field, or of the file LICENSE that it
    installs."""
    if expression := package.metadata.get("License-Expression"):
        return expression
    classified = [line.rsplit(" :: ", 1)[1] for line in package.metadata.get_all("Classifier", []) if line.startswith("License :: OSI")]
    field = (package.metadata.get("License") or "").replace("UNKNOWN", "").strip()      # what old tools write for nothing
    files = [file.read_text().strip() for file in package.files or () if file.name.startswith("LICENSE")]
    return " / ".join(classified) or next((text.splitlines()[0][:60] for text in (field, *files) if text), "not stated")


def page() -> str:
    core = closure("sparring")
    rows = [f"| {name} | {package.version} | {licence(package)} |\n" for name, package in core.items()]
    more = [f"| {extra} | {name} | {package.version} | {licence(package)} |\n"
            for extra in extras("sparring") for name, package in closure("sparring", extra).items() if name not in core]
    return HEAD + "".join(rows) + MORE + "".join(more) + FILMS


if __name__ == "__main__":
    PAGE.write_text(page())
    print(page())
