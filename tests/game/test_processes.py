"""Several processes train as one does: the same weights, the same files, and one message when something is wrong."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from copy import deepcopy
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file
from torch.distributed import HashStore
from torch.nn import functional as F

import forked
from conftest import small_table
from played_together import MORE
from sparring.data.source import batches
from sparring.errors import InputError, RunFailed
from sparring.game.processes import ALONE, ProcessGroup, Rows, bits, joined, own_part, sizes, total
from sparring.recipes import RECIPES
from sparring.runs.folder import read_lines
from sparring.setup.sharing import refuse_uneven

TESTS = Path(__file__).parents[1]
TRAIN = ["train", "wgan-gp", "--data", "mixture", "--steps", "16", "batch=16", "width=16", "threads=1", "save_every=4", "log_every=1",
         "show_every=16", "score_every=8"]
KILLED = """import os, forked, glances
glances.glance()
if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    forked.killed_while_saving(int(os.environ["RANK"]), *{words!r})
else:
    forked.sparring(int(os.environ["RANK"]), *{words!r})
"""


def torchrun(count, *words, restarts=0, timeout=240):
    """So many processes on this machine, with no variable set for torchrun."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count), "--max-restarts",
               str(restarts), *map(str, words)]
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                          env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path})


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.chaos)], ids=["each once", "all"])
def test_two_processes_take_the_steps_of_one(tmp_path, every):
    """For every recipe, every kind of data and every setting that concerns a whole batch (for all of each with all others: in full), after
    some rounds.

    A parameter whose gradient is zero in exact arithmetic, such as a bias that a relativistic loss cannot see, follows the rounding
    errors that Adam divides by themselves; it may wander by its learning rate, and nothing else depends on it.  So it is with the
    maps that tell StarGAN's generator the domain: they are constant, and the norm behind them leaves only what they do at the border.
    Every weight before an instance norm, which CycleGAN's mostly are, has no gradient along itself, and in float32 some rounding there.
    Gradients of Projected GAN have passed through fifty layers of rectifiers, which rounding switches.
    """
    done = forked.together(2, forked.compared, tmp_path, tmp_path / "found", every, seconds=300)
    assert [ended.code for ended in done] == [0, 0], done
    found = {name: off for file in tmp_path.glob("found-*") for name, off in json.loads(file.read_text()).items()}
    assert len({name.rsplit(" ", 1)[0] for name in found}) >= (100 if every else 2 * (len(MORE) + 8))
    assert {name.split()[1] for name in found} == set(RECIPES) - {"images"}     # the game of gan
    relativistic = [name for name in found if "r3gan" in name or "relativistic" in name or name.split()[1] in ("table", "relgan")]
    unseen = {name for name in relativistic if "discriminator" in name and name.endswith("bias")}
    unseen |= {name for name in found if " stargan " in name and name.endswith("generator/net/first.0.weight")}
    double = {name: off for name, (off, _, _) in found.items() if name.startswith("torch.float64")}
    assert max(off for name, off in double.items() if name not in unseen) <= 1e-12
    assert max(double.values()) <= 1e-10
    single = {name: off for name, off in found.items() if name.startswith("torch.float32") and name not in unseen}
    for recipe, most in ((" cyclegan ", 1e-4), (" projected ", 5e-3)):
        assert max(off for name, (off, _, _) in single.items() if recipe in name) <= most
        single = {name: off for name, off in single.items() if recipe not in name}
    assert max(off for off, _, _ in single.values()) <= 1e-5
    beyond, of = (sum(counts) for counts in list(zip(*single.values(), strict=True))[1:])
    assert beyond <= 1e-4 * of                                  # more than 1e-6 off: weights before a batch norm, after Adam


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run by two processes of which torchrun lost one and started both again, and the same by one.

    Workers of pytest share it: whoever comes first makes it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "group"
    kept = folder / "said.json"
    with FileLock(f"{folder}.lock"):
        if not kept.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            script = folder / "killed.py"
            script.write_text(KILLED.format(words=[*TRAIN, "--out", str(folder / "two")]))
            done = torchrun(2, script, restarts=1)
            assert done.returncode == 0, done.stderr[-3000:]
            alone, = forked.together(1, forked.sparring, folder, *TRAIN, "--out", folder / "one")
            assert alone.code == 0, alone.said
            kept.write_text(json.dumps({"out": done.stdout, "errors": done.stderr, "alone": alone.said}))
    return folder, json.loads(kept.read_text())


