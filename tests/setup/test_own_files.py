"""A system in one file: trained, resumed, shown and used like a recipe; and what is refused."""

import json
import os
import re
import sys
import types
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

import sparring
from shell import Shell
from sparring.cli.new import START
from sparring.errors import InputError, Unnamed
from sparring.recipes import RECIPES, Recipe
from sparring.runs.folder import RunFolder
from sparring.setup import own
from sparring.setup.own import named

FEW = {"steps": 4, "batch": 16, "threads": 1, "save_every": 2, "show_every": 10**6, "score_every": 10**6, "progress": False}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.py"
    path.write_text(START.read_text())
    return path


def edit(path, old, new):
    text = path.read_text()
    assert old in text, old
    path.write_text(text.replace(old, new))


# ----------------------------------------------------------------------------------------------------------- used like a recipe
def test_a_file_a_module_and_a_recipe_train_alike(mine):
    _, recipe = named(str(mine))
    module = types.ModuleType("mine")
    module.__file__ = str(mine)
    exec(compile(mine.read_text(), str(mine), "exec"), vars(module))
    models = [sparring.fit(one, "ring", **FEW) for one in (str(mine), mine, module, recipe)]
    samples = [model.sample(3) for model in models]
    assert all(torch.equal(samples[0], other) for other in samples[1:])
    assert {model.recipe for model in models} == {"mine"}


def test_the_run_keeps_path_hash_and_copy(mine):
    sparring.fit("./mine.py", "ring", out="run", **FEW)
    config = json.loads(Path("run/config.json").read_text())
    assert config["recipe"] == "mine" and config["own_recipe"]["file"] == str(mine.resolve())
    assert own.copy_in(Path("run"), config["own_recipe"]["sha256"]) == Path("run/recipe.py")
    assert Path("run/recipe.py").read_text() == Path("run/model/recipe.py").read_text() == mine.read_text()


def test_a_killed_run_ends_with_the_same_bits(mine):
    sparring.fit("./mine.py", "ring", out="whole", **FEW)
    sparring.fit("./mine.py", "ring", out="pieces", **FEW | {"steps": 2})
    sparring.fit("./mine.py", "ring", out="pieces", **FEW)
    assert Path("whole/model/model.safetensors").read_bytes() == Path("pieces/model/model.safetensors").read_bytes()


def test_more_rounds_are_refused_where_the_code_looks_at_steps(mine):
    edit(mine, "c, size = settings,", "settings.steps\n    c, size = settings,")
    sparring.fit("./mine.py", "ring", out="run", **FEW)
    with pytest.raises(InputError, match="may follow the length of a run"):
        sparring.fit("./mine.py", "ring", out="run", **FEW | {"steps": 6})


def test_every_command_takes_it(mine, monkeypatch, capsys):
    sparring_ = Shell(monkeypatch, capsys)
    words = ("threads=1", "batch=16", "show_every=1000", "score_every=1000")
    shown = sparring_("show", "./mine.py", "--data", "ring")
    assert shown.code == 0 and "latent=" in shown.out and max(map(len, shown.out.splitlines())) <= 100
    assert sparring_("train", "./mine.py", "--data", "ring", "--steps", 4, *words).code == 0
    run = Path("runs/mine-ring")
    assert (run / "model").is_dir()
    for command in (("sample", run, "--out", "a.npy"), ("show", run), ("rerun", run)):
        said = sparring_(*command, "--recipe", "./mine.py")
        assert said.code == 0, (command, said.err)
    assert sparring_("doctor", run).code == 0                   # reads no weights


@pytest.mark.slow                                               # pictures and features
@pytest.mark.parametrize("command", [("evaluate", "run", "--n", 64, "--metrics", "swd"), ("report", "run"), ("explore", "run")])
def test_pages_and_figures_take_it_too(mine, command, monkeypatch, capsys):
    sparring.fit("./mine.py", "ring", out="run", **FEW)
    said = Shell(monkeypatch, capsys)(*command, "--recipe", "./mine.py")
    assert said.code == 0, said.err


