"""What docs/text.md shows of the benchmark of text, from its results: the picture of curves over temperatures, and tables.

    python -m benchmarks.recipes.text_page          # draws docs/pictures/text-oracle.png, and prints the tables
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from benchmarks.recipes.text import BOTH, SEEDS, TEMPERATURES
from benchmarks.record import RESULTS, ROOT
from sparring.pictures.style import COLOURS, LABELS, REAL, TICKS, dress, new_figure, save_figure

SYSTEMS = {"likelihood, 40 passes": "likelihood, 40 passes", "likelihood": "likelihood, 60 passes", "seqgan": "SeqGAN", "relgan": "RelGAN",
           "relgan soft": "RelGAN, soft"}
PICTURE = ROOT / "docs" / "pictures" / "text-oracle.png"
Cases = dict[str, dict[str, Any]]


def curve(case: dict[str, Any]) -> list[tuple[float, float, float]]:
    """Temperature, NLL_test and NLL_oracle, where there is one."""
    return [(heat, case[f"NLL_test, temperature {heat}"], case[f"NLL_oracle, temperature {heat}"]) for heat in TEMPERATURES
            if case.get(f"NLL_oracle, temperature {heat}") is not None]


def draw(cases: Cases) -> None:
    """NLL_test against NLL_oracle, a line for each system of seed 0 that was run, with its temperatures."""
    figure = new_figure(8, 5.5)
    axes = figure.subplots()
    for colour, (name, title) in zip(COLOURS, SYSTEMS.items(), strict=False):
        case = cases.get(f"{name}, seed 0")
        if case is None:
            continue
        points = curve(case)
        axes.plot([test for _, test, _ in points], [own for _, _, own in points], "o-", color=colour, label=title, linewidth=1.8)
        if name == "likelihood":
            for heat, test, own in points:
                axes.annotate(f"{heat:g}", (test, own), (5, 5), textcoords="offset points", fontsize=TICKS - 1, color=colour)
    axes.axhline(cases["floor, seed 0"]["NLL_oracle"], color=REAL, linestyle=":", linewidth=1.2, label="lines of the oracle itself")
    dress(axes, "NLL_test: of fresh lines of the oracle under the model (low: nothing is missing)",
          "NLL_oracle: of generated lines (low: they are good)")
    axes.legend(fontsize=LABELS - 1, frameon=False)
    save_figure(figure, PICTURE)


def table(header: Sequence[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(header), ["---"] * len(header), *rows])


def oracle_table(cases: Cases) -> str:
    rows = []
    for name, title in SYSTEMS.items():
        for seed in SEEDS:
            if case := cases.get(f"{name}, seed {seed}"):
                own = [case[f"NLL_oracle, temperature {heat}"] for heat in TEMPERATURES]
                rows.append([title, str(seed), *("" if one is None else f"{one:.3f}" for one in own),
                             f"{case['NLL_oracle, as sampled']:.3f}", f"{case['NLL_test, temperature 1.0']:.3f}",
                             str(case["distinct words, temperature 1.0"]),
                             f"{case['rounds']:,}, {case['seconds']:,} s"])
    return table(("system", "seed", *(f"NLL_oracle at {heat:g}" for heat in TEMPERATURES), "as sampled",
                  "NLL_test at 1", "different words", "rounds"),
                 rows)


def figures_table(cases: Cases, what: str, names: Sequence[str]) -> str:
    """The figures of captions or quatrains, a column for each case."""
    columns = [case for one in ("likelihood", *BOTH) for seed in SEEDS if (case := f"{what} {one}, seed {seed}") in cases]
    titles = [re.sub(f"^{what} |, seed 0$", "", name) for name in columns]
    return table(("", *titles), [[name, *(told(cases[one].get(name)) for one in columns)] for name in names])


def told(value: Any) -> str:
    return "" if value is None else str(value) if isinstance(value, bool) else f"{value:.4g}"


def main() -> None:
    cases: Cases = json.loads((RESULTS / "text.json").read_text())["cases"]
    draw(cases)
    print(oracle_table(cases), "\n")
    for name, case in cases.items():
        if name.startswith("verdict"):
            print(f"{name}: {case}")
    bleus = [f"{kind}{n}" for kind in ("bleu", "self_bleu") for n in (2, 3, 4, 5)]
    print("\n" + figures_table(cases, "captions", ["nats", *bleus, "frechet", "repeated", "copied", "copied_4grams", "rounds", "seconds"]))
    print("\n" + figures_table(cases, "quatrains", [
        "right form", "verses copied", "verses copied, unseen poems", "rhymes", "rhymes, unseen poems",
        "rhymes, verses of two poems", "nats", "nats, 2-grams", "nats, 3-grams", *bleus[2::4], "frechet", "repeated", "copied",
        "copied_4grams", "the same latent writes the same poem", "edit distance, near",
        "edit distance, same z", "edit distance, any", "near over any", "rounds", "seconds"]))
    for name, case in cases.items():
        if "poems" in case:
            print(f"\n{name}\n" + "\n".join(case["poems"]))


if __name__ == "__main__":
    main()
