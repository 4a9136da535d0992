"""`sparring train table --rule` as a person with a file of orders uses it: stated once, kept in every row ever after."""

import csv
from pathlib import Path

import pytest

import sparring
from shell import Shell
from sparring.data.tables.mixed import TableSettings
from sparring.recipes.table import TableRecipeSettings
from sparring.runs.folder import RunFolder
from sparring.setup.reopen import refuse_changes

RULES = ["end >= start", "total = price * quantity", "price * quantity < 21", 'code ~ "[A-Z]\\d"']
GIVEN = [word for rule in RULES for word in ("--rule", rule)]
FAST = ["--steps", 2, "width=8", "latent=4", "batch=20", "pack=2", "threads=1", "precision=fp32", "compile=off"]


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    prices = [1 + (13 * k % 37) / 4 for k in range(150)]
    many = [4 if price < 4 else 1 + k % 2 for k, price in enumerate(prices)]
    rows = [f"{price:.2f},{count},{price * count:.2f},{k % 20 / 2:.1f},{k % 20 / 2 + k % 9 / 10:.1f},{'AB'[k % 2]}{k % 3}"
            for k, (price, count) in enumerate(zip(prices, many, strict=True))]
    Path("orders.csv").write_text("\n".join(["price,quantity,total,start,end,code", *rows]) + "\n")
    return Shell(monkeypatch, capsys)


def kept(rows) -> bool:
    return all(row["end"] >= row["start"] and abs(row["total"] - row["price"] * row["quantity"]) < 0.0051 and
               row["price"] * row["quantity"] < 21 for row in rows)


def test_rules_are_stated_once_and_kept_in_every_row(shell):
    said = shell("train", "table", "--data", "orders.csv", *GIVEN, *FAST)
    assert said.code == 0, said.err
    assert "rule total = price * quantity: kept by construction: total is computed" in said.err
    run = "runs/table-orders"
    told = shell("sample", run, "-n", 80, "--out", "rows.csv").out
    assert "80 rows: rows.csv" in told and "were kept; of the rules: 'price * quantity < 21' " in told
    with open("rows.csv", newline="") as file:
        rows = [{name: cell if name == "code" else float(cell) for name, cell in row.items()} for row in csv.DictReader(file)]
    assert len(rows) == 80 and kept(rows)
    model = sparring.load(f"{run}/model")
    drawn = model.sample(200, seed=4)
    assert kept(drawn if isinstance(drawn, list) else drawn.to_dict("records")) and model.space.rules == tuple(RULES)
    found = shell("evaluate", run, "--metrics", "marginals", "--n", 50, "--json").json()
    assert found["metrics"]["marginals"]["value"] >= 0 and any("'price * quantity < 21'" in note for note in found["notes"])
    other = shell("train", "table", "--data", "orders.csv", *GIVEN, "--rule", "price > 0", *FAST)
    assert other.code == 2 and "holds a run with other settings" in other.err and "rules:" in other.err


def test_a_rule_that_the_data_break_or_that_is_none_ends_before_training(shell):
    for rule, why in (("price >= 5", "rows break the rule 'price >= 5'"), ("prize >= 5", "no column 'prize'. Did you mean 'price'?")):
        said = shell("train", "table", "--data", "orders.csv", "--rule", rule, *FAST)
        assert said.code == 2 and why in said.err and said.err.count("Error") == 1
    assert not Path("runs").exists() or not list(Path("runs").glob("*/config.json"))


def test_a_run_that_began_before_there_were_rules_is_the_same_run(tmp_path):
    now = {"recipe": "table", "settings": TableRecipeSettings().model_dump(), "data_settings": TableSettings().model_dump(),
           "run_settings": {}, "seed": 0, "device": "cpu", "data": "orders.csv", "fingerprint": "x", "own_networks": None}
    then = now | {"data_settings": {"columns": "", "held_out": 0.2}}
    refuse_changes(then, now, RunFolder(tmp_path))
    with pytest.raises(sparring.InputError, match="rules:"):
        refuse_changes(then, now | {"data_settings": TableSettings(rules="price > 0").model_dump()}, RunFolder(tmp_path))