# -------------------------------------------------------------------------------------------------------- code and folders
def test_no_folder_makes_code_run(mine, monkeypatch, capsys):
    """Not even with its own copy, or with the file it came from beside it."""
    sparring.fit("./mine.py", "ring", out="run", **FEW)
    marker = "import pathlib\npathlib.Path('ran').touch()\n"
    for path in (mine, Path("run/recipe.py"), Path("run/model/recipe.py")):
        path.write_text(path.read_text() + marker)
    with pytest.raises(Unnamed, match="'mine'"):
        sparring.load("run")
    shell = Shell(monkeypatch, capsys)
    for command in ("sample", "evaluate", "explore", "rerun", "show"):
        said = shell(command, "run")
        assert said.code == 2 and "somebody's own system, 'mine'" in said.err and f"sparring {command} run --recipe" in said.err
    assert shell("report", "run").code == 0
    assert not Path("ran").exists()


def test_the_line_to_type_names_the_file_or_its_copy(mine):
    sparring.fit("./mine.py", "ring", out="run", **FEW)
    with pytest.raises(Unnamed) as error:
        sparring.load("run")
    assert error.value.file == str(mine.resolve())
    mine.unlink()
    with pytest.raises(Unnamed) as error:
        sparring.load("run")
    assert error.value.file == "run/model/recipe.py" and "read it first" in str(error.value)
    assert sparring.load("run", recipe=error.value.file).sample(2).shape == (2, 2)


def test_an_edited_file_is_refused_with_the_difference_and_fork_goes_on(mine):
    sparring.fit("./mine.py", "ring", out="run", **FEW)
    edit(mine, "betas=(0.5, 0.999)", "betas=(0.0, 0.999)")
    with pytest.raises(InputError) as error:
        sparring.fit("./mine.py", "ring", out="run", **FEW)
    said = str(error.value)
    assert "mine.py changed: sha256" in said and "--fork NEWDIR" in said
    assert any(line.strip().startswith("+") and "betas=(0.0, 0.999)" in line for line in said.splitlines())
    with pytest.raises(InputError, match=r"trained with other code than this(.|\n)*--recipe run"):
        sparring.load("run", recipe="./mine.py")
    sparring.fit("./mine.py", "ring", out="run", fork="forked", **FEW | {"steps": 6})
    assert Path("forked/recipe.py").read_text() == mine.read_text()
    assert sparring.load("forked", recipe="./mine.py").trained["steps"] == 6


def test_a_built_in_run_refuses_another_recipe(mine):
    sparring.fit("gan", "ring", out="run", **FEW)
    with pytest.raises(InputError, match="is of the recipe 'gan', and not of mine"):
        sparring.load("run", recipe="./mine.py")
    assert sparring.load("run", recipe="gan").recipe == "gan"


def test_a_run_of_ones_own_refuses_another_system_by_its_name(mine):
    sparring.fit("./mine.py", "ring", out="run", **FEW)
    other = mine.with_name("other.py")
    other.write_text(mine.read_text() + "\n")
    for named_as in (str(other), "gan"):
        with pytest.raises(InputError, match=rf"own system, 'mine', and not of {Path(named_as).stem}, which was named") as error:
            sparring.load("run", recipe=named_as)
        assert "sha256" not in str(error.value)


@pytest.mark.parametrize("said", [[], {"file": 3, "sha256": ""}, {"file": "x"}, "x"])
def test_what_a_folder_says_of_its_code_is_checked(mine, said):
    sparring.fit("./mine.py", "ring", out="run", **FEW)
    folder = RunFolder(Path("run/model"))
    config = json.loads(folder.config.read_text())
    with pytest.raises(InputError, match="is damaged"):
        own.refuse_other(config | {"own_recipe": said}, folder.path, None)


def test_a_saved_model_holds_the_code(mine):
    model = sparring.fit("./mine.py", "ring", **FEW)
    model.save("kept")
    assert torch.equal(sparring.load("kept", recipe="kept/recipe.py").sample(3), model.sample(3))


# --------------------------------------------------------------------------------------------------------------- packages
def test_a_package_offers_a_recipe(mine, monkeypatch):
    offered = types.ModuleType("offered")
    exec(compile(mine.read_text(), str(mine), "exec"), vars(offered))
    monkeypatch.setitem(sys.modules, "offered", offered)
    point = EntryPoint("theirs", "offered", own.GROUP)
    monkeypatch.setattr(own, "entry_points", lambda group, name=None: [point] if name in (None, "theirs") else [])
    assert named("theirs")[0] == "theirs"
    with pytest.raises(InputError, match="Did you mean 'theirs'"):
        named("their")
    broken = EntryPoint("theirs", "not_there", own.GROUP)
    monkeypatch.setattr(own, "entry_points", lambda group, name=None: [broken])
    with pytest.raises(InputError, match="offered as not_there, which cannot be imported"):
        named("theirs")


