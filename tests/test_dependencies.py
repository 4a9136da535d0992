"""What an installation brings is written down, with licences and hashes, for the versions that are pinned."""

import ast
import re
import tomllib
from pathlib import Path

from benchmarks.closure import closure, extras, licence
from packaging.requirements import Requirement

from sparring.data.pretrained import JUDGING, TRAINING

ROOT = Path(__file__).resolve().parents[1]


def pins(name):
    found = re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / name).read_text(), re.M)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


def everything():
    """The core, and what each extra brings."""
    return {name: package for extra in ["", *extras("sparring")] for name, package in closure("sparring", extra).items()}


def test_everything_that_is_installed_is_pinned_and_listed_with_its_licence():
    listed = dict(re.findall(r"^\|(?: \w+ \|)? ([\w-]+) \| (\d\S*) \|", (ROOT / "docs" / "dependencies.md").read_text(), re.M))
    pinned, installed = pins("constraints.txt"), everything()
    assert installed.keys() <= pinned.keys()
    assert installed.keys() == listed.keys()
    assert all(listed[name].split("+")[0] == pinned[name] for name in installed)


def test_every_licence_is_stated_and_none_binds_the_user():
    for name, package in everything().items():
        words = licence(package)
        assert words != "not stated", name
        assert not re.search(r"\bA?GPL|General Public|non-?commercial", words, re.I), (name, words)


def test_the_hashes_are_of_the_pinned_versions():
    assert pins("constraints-hashes.txt") == pins("constraints.txt")
    text = (ROOT / "constraints-hashes.txt").read_text()
    assert "://" not in text and all(block.count("--hash=sha256:") >= 1 for block in re.split(r"\n(?=\w)", text.strip()))


def test_what_the_code_asks_of_an_extra_is_in_it_and_no_extra_is_empty():
    """Calls of needs(module, extra, what), by extra: the modules; and the packages that weights are read from."""
    asked = {"photos": {weights.package.replace("_", "-") for weights in (TRAINING, JUDGING)},
             "table": {"pandas"}}                               # rows leave as a data frame where it is installed
    for path in (ROOT / "src").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "needs":
                module, extra = (part.value for part in call.args[:2])
                asked.setdefault(extra, set()).add(module.partition(".")[0])
    given = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    given.pop("dev")
    assert asked == {extra: {Requirement(line).name for line in lines} for extra, lines in given.items()}