def test_a_run_by_two_that_was_killed_is_one_run(run):
    folder, said = run
    assert said["errors"].count("processes: 2, each with 8 of a batch of 16") == 2
    assert said["errors"].count("resumed from step 4") == 1
    assert said["out"].count("Finished 16 steps") == said["alone"].count("Finished 16 steps") == 1
    assert "of the time was spent on averaging gradients, and waiting for that." in said["out"]
    assert "averaging" not in said["alone"]
    files = [sorted(str(p.relative_to(folder / name)) for p in (folder / name).rglob("*") if p.name != ".lock") for name in ("one", "two")]
    assert files[0] == files[1]
    one, two = (load_file(folder / name / "model" / "model.safetensors") for name in ("one", "two"))
    assert max((one[k] - two[k]).abs().max().item() for k in one) < 1e-3
    logs = [read_lines(folder / name / "log.jsonl") for name in ("one", "two")]
    for a, b in zip(*logs, strict=True):
        assert {k: v for k, v in a.items() if k != "time"} == pytest.approx({k: v for k, v in b.items() if k != "time"}, abs=2e-3)


def test_a_killed_run_ends_with_the_bits_of_one_that_was_not(run, tmp_path):
    folder, _ = run
    assert [ended.code for ended in forked.together(2, forked.sparring, tmp_path, *TRAIN, "--out", tmp_path / "run")] == [0, 0]
    for name in ("model/model.safetensors", "samples/000016.png"):
        assert (tmp_path / "run" / name).read_bytes() == (folder / "two" / name).read_bytes()


def test_another_number_of_processes_goes_on_and_is_told(run, tmp_path):
    folder, _ = run
    shutil.copytree(folder / "two", tmp_path / "run")
    for count in (1, 4):
        shutil.rmtree(tmp_path / "run" / "model")
        shutil.rmtree(max((tmp_path / "run" / "checkpoint").iterdir()))
        done = forked.together(count, forked.sparring, tmp_path, *TRAIN, "--out", tmp_path / "run")
        assert [ended.code for ended in done] == [0] * count
        assert "resumed from step" in done[0].said
        assert "differ in the last bits" in done[0].said and f"processes: 2 -> {count}" in done[0].said
        one, two = (load_file(p / "model" / "model.safetensors") for p in (folder / "one", tmp_path / "run"))
        assert max((one[k] - two[k]).abs().max().item() for k in one) < 1e-3


def test_the_doctor_acts_on_all_alike(tmp_path):
    """The first process examines and decides, and every process changes the same: they compare their weights before each checkpoint."""
    words = ["train", "gan", "--data", "gaussian", "--steps", "60", "lr=1e-6", "batch=16", "width=8", "threads=1", "compile=off",
             "log_every=1", "check_every=3", "save_every=20", "show_every=100", "score_every=100", "doctor=act"]
    for name, count in (("one", 1), ("two", 2)):
        done = forked.together(count, forked.sparring, tmp_path, *words, "--out", tmp_path / name)
        assert [ended.code for ended in done] == [0] * count, done
    one, two = (json.loads((tmp_path / name / "actions.json").read_text()) for name in ("one", "two"))
    assert two and two[0] == one[0] == {"at": 12, "why": "learning_too_slowly", "settings": {"lr": 0.002}}


