"""A table of people who do not exist, with columns of every kind, as an example of what `table` learns."""

import random

TRADES = {"baker": 2100.0, "nurse": 2700.0, "teacher": 3100.0, "engineer": 4200.0}
TOWNS = ("Adams", "Brook", "Clay")


def people(n: int = 2000) -> list[dict[str, str]]:
    """n rows: pay follows trade and age, the partner follows age, and some have no phone."""
    rng, rows = random.Random(0), list[dict[str, str]]()
    for _ in range(n):
        age = min(65, max(18, round(rng.gauss(41, 12))))
        trade = rng.choices(list(TRADES), (5, 3, 3, 1))[0]
        pay = TRADES[trade] * (1 + 0.01 * (age - 40)) * rng.lognormvariate(0, 0.1)
        years = rng.randint(0, age - 18)
        rows.append({"age": str(age), "town": rng.choices(TOWNS, (6, 3, 1))[0], "trade": trade, "pay": f"{pay:.2f}",
                     "partner": "yes" if rng.random() < (age - 15) / 60 else "no",
                     "since": f"{2024 - years}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
                     "phones": "" if rng.random() < 0.1 else str(1 + rng.randint(0, 2))})
    return rows
