"""What the commands doctor, report and compare show: pages, what to paste, the data beside the samples, and folders that are no runs."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import small_images
from shell import Shell
from sparring import api
from sparring.cli.compare import compare
from sparring.cli.doctor import doctor
from sparring.cli.report import report
from sparring.data.builtin.synthetic import ring
from sparring.data.source import Finite
from sparring.doctor.retry import retry
from sparring.errors import InputError
from sparring.report import neighbours
from sparring.report.data import look
from sparring.rng import generator
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Vectors

FAST = {"steps": 100, "batch": 64, "width": 32, "threads": 1, "compile": "off", "precision": "fp32", "show_every": 10**9,
        "score_every": 10**9, "check_every": 5}


def test_nearest_training_samples(tmp_path):
    """Where the run's data is there; where it is drawn afresh, or gone, that is said."""
    known, x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]]), torch.tensor([[0.9, 0.0], [4.0, 0.0]])
    assert neighbours.closest(x, known, None).tolist() == [1, 2]
    assert neighbours.closest(known, known, torch.arange(3)).tolist() == [1, 0, 1]
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    given = FAST | {"steps": 3, "batch": 8, "width": 8, "check_every": 1}
    api.run(prepare(Request("gan", str(tmp_path / "x.npz"), given), tmp_path / "run"), api.Silent())
    at = neighbours.open_run(tmp_path / "run")
    found = neighbours.nearness(at, tmp_path)
    assert found.known == 60 and found.picture is None and "a training sample to another" in found.sentence()
    assert {name.split("(")[0] for name, *_ in neighbours.figures(at)[0]} >= {"swd", "memorization"}
    (tmp_path / "x.npz").unlink()
    assert "the training data of" in neighbours.open_run(tmp_path / "run")


def test_what_a_report_says_of_the_data(tmp_path):
    """Classes are counted in all of it, copies among those that are looked at, and a column that never changes is named."""
    source = small_images()
    rows, said, picture = look(source, tmp_path, 0)
    assert dict(rows)["samples to learn from"] == f"{len(source):,}" and picture.exists()
    twice = Finite(source.space, torch.cat([source.values, source.values]), torch.cat([source.labels, source.labels]))
    rows, said, _ = look(twice, tmp_path, 0)
    assert dict(rows)[f"exact duplicates among {len(twice):,}"] == f"{len(source):,}" and any("exact copies" in line for line in said)
    x = torch.randn(50, 3, generator=generator(0, "x"))
    x[:, 1] = 0.0
    rows, said, picture = look(Finite(Vectors((0.0,) * 3, (1.0,) * 3), x), tmp_path, 0)
    assert picture is None and dict(rows)["columns"] == "3" and "column 1" in said[0]
    assert dict(look(ring(), tmp_path, 0)[0]) == {"samples": "generated, never repeated"}


def test_advice_is_a_command():
    began = {"command": "sparring train gan --data 'my ring' lr=0.5 beta1=0.9 --out=runs/a --minutes 3 --json"}
    assert retry(began, "lr=0.002 penalty=r1", "runs/a", "runs/a-again") == \
        "sparring train gan --data 'my ring' beta1=0.9 --minutes 3 lr=0.002 penalty=r1 --out runs/a-again"
    assert retry(began, "steps=9000", "runs/a", "b") == \
        "sparring train gan --data 'my ring' lr=0.5 beta1=0.9 steps=9000 --out runs/a --fork b"
    for config in ({}, {"command": "sparring.fit('gan', ...)"}, {"command": "sparring train 'gan"}, began | {"forked_from": "runs/0"}):
        assert retry(config, "lr=0.002", "runs/a", "b") == ""
    assert retry(began, "", "runs/a", "b") == ""


