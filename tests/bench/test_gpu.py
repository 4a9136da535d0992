"""The benchmark for GPUs at toy size on a CPU: its pieces do what they say, and nothing stops it."""

import pytest
import torch
from benchmarks import gpu
from benchmarks.gpu import TOY, cases, operations, speed, training, within
from benchmarks.guarded import Guarded
from torch import nn


def test_an_error_a_crash_and_a_case_without_end_are_results():
    guard = Guarded(eval)                                       # a function that the other process knows without importing torch
    try:
        assert guard("{'x': 1}", 30) == {"x": 1}
        process = guard.process
        assert guard("1 / 0", 30) == {"error": "ZeroDivisionError: division by zero"}
        assert guard.process is process
        assert guard("__import__('os')._exit(3)", 30) == {"error": "its process ended with exit code 3"}
        assert guard("__import__('time').sleep(60)", 0.2) == {"error": "not done after 0 s"}
        assert guard("{'x': 2}", 30) == {"x": 2}
    finally:
        guard.close()


@pytest.mark.parametrize("groups", [1, 4])
def test_operations_of_a_grouped_convolution_and_its_gradients(groups):
    layer, x = nn.Conv2d(8, 16, 3, 1, 1, groups=groups, bias=False), torch.randn(2, 8, 5, 5, requires_grad=True)
    once = 2 * 2 * 16 * 5 * 5 * (8 // groups) * 9
    assert operations(lambda: layer(x)) == once
    assert operations(lambda: layer(x).sum().backward()) == 3 * once
    assert operations(lambda: layer(x.detach()).sum().backward()) == 2 * once


def test_the_networks_of_a_recipe_are_timed():
    found = speed(TOY, "r3gan", 8, "fp32", False)
    assert 0 < found["seconds per thousand images"]["least"] <= found["seconds per thousand images"]["median"]
    assert 0 < found["share of the peak"] < 10
    assert found["peak in"] == "fp32" and found["batch"] == 4 and found["timings"] >= 2


def test_a_turn_that_is_not_compiled_is_an_error(monkeypatch):
    monkeypatch.setattr(gpu, "in_one", lambda game, tell: (tell("compile: turn 'x' runs without compilation: so"), game)[1])
    with pytest.raises(RuntimeError, match="without compilation"):
        speed(TOY, "images", 8, "fp32", True)


def test_a_training_gives_kid_from_its_start_to_its_end():
    found = training(TOY, "images")
    assert len(found["kid in pixels"]) == len(found["after thousands of images"]) == 4
    assert found["after thousands of images"][0] == 0


def test_the_cases_are_of_recipes_that_are_there_and_end_with_the_time(capsys, monkeypatch):
    monkeypatch.setitem(gpu.ASKED, "not yet", {})
    names = list(cases(TOY))
    assert names[0] == "device" and "r3gan, 8 px, bf16, eager" in names and not any("not yet" in name for name in names)
    large = list(cases(gpu.GPU))
    assert {f"images, {side} px, {precision}, {how}" for side in (64, 128, 256) for precision in ("bf16", "fp32")
            for how in ("eager", "compiled")} < set(large)
    now, played = [0.0], []

    def guard(name, budget):
        now[0] += 50
        played.append(name)
        return {}

    for _, run in within(TOY, 165, guard, lambda: now[0]):
        run()
    assert played == names[:3]
    assert f"no time for the other {len(names) - 3} cases" in capsys.readouterr().out
