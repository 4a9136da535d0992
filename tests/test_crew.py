"""Several processes train as one does: the same weights, the same files, and one message when something is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sparring.crew import ALONE, Crew, Rows, bits, joined, sizes
from sparring.errors import InputError
from sparring.run import read_lines

TESTS = Path(__file__).parent
TRAIN = ["train", "wgan-gp", "--data", "mixture", "--steps", "16", "batch=16", "width=16", "threads=1", "save_every=4", "log_every=1",
         "show_every=8", "score_every=8"]


def together(count, *words, timeout=240):
    """torchrun with so many processes on this machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                          env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS)})


def test_two_processes_take_the_steps_of_one(tmp_path):
    """For every recipe on every kind of data, after three rounds.

    A parameter whose gradient is zero in exact arithmetic, such as a bias that a relativistic loss cannot see, follows the rounding
    errors that Adam divides by themselves; it may wander by its learning rate, and nothing else depends on it.  So it is with the
    maps that tell StarGAN's generator the domain: they are constant, and the norm behind them leaves only what they do at the border.
    Every weight before an instance norm, which CycleGAN's mostly are, has no gradient along itself, and in float32 some rounding there.
    """
    done = together(2, TESTS / "crewed.py", tmp_path / "found.json")
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text())
    assert len({name.rsplit(" ", 1)[0] for name in found}) == 58
    unseen = {name for name in found if (" r3gan " in name and "discriminator" in name and name.endswith("bias"))
              or (" stargan " in name and name.endswith("generator/net/first.0.weight"))}
    normed = {name for name in found if " cyclegan " in name}
    double = {name: off for name, off in found.items() if name.startswith("torch.float64")}
    assert max(off for name, off in double.items() if name not in unseen) <= 1e-12
    assert max(double.values()) <= 1e-10
    single = {name: off for name, off in found.items() if name.startswith("torch.float32") and name not in unseen}
    assert max(off for name, off in single.items() if name in normed) <= 1e-4
    single = {name: off for name, off in single.items() if name not in normed}
    assert max(single.values()) <= 5e-6
    assert sum(off > 1e-6 for off in single.values()) <= 8                  # weights before a batch norm, after Adam


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run by two processes, and the same by one."""
    folder = tmp_path_factory.mktemp("crew")
    done = together(2, "-m", "sparring", *TRAIN, "--out", folder / "two")
    assert done.returncode == 0, done.stderr[-3000:]
    alone = subprocess.run([sys.executable, "-m", "sparring", *TRAIN, "--out", folder / "one"], capture_output=True, text=True, check=True)
    return folder, done, alone


def test_a_run_by_two_is_one_run(run):
    folder, done, alone = run
    assert done.stderr.count("processes: 2, each with 8 of a batch of 16") == 1
    assert done.stdout.count("Finished 16 steps") == alone.stdout.count("Finished 16 steps") == 1
    files = [sorted(str(p.relative_to(folder / name)) for p in (folder / name).rglob("*") if p.name != ".lock") for name in ("one", "two")]
    assert files[0] == files[1]
    one, two = (load_file(folder / name / "model" / "model.safetensors") for name in ("one", "two"))
    assert max((one[k] - two[k]).abs().max().item() for k in one) < 1e-3
    logs = [read_lines(folder / name / "log.jsonl") for name in ("one", "two")]
    for a, b in zip(*logs, strict=True):
        assert {k: v for k, v in a.items() if k != "time"} == pytest.approx({k: v for k, v in b.items() if k != "time"}, abs=2e-3)


def test_another_number_of_processes_goes_on_and_is_told(run, tmp_path):
    import shutil

    folder, _, _ = run
    shutil.copytree(folder / "two", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "model")
    newest = max((tmp_path / "run" / "checkpoint").iterdir())
    shutil.rmtree(newest)
    done = subprocess.run([sys.executable, "-m", "sparring", *TRAIN, "--out", tmp_path / "run"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert "resumed from step 12" in done.stderr
    assert "differ in the last bits" in done.stderr and "processes: 2 -> 1" in done.stderr
    one, two = (load_file(p / "model" / "model.safetensors") for p in (folder / "one", tmp_path / "run"))
    assert max((one[k] - two[k]).abs().max().item() for k in one) < 1e-3


@pytest.mark.parametrize(("words", "message"), [
    (["batch=15"], "batch=15 cannot be shared evenly by 2 processes. Try batch=14."),
    (["batch=16", "penalty=consensus"], "Train with one process, or with another penalty"),
])
def test_what_cannot_be_shared_is_refused(tmp_path, words, message):
    done = together(2, "-m", "sparring", "train", "gan", "--steps", 2, "threads=1", *words, "--out", tmp_path / "run")
    assert done.returncode != 0
    assert message in done.stderr
    assert "rank1]: Traceback" not in done.stderr               # the other process leaves with one line


def test_processes_that_were_started_differently_are_told(tmp_path):
    script = tmp_path / "differently.py"
    script.write_text("import os, sys\nfrom sparring.cli import app\n"
                      f"sys.argv = ['sparring', *{TRAIN!r}, '--out', {str(tmp_path / 'run')!r}, '--seed', os.environ['RANK']]\napp()\n")
    done = together(2, script)
    assert done.returncode != 0
    assert "seed: 0 -> 1" in done.stderr


def test_alone_there_is_nothing_to_share():
    assert ALONE.share is None and ALONE.rows(7) == slice(0, 7)
    assert ALONE.means({"a": 1.0}) == {"a": 1.0} and ALONE.any(True) and not ALONE.any(False)
    ALONE.agree("nothing", b"x")
    ALONE.wait()
    torch.manual_seed(0)
    expected = torch.randn(8)
    torch.manual_seed(0)
    with ALONE.part_of(8):
        assert torch.equal(torch.randn(8), expected)
    with joined({}) as crew:
        assert crew is ALONE
    with pytest.raises(InputError, match="should be whole numbers"), joined({"WORLD_SIZE": "two"}):
        pass


@pytest.mark.parametrize("draw", [
    lambda n: torch.randn(n, 3), lambda n: torch.rand((n, 2)), lambda n: torch.randint(5, (n,)),
    lambda n: torch.rand_like(torch.zeros(n, 3, 2, 2)),
    lambda n: torch.randn_like(torch.zeros(n, 3, 2, 2).to(memory_format=torch.channels_last)),
], ids=["randn", "rand", "randint", "rand_like", "channels last"])
@pytest.mark.parametrize("blocks", [1, 2])
def test_noise_is_the_rows_of_what_one_would_draw(draw, blocks):
    torch.manual_seed(3)
    whole = draw(blocks * 16)
    for rank in range(4):
        torch.manual_seed(3)
        with Rows(Crew(rank, 4), 4):
            mine = draw(blocks * 4)
        assert torch.equal(mine, whole.unflatten(0, (blocks, 16))[:, rank * 4:rank * 4 + 4].flatten(0, 1))


def test_noise_of_packs_of_one_and_of_other_lengths():
    with Rows(Crew(1, 2), 8):
        torch.manual_seed(0)
        packs = torch.randn(2, 3)
        torch.manual_seed(0)
        other = torch.randn(5)
    torch.manual_seed(0)
    assert torch.equal(packs, torch.randn(4, 3)[2:])
    torch.manual_seed(0)
    assert torch.equal(other, torch.randn(5))
    assert sizes((3, 4)) == sizes(((3, 4),)) == (3, 4)


def test_a_digest_sees_one_bit():
    a = torch.zeros(100)
    b = a.clone()
    b[57] = 1e-45
    assert bits([a]) != bits([b])
    assert bits([a]) == bits([a.clone()])
