"""Each floor imports only from floors below it."""

import ast
from pathlib import Path

import sparring

ROOT = Path(sparring.__file__).parent

FLOORS = [
    {"errors", "rng", "losses", "penalties", "unroll", "theory", "schedules", "augment", "settings", "nets", "data", "interrupt",
     "progress", "precision", "exactness", "untrusted", "crew", "adam", "pool", "doctor", "latent", "asking"},
    {"game"},
    {"adversaries", "compiled", "accumulating"},
    {"recipes", "checkpoint", "run", "metrics", "pictures", "report", "choices", "planning"},
    {"scores", "best", "translate", "between", "steering", "checkup"},
    {"attending"},
    {"trainer", "sharing"},
    {"earlier", "wishing", "building"},
    {"prepare"},
    {"api", "telling"},
    {"evaluation"},
    {"experiments", "bench", "nearby", "inverting", "gauging", "thedata"},
    {"commands", "demo", "laboratory", "receipts", "inspecting", "translating", "reporting", "exploring", "answering"},
    {"consulting"},
    {"gallery"},
    {"cli"},
    {"__main__", "__init__"},
]
# Neighbours on one floor that may know each other, because a person would look for the one beside the other.
NEIGHBOURS = {("run", "checkpoint"), ("report", "run"), ("pictures", "metrics"), ("pictures", "run")}


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def floor(name: str) -> int:
    return next(i for i, names in enumerate(FLOORS) if name in names)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sparring":
            below = node.module.split(".")[1:2]
            found |= set(below) if below else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("sparring.")}
    return {name for name in found if (ROOT / name).exists() or (ROOT / f"{name}.py").exists()}


def test_imports_point_downwards():
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        here = part(path)
        if here == "__init__":
            continue                                            # the package's face imports lazily what it shows
        for name in imports(path):
            if name != here and floor(name) >= floor(here) and (here, name) not in NEIGHBOURS and \
                    not (floor(name) == 0 == floor(here)):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_recipes_know_neither_each_other_nor_the_trainer():
    for path in (ROOT / "recipes").glob("*.py"):
        assert not imports(path) & {"trainer", "checkpoint", "run", "api", "scores", "pictures"}
        if path.stem != "__init__":
            assert "recipes" not in imports(path)


def test_only_the_game_steps():
    for path in ROOT.rglob("*.py"):
        if path.stem not in ("game", "by_hand"):                # the second is what the first is held against
            text = path.read_text()
            assert ".backward(" not in text, path
            assert "optimizer.step(" not in text, path


def test_no_pickle_anywhere():
    for path in ROOT.rglob("*.py"):
        text = path.read_text()
        assert "import pickle" not in text, path
        assert "torch.load(" not in text, path
        assert "torch.save(" not in text, path


def test_files_and_functions_stay_short():
    for path in ROOT.rglob("*.py"):
        text = path.read_text()
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{path}: {node.name}"
