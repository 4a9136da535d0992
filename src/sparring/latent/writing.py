"""Lines of text from a model: at a temperature, and from a beginning that is asked for."""

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from sparring.data.settings import check_memory
from sparring.errors import InputError, listed, shown
from sparring.game import Game
from sparring.latent.portions import CHUNK
from sparring.rng import generator
from sparring.spaces import Texts
from sparring.spaces.texts import UNKNOWN, split

BYTES = 100             # that a line takes for each of its words


def lines(game: Game, space: Texts, n: int, seed: int, temperature: Any = 1.0, prefix: str = "",
          watch: Callable[[int, int], None] = lambda done, total: None) -> list[str]:
    """n lines, of the latents that `Model.latents(n, seed=seed)` gives: line i does not depend on n.  InputError for a temperature that is
    not above 0, and for a prefix with words that the model does not know, or too long for its lines."""
    heat, begins = hot(temperature), beginning(space, prefix)
    check_memory(BYTES * n * space.length, f"n={n:,} lines", "Draw fewer, several times, with other seeds.")
    found = list[str]()
    for k in range(-(-n // CHUNK)):
        made = game.sample(game.prior(CHUNK, generator(seed, "sample", k)), temperature=heat, prefix=begins)
        found += space.write(made[:n - len(found)])
        watch(len(found), n)
    return found


def hot(temperature: Any) -> float:
    """A temperature that was asked for."""
    try:
        heat = float(temperature)
    except (TypeError, ValueError):
        heat = math.nan
    if not 0 < heat < math.inf:
        raise InputError(f"temperature={shown(temperature)}: give a number above 0. 1 draws words as often as was learned; 0.5, for one, "
                         "draws likely words more often; 0.01 nearly always takes the likeliest.")
    return max(heat, 1e-6)


def beginning(space: Texts, prefix: str) -> Tensor | None:
    """The tokens of a beginning, int64[P]; None for none."""
    if not isinstance(prefix, str):
        raise InputError(f"prefix={shown(repr(prefix))}: give text, such as the first word of a line.")
    words = split(prefix, space.unit)
    if not words:
        return None
    if len(words) > space.length:
        raise InputError(f"the prefix has {len(words):,} {space.unit}s, and lines of this model have at most {space.length}. Give a "
                         "shorter one.")
    tokens = space.read([words])[0, :len(words)].long()
    unknown = [word for word, token in zip(words, tokens.tolist(), strict=True) if token == UNKNOWN]
    if unknown:
        raise InputError(f"this model does not know {listed(unknown, 5)}: its vocabulary has {len(space.vocabulary):,} {space.unit}s, such "
                         f"as {listed(space.vocabulary, 5)}. Give a prefix of these.")
    return tokens


def refuse_for_lines(**given: Any) -> None:
    """InputError for what is asked of samples of other kinds."""
    if asked := [name for name, value in given.items() if value is not None]:
        raise InputError(f"{' and '.join(asked)}: lines of text are not asked for by this. Leave it out; temperature and prefix are for "
                         "lines.")
