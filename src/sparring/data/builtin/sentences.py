"""Sentences of a small grammar, as an example of what a model of text learns."""

import random

ADJECTIVES, NOUNS = ("small", "old", "red", "quiet"), ("cat", "bird", "dog", "child")
VERBS, PLACES = ("sees", "follows", "hears"), ("in the garden", "by the river", "on the hill")


def sentences(n: int = 2000) -> list[str]:
    """n lines such as `the small cat sees a red bird by the river .`"""
    rng = random.Random(0)

    def one() -> str:
        first = f"the {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}" if rng.random() < 0.7 else f"the {rng.choice(NOUNS)}"
        second = f"a {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}" if rng.random() < 0.5 else f"a {rng.choice(NOUNS)}"
        place = f" {rng.choice(PLACES)}" if rng.random() < 0.6 else ""
        return f"{first} {rng.choice(VERBS)} {second}{place} ."

    return [one() for _ in range(n)]