def test_every_sample_is_seen_once_whoever_joins():
    """An epoch of which three parts are taken by one, by two and by four processes."""
    source, seen = small_table(64), []
    for start, count in ((0, 1), (2, 2), (5, 4)):
        for rank in range(count):
            with closing(batches(source, 8, 3, start, rows=ProcessGroup(rank, count).rows(8))) as stream:
                seen += [next(stream).x for _ in range({0: 2, 2: 3, 5: 3}[start])]
    assert sorted(map(tuple, torch.cat(seen).tolist())) == sorted(map(tuple, source.values.tolist()))


@pytest.mark.parametrize(("words", "message"), [
    (["batch=15"], "batch=15 is not a multiple of the world size, 2. Try batch=14."),
    (["penalty=consensus"], "Train with one process, or with another penalty"),
    (["unroll=2"], "or give unroll=0"),
    (["batch=12", "pack=4"], "batch=12 gives each of 2 processes 6 samples, not a multiple of pack=4. Try batch=8."),
])
def test_what_cannot_be_shared_is_refused(tmp_path, words, message):
    done = forked.together(2, forked.sparring, tmp_path, "train", "gan", "--steps", 2, "threads=1", *words, "--out", tmp_path / "run")
    assert [ended.code for ended in done] == [2, 1]
    assert message in done[0].said
    lines = done[1].said.splitlines()                           # where the first leaves early, the transport prints a line of its own
    assert any(line.startswith("Failed: rank 1 stopped because another process ended") for line in lines)
    assert "Traceback" not in done[1].said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("words", "message"), [
    (["--seed", ["0", "1"]], "seed: 0 -> 1"),
    ([["batch=16", "batch=32"]], "batch: 16 -> 32"),
    (["--data", ["ring", "grid"]], "other data"),
    ([["on_nan=stop", "on_nan=rollback"]], "on_nan: stop -> rollback"),
])
def test_processes_that_were_started_differently_are_told(tmp_path, words, message):
    some = [] if "--data" in words else ["--data", "mixture"]
    done = forked.together(2, forked.sparring, tmp_path, "train", "wgan-gp", *some, "--steps", 9, "threads=1", *words,
                            "--out", tmp_path / "run")
    assert [ended.code for ended in done] == [2, 2]
    assert "rank 1 was started differently from rank 0" in done[1].said and message in done[1].said
    assert "another process was started differently from this one; its message says how" in done[0].said
    assert not list(tmp_path.rglob("config.json")), "nothing began, so nothing is in the way of the right command"
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_processes_that_do_not_share_a_disk_are_told(tmp_path):
    done = forked.together(2, forked.sparring, tmp_path, *TRAIN, "--out", [tmp_path / "here", tmp_path / "there"])
    assert [ended.code for ended in done] == [1, 2]
    assert f"rank 1 does not see the run folder of rank 0: there is no run in {tmp_path / 'there'}" in done[1].said
    assert "rank 0 stopped because another process ended" in done[0].said
    assert not (tmp_path / "there").exists()


def test_a_full_disk_stops_all_and_loses_nothing(run, tmp_path):
    words = [*TRAIN, "--out", tmp_path / "run"]
    done = forked.together(2, forked.with_a_full_disk, tmp_path, *words)
    assert [ended.code for ended in done] == [1, 1]
    assert "No space left on device" in done[0].said and "run the same command again" in done[0].said
    assert "rank 1 stopped because another process ended" in done[1].said
    done = forked.together(2, forked.sparring, tmp_path, *words)
    assert [ended.code for ended in done] == [0, 0]
    assert "resumed from step 4" in done[0].said
    name = "model/model.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (run[0] / "two" / name).read_bytes()


def test_weights_that_drift_apart_are_never_saved(tmp_path):
    done = forked.together(2, forked.drifting, tmp_path, *TRAIN, "--out", tmp_path / "run")
    assert [ended.code for ended in done] == [1, 1]
    for ended in done:
        assert "do not agree on the weights after 8 rounds: rank 0 differs from rank 1. They were not saved" in ended.said
    assert [p.name for p in (tmp_path / "run" / "checkpoint").iterdir()] == ["000000004"]