def test_the_commands_and_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, lr in (("slow", 1e-6), ("fast", 1e-3)):
        given = FAST | {"lr": lr, "steps": 60, "show_every": 30, "score_every": 60}
        api.run(prepare(Request("gan", "gaussian", given), Path(name)), api.Silent())
    said = Shell(monkeypatch, capsys)("doctor", "slow", "--json").json()
    assert set(said) == {"command", "verdict", "findings"} and said["verdict"] == "failing"
    assert set(said["findings"][0]) == {"name", "severity", "steps", "evidence", "explanation", "actions"}
    before = {path: path.read_bytes() for path in Path("slow").rglob("*") if path.is_file()}
    page = Path(report(Path("slow"), Path("not/yet/there.html"))["page"]).read_text()
    assert before == {path: path.read_bytes() for path in Path("slow").rglob("*") if path.is_file()}        # a report changes nothing
    with pytest.raises(InputError, match="is a folder"):
        report(Path("slow"), Path("fast"))
    for part in ("learning too slowly", "lr=0.002", 'type="range"', "Settings, versions and command", "data:image/png;base64"):
        assert part in page
    assert "http://" not in page and "https://" not in page and "src=\"/" not in page
    both = compare([Path("slow"), Path("fast")], Path("both.html"))
    assert both["verdicts"][0] == "failing" and "1e-06" in Path("both.html").read_text()


def test_a_run_that_ended_itself_can_go_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["gan", "--data", "gaussian", "lr=1e-6", "--out", "run", *(f"{k}={v}" for k, v in FAST.items() if k != "lr")]
    said = Shell(monkeypatch, capsys)("train", *words, "--stop-when", "failed").out
    assert "ended early because stop_when=failed" in said and "--stop-when never" in said and "sparring doctor run" in said
    said = Shell(monkeypatch, capsys)("train", *words, "--stop-when", "never").out
    assert "Finished 100 steps" in said and "sparring report run" in said


@pytest.fixture
def browser() -> str:
    """Chromium, under any of its names; continuous integration has to have it, a developer's machine need not."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("there is no browser here: install Debian's package chromium, as .ci/run does")
    return str(found)


def test_the_page_in_a_browser(browser, tmp_path):
    """The slider shows one picture at a time and moves, the findings are there, and nothing complains."""
    given = FAST | {"lr": 1e-6, "steps": 60, "show_every": 20}
    api.run(prepare(Request("gan", "gaussian", given), tmp_path / "run"), api.Silent())
    page = Path(report(tmp_path / "run", None)["page"])
    move = "<script>const h = document.querySelector('input'); h.value = 1; h.dispatchEvent(new Event('input'));</script></body>"
    moved = tmp_path / "moved.html"
    moved.write_text(page.read_text().replace("</body>", move))
    seen = [subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
                            f"file://{path}"], capture_output=True, text=True, timeout=120, check=True) for path in (page, moved)]
    shown = [[i for i, frame in enumerate(re.findall(r"<figure[^>]*>(?=<img[^>]*after)", one.stdout)) if "hidden" not in frame]
             for one in seen]
    assert shown == [[3], [1]]
    assert all("CONSOLE" not in one.stderr and "learning too slowly" in one.stdout for one in seen)


def test_bad_folders(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        doctor(tmp_path / "nothing")
    with pytest.raises(InputError, match="no run"):
        doctor(tmp_path)
    with pytest.raises(InputError, match="two"):
        compare([tmp_path], tmp_path / "x.html")
    (tmp_path / "config.json").write_text(json.dumps({"recipe": "of-tomorrow", "settings": {}}))
    assert doctor(tmp_path)["verdict"] == "unclear"
    (tmp_path / "log.jsonl").write_text('{"step": 1, "translator/cycle": 2.0}\n{"step": 2, "trans')
    (tmp_path / "health.jsonl").write_text('{"step": 1, "distance": 0.5}\n{"st')
    assert doctor(tmp_path)["verdict"] == "unclear"
    assert "no verdict yet" in Path(report(tmp_path, None)["page"]).read_text()
