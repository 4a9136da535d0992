"""What an installation brings is written down, with licences and hashes, for the versions that are pinned."""

import re
from pathlib import Path

from benchmarks.closure import closure, licence

ROOT = Path(__file__).resolve().parents[1]


def pins(name):
    found = re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / name).read_text(), re.M)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


def test_everything_that_is_installed_is_pinned_and_listed_with_its_licence():
    listed = dict(re.findall(r"^\| ([\w-]+) \| (\S+) \|", (ROOT / "docs" / "dependencies.md").read_text(), re.M))
    pinned, installed = pins("constraints.txt"), closure("sparring")
    assert installed.keys() <= pinned.keys()
    assert installed.keys() <= listed.keys()
    assert all(listed[name].split("+")[0] == pinned[name] for name in installed)


def test_every_licence_is_stated_and_none_binds_the_user():
    for name, package in closure("sparring").items():
        words = licence(package)
        assert words != "not stated", name
        assert not re.search(r"\bA?GPL|General Public|non-?commercial", words, re.I), (name, words)


def test_the_hashes_are_of_the_pinned_versions():
    assert pins("constraints-hashes.txt") == pins("constraints.txt")
    text = (ROOT / "constraints-hashes.txt").read_text()
    assert "://" not in text and all(block.count("--hash=sha256:") >= 1 for block in re.split(r"\n(?=\w)", text.strip()))