def installed_package(path, name, summary, points, code=""):
    """A package as pip leaves it: its module, its metadata and its entry points."""
    (path / f"{name}.py").write_text(code)
    about = path / f"{name}-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n{summary}")
    (about / "entry_points.txt").write_text(f"[{own.GROUP}]\n" + "".join(f"{point} = {name}\n" for point in points))


def test_the_list_of_recipes_names_those_of_packages_and_imports_none(tmp_path, monkeypatch, capsys):
    """A package whose import fails, one without a summary, and one with a name of this project."""
    installed_package(tmp_path, "broken_gans", "Summary: Two \x1b[31mGANs\n", ["zebra", "quagga"], "raise RuntimeError('imported')")
    installed_package(tmp_path, "plain_gans", "", ["gan", "okapi"])
    monkeypatch.syspath_prepend(tmp_path)
    said = Shell(monkeypatch, capsys)("recipes")
    assert said.code == 0 and said.err == ""
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines[:len(RECIPES)]] == list(RECIPES)
    assert [re.sub("  +", "  ", line) for line in lines[len(RECIPES):]] == [
        "okapi  (package plain_gans 1.2)",
        *(f"{name}  (package broken_gans 1.2) Two ?[31mGANs" for name in ("quagga", "zebra")),
        "The package plain_gans 1.2 also has a recipe 'gan'. Another one has this name, so it cannot be trained by it."]
    rows = Shell(monkeypatch, capsys)("recipes", "--json").json()["recipes"]
    assert [(row["name"], row["package"]) for row in rows][-3:] == [
        ("okapi", "plain_gans 1.2"), ("quagga", "broken_gans 1.2"), ("zebra", "broken_gans 1.2")]
    assert rows[0]["package"] is None
    assert not {"broken_gans", "plain_gans"} & set(sys.modules)


def test_a_recipe_of_a_damaged_installation_is_listed(monkeypatch):
    monkeypatch.setattr(own, "entry_points", lambda group: [EntryPoint("theirs", "offered", own.GROUP)])
    assert own.offered() == [own.Offered("theirs", "without a name", "", True)]


# ---------------------------------------------------------------------------------------------------------------- refused
WRONG = {
    "a syntax error": (lambda p: p.write_text("SUMMARY = 'x'\ndef game(:\n"), "mine.py, line 2: "),
    "an import that is not there": (lambda p: p.write_text("import nothing_like_this\n"), "mine.py, line 1: ModuleNotFoundError"),
    "an error": (lambda p: p.write_text("x = 1\ny = x / 0\n"), "mine.py, line 2: ZeroDivisionError: division by zero"),
    "an exit": (lambda p: p.write_text("import sys\nsys.exit(3)\n"), "line 2: it ends Python"),
    "no game": (lambda p: edit(p, "def game(", "def gam("), "has no function `game`. Did you mean 'gam'"),
    "no summary": (lambda p: edit(p, "SUMMARY =", "WHAT ="), "has no SUMMARY"),
    "other arguments": (lambda p: edit(p, ", device: torch.device, own: Any = None)", ")"),
                        "should be game(settings, space, device, own=None)"),
    "no text": (lambda p: p.write_bytes(b"\x00\xff\xfe"), "is not UTF-8 text"),
    "a null": (lambda p: p.write_bytes(b"x = 1\x00"), "null bytes"),
    "settings of no kind": (lambda p: edit(p, "(Settings):", ":"), "is no sparring.settings.Settings"),
    "two classes of settings": (lambda p:
                                p.write_text(p.read_text() + "\nclass A(Settings): ...\n"), "several classes of settings (MySettings, A)"),
    "no default": (lambda p: edit(p, "latent: int = Field(16, ge=1", "latent: int = Field(ge=1"), "latent has no default"),
    "no description": (lambda p: p.write_text(p.read_text() + "\n\nclass More(MySettings):\n    depth: int = 3\n"),
                       "the setting 'depth' has no description"),
    "a setting of every run": (lambda p: p.write_text(p.read_text() + "\n\nclass More(MySettings):\n    threads: int = 3\n"),
                               "'threads' of More is one of every run already"),
    "a default that is no JSON": (lambda p: p.write_text(p.read_text() + "\n\nclass More(MySettings):\n    x: complex = "
                                                         "Field(1j, description='x')\n"), "does not go into config.json"),
    "MATTERS": (lambda p: p.write_text(p.read_text() + "\nMATTERS = ('latnet',)\n"), "no setting. Did you mean 'latent'"),
    "READS": (lambda p: p.write_text(p.read_text() + "\nREADS = 'digits'\n"), "READS is a str"),
    "defaults": (lambda p: p.write_text(p.read_text() + "\ndefaults = {}\n"), "defaults is a dict; expected a function"),
    "the package": (lambda p: p.write_text("import sparring.rng\nsparring.rng.key = 3\n" + p.read_text()), "changes sparring.rng.key"),
    "torch": (lambda p: p.write_text("import torch\ntorch.set_default_dtype(torch.float64)\n" + p.read_text()), "torch's default dtype"),
    "a seed": (lambda p: p.write_text("import torch\ntorch.manual_seed(3)\n" + p.read_text()), "the seed of torch's random numbers"),
}