def test_nobody_waits_for_ever(tmp_path):
    done = forked.together(2, forked.silent, tmp_path, 0.5)
    assert done[0].code == 1
    assert "rank 0 stopped because another process ended or did not answer in time" in done[0].said


def test_statistics_of_all_and_what_they_agree_on(tmp_path):
    assert [ended.code for ended in forked.together(2, forked.statistics, tmp_path, str(tmp_path / "found"))] == [0, 0]
    found = [json.loads((tmp_path / f"found-{rank}").read_text()) for rank in range(2)]
    refused = "the processes do not agree on a number: rank 0 differs from rank 1. Try again."
    assert found == [{"total": 3.0, "slope": 3.0, "text": "I am 0", "any": True, "refused": refused}] * 2


def test_alone_there_is_nothing_to_share(monkeypatch):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    assert ALONE.share is None and ALONE.rows(7) == slice(0, 7)
    assert ALONE.means({"a": 1.0}) == {"a": 1.0} and ALONE.any(True) and not ALONE.any(False)
    ALONE.agree("nothing", "", b"x")
    ALONE.wait()
    assert ALONE.broadcast("x") == "x" and total(torch.tensor(2.0)) == 2
    torch.manual_seed(0)
    expected = torch.randn(8)
    torch.manual_seed(0)
    with ALONE.part_of(8):
        assert torch.equal(torch.randn(8), expected)
    with joined({}) as group:
        assert group is ALONE
    with pytest.raises(InputError, match="WORLD_SIZE, RANK and LOCAL_RANK must be whole numbers"), joined({"WORLD_SIZE": "two"}):
        pass
    with pytest.raises(InputError, match=r"MASTER_ADDR expected, but not set\. Start with torchrun"), joined({"WORLD_SIZE": "2"}):
        pass


def test_devices_that_processes_cannot_share(monkeypatch):
    settings = RECIPES["gan"].settings()
    refuse_uneven(settings, {}, lambda: "cpu", ProcessGroup(1, 2, 1))
    refuse_uneven(settings, {"compile": "on"}, lambda: "mps", ALONE)
    with pytest.raises(InputError, match="not on one Apple GPU"):
        refuse_uneven(settings, {}, lambda: "mps", ProcessGroup(1, 2, 1))
    with pytest.raises(InputError, match="compile=on"):
        refuse_uneven(settings, {"compile": "on"}, lambda: "cpu", ProcessGroup(1, 2, 1))
    monkeypatch.setattr("torch.distributed.is_nccl_available", lambda: False)
    with pytest.raises(InputError, match="need a build of torch with NCCL"):
        refuse_uneven(settings, {}, lambda: "cuda", ProcessGroup(1, 2, 1))
    monkeypatch.setattr("torch.distributed.is_nccl_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    refuse_uneven(settings, {}, lambda: "cuda", ProcessGroup(0, 2, 0))
    with pytest.raises(InputError, match=r"rank 1 has no GPU: its machine has 1 GPU\(s\), and its local rank is 1"):
        refuse_uneven(settings, {}, lambda: "cuda", ProcessGroup(1, 2, 1))


def test_every_start_meets_in_a_part_of_its_own():
    """On one store, as torchrun lends it: a start that was killed half way leaves its names behind."""
    store, soon = HashStore(), timedelta(seconds=20)
    with pytest.raises(RunFailed, match="rank 0 waited 0 s, and not all processes started"):
        own_part(store, 0, 3, timedelta(0))                          # named a part, and nobody came
    store.set(f"{store.get('sparring').decode()}/1", "one that is gone")
    for start in range(3):
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda rank: own_part(store, rank, 3, soon), (1, 2, 0)))
        assert not any(part.check(["here"]) for part in found)
        found[start].set("here", "x")
        assert all(part.get("here") == b"x" for part in found)


