"""The code in the README and the documents runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", path.read_text(), re.S)


@pytest.mark.parametrize("path", [p for p in PAGES if blocks(p)], ids=lambda p: p.name)
def test_code_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if path.name == "export.md":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    names = {}
    for block in blocks(path):
        if named := re.match(r"# (\w+\.py)\n", block):         # a whole file, which later blocks use
            Path(named[1]).write_text(block)
        exec(compile(block, str(path), "exec"), names)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_settings_named_in_the_readme_exist():
    from sparring.data.settings import DataSettings
    from sparring.recipes import RECIPES
    from sparring.settings import RunSettings

    known = set(DataSettings.model_fields) | set(RunSettings.model_fields)
    for recipe in RECIPES.values():
        known |= set(recipe.settings.model_fields) | set(recipe.reads.settings.model_fields)
    shell = "\n".join(line for line in (ROOT / "README.md").read_text().splitlines() if line.strip().startswith("sparring train"))
    assert set(re.findall(r"(\w+)=", shell)) <= known


@pytest.mark.parametrize("setting", ["objective", "penalty"])
def test_every_objective_and_penalty_has_its_formula(setting):
    from sparring.recipes import RECIPES
    from sparring.settings import OneOf

    rows = re.findall(r"^\| `([\w+]+)`", (ROOT / "docs" / "objectives.md").read_text(), re.MULTILINE)
    names = next(rule.names for rule in RECIPES["gan"].settings.model_fields[setting].metadata if isinstance(rule, OneOf))
    assert set(names) <= set(rows)


def test_contributing_is_short():
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) < 60


def test_nothing_is_left_to_fill_in():
    """A line of capitals alone holds a place for something."""
    for path in PAGES:
        assert not re.search(r"^[A-Z]{3,}$", path.read_text(), re.MULTILINE), path


def test_the_table_of_what_to_change_names_files_that_are_there():
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page[page.index("## Where do I change X?"):page.index("## Several processes")]
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \|", table, re.MULTILINE)
    named = [re.sub("NAME|FAMILY|COMMAND", "*", path) for row in rows[2:] for path in re.findall(r"`([^`]+)`", row)]
    assert len(named) > 20
    assert [path for path in named if not list((ROOT / "src" / "sparring").glob(path))] == []


def test_every_room_is_on_the_page_and_says_who_lives_there():
    page = (ROOT / "docs" / "architecture.md").read_text()
    for room in (ROOT / "src" / "sparring").iterdir():
        if room.is_dir() and room.name != "__pycache__":
            assert f"`{room.name}/`" in page, room.name
            assert (room / "__init__.py").read_text().startswith('"""'), room.name


def test_few_files_lie_loose():
    assert len(list((ROOT / "src" / "sparring").glob("*.*"))) <= 12


def test_the_readme_lists_every_format_as_the_code_recognizes_it():
    from sparring.data.formats import FORMATS

    rows = [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in (ROOT / "README.md").read_text().splitlines()]
    told = {row[0]: row[2] for row in rows if len(row) == 4}
    assert {one.name: told.get(one.name) for one in FORMATS} == {one.name: one.recognized for one in FORMATS}


def test_the_page_on_own_systems_grows_into_the_example():
    page, example = (ROOT / "docs" / "own-system.md").read_text(), (ROOT / "examples" / "infogan.py").read_text()
    assert f"# infogan.py\n{example}```" in page


def test_the_page_on_own_systems_names_every_argument():
    from dataclasses import fields
    from inspect import signature

    from sparring.game import Game, Player, Turn

    page = (ROOT / "docs" / "own-system.md").read_text()
    table = page[page.index("## Every argument"):page.index("A file may also have")]
    for name in (*list(signature(Player).parameters), *(field.name for kind in (Turn, Game) for field in fields(kind))):
        assert f"`{name}`" in table, name
