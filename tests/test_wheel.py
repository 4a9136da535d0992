"""The wheel: what it holds, and that it works without the repository."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}

pytestmark = pytest.mark.slow


def run(*words: object, cwd: Path) -> str:
    """What the command says, in an environment that knows nothing of this checkout."""
    done = subprocess.run([*map(str, words)], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout, so there is no list of what belongs into a wheel")
    return subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).strip("\0").split("\0")


@pytest.fixture(scope="module")
def wheel(tracked, tmp_path_factory) -> Path:
    """Built from a copy of the tracked files; pip brings the builder, as it does for `make test`."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked:
        (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / "copy" / name)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, folder / "copy", cwd=folder)
    found, = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The programs of a new environment: its sparring is the wheel's, and all else is lent by this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    # before anything is lent, or pip would see the sparring of this environment, and put the wheel in its place
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    site, = folder.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(f"{Path(torch.__file__).parents[1]}\n")
    return folder / "bin"


def test_the_wheel_holds_the_package_and_nothing_else(wheel, tracked):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())
    assert names == {name.removeprefix("src/") for name in tracked if name.startswith("src/sparring/")}
    assert {"sparring/py.typed", "sparring/metrics/grey28-v1.safetensors"} <= names


def test_it_works_without_the_repository(installed, tmp_path):
    where = run(installed / "python", "-c", "import sparring; print(sparring.__file__)", cwd=tmp_path).strip()
    assert Path(where).is_relative_to(installed.parent)
    said = json.loads(run(installed / "sparring", "demo", "--quick", "--json", cwd=tmp_path))
    assert said["state"] == "finished" and (tmp_path / said["page"]).is_file()
    assert all((tmp_path / picture).is_file() for one in said["runs"].values() for picture in one["pictures"])
    digits = (tmp_path / said["runs"]["digits"]["pictures"][0]).parent
    while not (digits / "config.json").exists():
        digits = digits.parent
    assert json.loads(run(installed / "sparring", "sample", digits, "-n", 20, "--out", "s.npy", "--json", cwd=tmp_path))["n"] == 20
    assert np.load(tmp_path / "s.npy").shape[::3] == (20, 1)
    evaluated = json.loads(run(installed / "sparring", "evaluate", "--real", "digits", "--generated", "s.npy", "--metrics", "density",
                               "--json", cwd=tmp_path))
    assert list(evaluated["metrics"]) == ["density(grey28-v1)"]     # with the features that the wheel brings