@pytest.mark.parametrize(("spoil", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_in_a_line(mine, spoil, says, monkeypatch):
    import sparring.rng
    monkeypatch.setattr(sparring.rng, "key", sparring.rng.key)  # put back at the end
    spoil(mine)
    with pytest.raises(InputError) as error:
        named("./mine.py")
    assert says in str(error.value) and "\n" not in str(error.value), str(error.value)


BUILDS = {
    "no game": ("    return Game(", "    return dict(", "game returned a dict"),
    "nothing": ("    return Game(", "    return None\n    Game(", "game returned a NoneType; expected a sparring.game.Game"),
    "an error": ("    return Game(", "    1 / 0\n    return Game(", "ZeroDivisionError: division by zero. This was while `game` built"),
}


@pytest.mark.parametrize(("old", "new", "says"), BUILDS.values(), ids=BUILDS)
def test_what_builds_no_game_is_refused(mine, old, new, says):
    edit(mine, old, new)
    with pytest.raises(InputError) as error:
        sparring.fit("./mine.py", "ring", **FEW)
    assert says in str(error.value), str(error.value)


def test_places_that_are_no_file(mine):
    for given, says in ((".", "no recipe"), ("./", "is a folder"), ("./nothing.py", "there is no file nothing.py"),
                        ("./min.py", "Did you mean 'mine.py'"), ("mine", "write ./mine.py"), ("gn", "Did you mean 'gan'")):
        with pytest.raises(InputError) as error:
            named(given)
        assert says in str(error.value), (given, str(error.value))
    for name, says in (("mine.txt", "is no Python file"), ("mine.ipynb", "Save its cells as one")):
        mine.with_name(name).write_text("")
        with pytest.raises(InputError, match=says):
            named(f"./{name}")
    os.mkfifo("pipe.py")
    with pytest.raises(InputError, match="is not a regular file"):
        named("./pipe.py")


def test_the_name_of_a_built_in_recipe_is_refused(mine):
    mine.rename("gan.py")
    with pytest.raises(InputError, match="has the name of a built-in recipe, 'gan'"):
        named("./gan.py")


def test_a_link_is_followed_and_the_run_names_what_it_leads_to(mine):
    Path("linked.py").symlink_to(mine)
    name, system = named("./linked.py")
    assert name == "linked" and system.origin.file == str(mine.resolve())
    Path("dangling.py").symlink_to("nowhere.py")
    with pytest.raises(InputError, match=r"is a link to .*nowhere\.py, where nothing is"):
        named("./dangling.py")


def test_a_recipe_of_this_project_is_itself():
    assert named(RECIPES["gan"]) == ("gan", None)
    assert isinstance(own.outside("gan"), Recipe) and own.outside(None) is None


# ----------------------------------------------------------------------------------------------------------- sparring new
def test_new_writes_a_system_that_trains_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shell = Shell(monkeypatch, capsys)
    said = shell("new", "infogan.py", "--json")
    assert said.code == 0 and said.json()["file"] == "infogan.py"
    code = [line for line in Path("infogan.py").read_text().splitlines() if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert len(code) <= 50
    assert sparring.fit("./infogan.py", "digits", **FEW).sample(2).shape == (2, 1, 16, 16)
    for name, says in (("infogan.py", "is there already"), ("gan.py", "name of a built-in recipe"), 
                       ("mine", "ends with .py, such as mine.py"), ("no/such/mine.py", "cannot be written")):
        again = shell("new", name)
        assert again.code == 2 and says in again.err, (name, again.err)
    assert "named" not in shell("new", "other.py").out and Path("other.py").exists()