@pytest.mark.parametrize("draw", [
    lambda n: torch.randn(n, 3), lambda n: torch.rand((n, 2)), lambda n: torch.randint(5, (n,)), lambda n: torch.randn(size=(n, 2)),
    lambda n: torch.randint(0, 5, size=(n, 2)), lambda n: torch.rand_like(torch.zeros(n, 3, 2, 2)),
    lambda n: torch.randn_like(torch.zeros(n, 3, 2, 2).to(memory_format=torch.channels_last)),
    lambda n: torch.empty(n, 3).normal_(1, 2), lambda n: torch.empty(n, 3).exponential_(),
    lambda n: F.dropout(torch.ones(n, 7), 0.4), lambda n: torch.nn.Dropout2d()(torch.ones(n, 5, 2, 2)),
    lambda n: torch.bernoulli(torch.full((n, 4), 0.3)), lambda n: torch.multinomial(torch.tensor([[1.0, 2, 3, 4]]).repeat(n, 1), 1),
], ids=["randn", "rand", "randint", "size", "randint size", "rand_like", "channels last", "normal_", "exponential_", "dropout", "dropout2d",
        "bernoulli", "multinomial"])
@pytest.mark.parametrize(("blocks", "each"), [(1, 4), (2, 4), (1, 1)])
def test_noise_is_the_rows_of_what_one_would_draw(draw, blocks, each):
    torch.manual_seed(3)
    whole = draw(blocks * each * 4)
    for rank in range(4):
        torch.manual_seed(3)
        with Rows(ProcessGroup(rank, 4), each):
            mine = draw(blocks * each)
        assert torch.equal(mine, whole.unflatten(0, (blocks, each * 4))[:, rank * each:(rank + 1) * each].flatten(0, 1))


def test_noise_of_packs_of_one_and_of_other_lengths():
    with Rows(ProcessGroup(1, 2), 8):
        torch.manual_seed(0)
        packs = torch.randn(2, 3)
        torch.manual_seed(0)
        other = torch.randn(5)
        keyed = torch.randn(8, generator=torch.Generator().manual_seed(0))
        still = F.dropout(torch.ones(8), 0.5, False)
    torch.manual_seed(0)
    assert torch.equal(packs, torch.randn(4, 3)[2:])
    torch.manual_seed(0)
    assert torch.equal(other, torch.randn(5))
    assert torch.equal(keyed, torch.randn(8, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(still, torch.ones(8))
    assert sizes((3, 4)) == sizes(((3, 4),)) == (3, 4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(8, 3), (8, 3, 4, 5)])
def test_batch_norm_over_all_is_batch_norm(shape, affine, dtype):
    """For a group of one, which adds nothing up: output, running statistics and every gradient."""
    plain = torch.nn.BatchNorm1d(3, affine=affine) if len(shape) == 2 else torch.nn.BatchNorm2d(3, affine=affine)
    ours, rng = deepcopy(plain), torch.Generator().manual_seed(0)
    x, slope = (torch.randn(shape, generator=rng).to(dtype) for _ in range(2))
    found = []
    for net, mode in ((plain, nullcontext()), (ours, Rows(Nobody(), shape[0]))):
        net.to(torch.float64) if dtype == torch.float64 else None
        given = (3 * x + 2).requires_grad_()
        with mode:
            out = net(given)
        out.backward(slope)
        found.append([out, given.grad, net.running_mean, net.running_var, *(p.grad for p in net.parameters())])
    within = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.05}[dtype]
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, atol=within, rtol=within)


class Nobody(ProcessGroup):
    def add_up(self, x):
        return x


def test_a_digest_sees_one_bit():
    a = torch.zeros(100)
    b = a.clone()
    b[57] = 1e-45
    assert bits([a]) != bits([b])
    assert bits([a]) == bits([a.clone()])
