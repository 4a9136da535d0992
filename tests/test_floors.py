"""Each room imports only from rooms below its own: docs/architecture.md draws the column."""

import ast
from pathlib import Path

import sparring

ROOT = Path(sparring.__file__).parent

COLUMN = [                                                      # from the cellar to the street
    {"errors", "terminal"},
    {"settings", "rng", "progress", "untrusted"},
    {"spaces"},
    {"nets"},
    {"data"},
    {"game"},
    {"objectives"},
    {"metrics", "latent", "recipes"},
    {"runs"},
    {"pictures"},
    {"doctor"},
    {"training"},
    {"setup"},
    {"api"},
    {"experiments", "bench"},
    {"evaluation"},
    {"report"},
    {"export", "lab"},
    {"cli"},
    {"__main__", "__init__", "losses"},                         # the package's face: these hand names on
]


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def height(name: str) -> int:
    return next(i for i, rooms in enumerate(COLUMN) if name in rooms)


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
    wrong = [f"{path.relative_to(ROOT)} imports {name}" for path in sorted(ROOT.rglob("*.py")) for name in imports(path)
             if name != part(path) and height(name) >= height(part(path))]
    assert wrong == []


def test_recipes_know_neither_each_other_nor_the_trainer():
    for path in (ROOT / "recipes").glob("*.py"):
        assert not imports(path) & {"training", "runs", "api", "metrics", "pictures"}
        if path.stem not in ("__init__", "images"):             # which chooses between two of them
            assert "recipes" not in imports(path)


def test_only_the_game_steps():
    for path in ROOT.rglob("*.py"):
        if part(path) != "game" and path.stem != "by_hand":     # the second is what the first is held against
            text = path.read_text()
            assert ".backward(" not in text, path
            assert "optimizer.step(" not in text, path


def test_no_pickle_anywhere():
    for path in ROOT.rglob("*.py"):
        text = path.read_text()
        assert "import pickle" not in text, path
        assert "torch.load(" not in text or path.stem == "pretrained", path     # of files whose hash stands in the source
        assert "torch.save(" not in text, path


def test_files_and_functions_stay_short():
    for path in ROOT.rglob("*.py"):
        text = path.read_text()
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{path}: {node.name}"
