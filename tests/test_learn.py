"""The pages that a newcomer reads first: their commands run, their links lead somewhere, and their Chinese twins say the same."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sparring.doctor.exhibits import EXHIBITS
from sparring.experiments import EXPERIMENTS

ROOT = Path(__file__).resolve().parents[1]
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
LEARN = (ROOT / "docs" / "learn.md", ROOT / "docs" / "learn.zh-CN.md")
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))]
QUICK = ["batch=8", "width=4", "threads=1", *(f"{look}_every=1000" for look in ("show", "score", "save", "check"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
ALL_IN_ONE = """
import json, sys
from sparring.cli import app
for words in json.load(sys.stdin):
    sys.argv = words
    try:
        app.app()
    except SystemExit as end:
        if end.code:
            sys.exit(f"{words} ended with {end.code}")
"""


def shell(page: Path) -> list[str]:
    """The lines of indented and fenced blocks, without comments and without Python."""
    text = page.read_text(encoding="utf-8")
    fenced = "\n".join(body for language, body in FENCE.findall(text) if language in ("", "sh", "bash"))
    indented = "\n".join(line[4:] for line in FENCE.sub("", text).splitlines() if line.startswith("    "))
    lines = (re.split(r"\s+#\s", line)[0].strip() for line in f"{indented}\n{fenced}".splitlines())
    return [line for line in lines if line]


def commands(page: Path) -> list[list[str]]:
    return [shlex.split(line) for line in shell(page) if line.startswith("sparring ")]


def in_short(words: list[str]) -> list[list[str]]:
    """The same command, cut: two rounds of eight samples by narrow networks, looked at once, at the end; of experiments and exhibits,
    which have no length to cut, only that they exist."""
    match words[1]:
        case "experiment":
            assert words[2] in EXPERIMENTS
            return []
        case "gallery":
            assert words[2] in {exhibit.name for exhibit in EXHIBITS}
            return []
        case "explore":
            return [[*words, "--steps", "3", "--directions", "1"]]
        case "train":
            at = words.index("--steps") if "--steps" in words else len(words)
            return [[*words[:at], *words[at + 2:], "--steps", "2", *QUICK]]
    return [words]


def test_the_commands_of_learn_run(tmp_path):
    """Cut short and in one process: that names, settings and folders are right, not what comes of them."""
    short = [one for words in commands(LEARN[0]) for one in in_short(words)]
    assert len(short) > 5
    done = subprocess.run([sys.executable, "-c", ALL_IN_ONE], input=json.dumps(short), cwd=tmp_path, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_commands_of_learn_run_as_they_stand(tmp_path):
    for words in commands(LEARN[0]):
        done = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, text=True, capture_output=True)
        assert done.returncode == 0, (words, done.stderr)


@pytest.mark.parametrize("twins", [READMES, LEARN], ids=lambda twins: twins[0].name)
def test_twins_have_the_same_commands_code_and_pictures(twins):
    one, other = twins
    assert shell(one) == shell(other)
    for part in (r"`((?:sparring|make|pip) [^`]*)`", r"!\[[^\]]*\]\(([^)]+)\)"):
        found, theirs = (re.findall(part, page.read_text(encoding="utf-8")) for page in twins)
        assert found == theirs
    python, theirs = ([re.sub(r"\s*#.*", "", body) for language, body in FENCE.findall(page.read_text(encoding="utf-8"))
                       if language == "python"] for page in twins)
    assert python == theirs
    assert f"({other.name})" in "".join(one.read_text(encoding="utf-8").splitlines()[:6])
    assert f"({one.name})" in "".join(other.read_text(encoding="utf-8").splitlines()[:6])


def test_the_readme_is_short():
    for page in READMES:
        assert len(page.read_text(encoding="utf-8").splitlines()) <= 120, page


def test_the_readme_names_the_torch_of_the_constraints():
    wanted = re.search(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)
    for page in READMES:
        assert set(re.findall(r"torch==([\d.]+)", page.read_text(encoding="utf-8"))) == {wanted[1]}, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert ":" in target or (page.parent / target).exists(), target
