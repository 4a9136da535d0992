"""What a look at images says: counts, and a plain sentence with advice for everything that a training run would suffer from."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sparring.data.images.assumed import COLOURLESS, cut_off, sliver
from sparring.data.images.check import NEAR_AT_MOST, PAIRS, Labels, Sight, Sights, exact_duplicates, near_duplicates
from sparring.data.images.decode import FORMATS
from sparring.data.images.folder import BAD_SHARE
from sparring.data.labels import TABLE
from sparring.data.pretrained import installed
from sparring.data.settings import AUTO, choose_size
from sparring.errors import shown

NAMED = 10              # of a kind that are named
FEW = 100               # images, below which any GAN learns them by heart
HANDFUL = 20            # images, up to which nothing else can be learned
LOOK = " Look at them in the picture of duplicates."
UNEVEN = 10             # times as many images in the largest class as in the smallest


def report(sights: Sights, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Everything that was found, as plain values; `usable` says whether a run would take the data as it is."""
    good = [s for s in sights.seen if isinstance(s, Sight)]
    places = sights.good()
    broken = [(sights.names[i], why) for i, why in enumerate(sights.seen) if isinstance(why, str)]
    exact = [(places[a], places[b]) for a, b in exact_duplicates(good)]
    near = [(places[a], places[b]) for a, b in near_duplicates(good, progress)]
    plain = sum(bool((s.thumb == s.thumb[0, 0]).all()) for s in good)
    result: dict[str, Any] = {
        "images": len(good), "broken": len(broken), "broken_names": [{"name": shown(n), "why": why} for n, why in broken[:NAMED]],
        "other_files": sights.others, "sizes": most([f"{s.size[0]}x{s.size[1]}" for s in good]), "modes": most([s.mode for s in good]),
        "forms": most([s.form for s in good]), "transparent": sum(s.transparent for s in good),
        "several_frames": sum(s.frames for s in good), "one_colour": plain, "exact_duplicates": len(exact), "near_duplicates": len(near),
        "labels": balance(sights), "several_labels": None if sights.table is None else sights.table.about,
        "duplicate_names": [[shown(sights.names[a]), shown(sights.names[b])] for a, b in (exact + near)[:NAMED]],
        "only_folder": only_folder(sights), "pairs": {"exact": exact[:NAMED], "near": near[:NAMED]},
    }
    if good:
        size, why = choose_size([s.size for s in good], AUTO)
        result["read_as"] = f"{size[0]}x{size[1]} with {1 if all(s.grey for s in good) else 3} channel(s): {why}"
    assumed = about_reading(good, size) if good else []
    across = sum(part(sights, a) != part(sights, b) for a, b in exact + near)
    problems = stopping(sights, len(good), len(broken), len(exact))
    said = problems + [sentence(note) for note in (*sights.odd, *assumed)] + ([sights.parts] if sights.parts else [])
    said += troubling(result, len(good), across, usable=not problems) + about_table(sights.table)
    return result | {"usable": not problems, "findings": said}


def about_reading(good: Sequence[Sight], size: tuple[int, int]) -> list[str]:
    """What is lost or hardly used when these are read at this size."""
    grey = all(s.colourless for s in good) and not all(s.grey for s in good)
    return [*sliver(min(s.low for s in good), max(s.high for s in good), deep=all(s.deep for s in good)),
            *cut_off([s.size for s in good], size), *([COLOURLESS] if grey else [])]


def sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}."


def part(sights: Sights, i: int) -> tuple[int, bool]:
    """The class of an image, and whether it is held out."""
    return -1 if sights.labels is None else sights.labels[i], i >= len(sights.names) - sights.held_out


def most(words: list[str]) -> dict[str, int]:
    """Counts, the commonest first; beyond NAMED as one."""
    counts = Counter(words).most_common()
    return dict(counts[:NAMED]) | ({f"{len(counts) - NAMED} others": sum(n for _, n in counts[NAMED:])} if len(counts) > NAMED else {})


def only_folder(sights: Sights) -> str | None:
    """The folder in which all images lie, when there is one and it makes no class."""
    folders = {name.split("/")[0] if "/" in name else "" for name in sights.names}
    return shown(folders.pop()) if sights.labels is None and sights.table is None and len(folders) == 1 and folders != {""} else None


def balance(sights: Sights) -> dict[str, int] | None:
    """How many good images every class has; None without classes."""
    if sights.labels is None or not sights.classes:
        return None
    count = Counter(sights.labels[i] for i in sights.good())
    return {name: count[k] for k, name in enumerate(sights.classes)}


def stopping(sights: Sights, good: int, broken: int, copies: int) -> list[str]:
    """Why no run would take this data, or learn anything from it."""
    total, found = good + broken, []
    if not total:
        kinds = ", ".join(f"{n} {suffix}" for suffix, n in list(sights.others.items())[:NAMED])
        return [f"There is no image{f', only other files: {kinds}' if kinds else ' and no other file'}. Give a folder or .zip of "
                f"{', '.join(FORMATS)} images; pages of a PDF must be saved as images first."]
    if broken > BAD_SHARE * total:
        found.append(f"{broken:,} of {total:,} images cannot be read. That is more than 1 in 20, so a run would refuse the data. Repair or "
                     "remove them.")
    if good == 1:
        found.append("There is one image, and one image is not a data set. Give more.")
    elif good > 1 and copies == good - 1:
        clear = [s for s in sights.seen if isinstance(s, Sight) and s.transparent]
        found.append(f"All {good:,} images are the same, so there is nothing to learn. " + (
            f"{len(clear):,} of them are transparent and were laid on white: see whether alpha=black, or channels=4, shows what is on them."
            if clear else "Give other images."))
    if sights.wrong:
        found.append(sights.wrong)
    if sights.table is not None and sights.table.wrong:
        found.append(f"The table of labels would be refused: {sights.table.wrong}")
    return found


def troubling(found: dict[str, Any], good: int, across: int, *, usable: bool) -> list[str]:
    """What a run would put up with, and should know of."""
    said, labels = [], found["labels"]
    sizes, modes = len(found["sizes"]), len(found["modes"])
    if found["broken"]:
        skipped = f"{found['broken']:,} broken image(s), which a run would skip" if usable else "Broken images were found"
        said.append(f"{skipped}, such as {found['broken_names'][0]['name']} ({found['broken_names'][0]['why']}).")
    if found["other_files"] and good:
        kinds = ", ".join(f"{n} {suffix}" for suffix, n in list(found["other_files"].items())[:NAMED])
        said.append(f"Files that are not images are skipped: {kinds}.")
    if sizes > 1:
        said.append(f"Sizes differ. All would be brought to {found['read_as']}.")
    if modes > 1:
        said.append(f"Modes differ ({', '.join(found['modes'])}). All would get the same channels; channels=1, 3 or 4 chooses others.")
    if found["transparent"]:
        said.append(f"{found['transparent']:,} image(s) are transparent and would get a white background; alpha=black makes it black, "
                    "channels=4 keeps the transparency.")
    if found["several_frames"]:
        said.append(f"{found['several_frames']:,} image(s) have several frames or pages, of which the first is used.")
    if found["one_colour"]:
        said.append(f"{found['one_colour']:,} image(s) are of one colour. Look whether they belong there.")
    if found["exact_duplicates"]:
        said.append(f"{found['exact_duplicates']:,} image(s) are exact copies of another. A generator makes such images more often; remove "
                    f"copies that are there by mistake.")
    if found["near_duplicates"]:
        different = good - found["exact_duplicates"]
        if found["near_duplicates"] == different * (different - 1) // 2 and different > 2:
            said.append(f"All {good:,} images are nearly the same, so there is little to learn. Check that this is the right folder.")
        many = "At least " if found["near_duplicates"] == PAIRS else ""
        some = f", among the first {NEAR_AT_MOST:,} images" if good > NEAR_AT_MOST else ""
        said.append(f"{many}{found['near_duplicates']:,} pair(s) are nearly the same{some}.{LOOK}")
    if across:
        said.append(f"{across:,} of these duplicates are in different classes or parts. In different parts, training sees test images; in "
                    "different classes, their labels contradict each other.")
    if found["only_folder"]:
        said.append(f"All images are in one folder, '{found['only_folder']}', so there are no classes. For classes, use one folder per "
                    "class.")
    said += about_labels(labels)
    return said + ([few] if (few := too_few(good, grey="1 channel(s)" in found.get("read_as", ""))) else [])


def too_few(count: int, *, grey: bool) -> str:
    """What becomes of so few images, and what helps as far as it does: the augmentation that `images` chooses.  Empty for enough."""
    if count <= 1 or count >= FEW:
        return ""
    if count <= HANDFUL:
        return f"{count} images are so few that they will be learned by heart: samples will be copies of them. Give a hundred or more."
    how = "ada" if grey or not installed() else "diff"
    return f"{count} images are few: the generator may copy them. augment={how}, which `images` chooses, helps, and `sparring evaluate` " \
           "measures memorization."


def about_labels(labels: dict[str, int] | None, what: str = "image") -> list[str]:
    if labels is None:
        return []
    said, fewest, largest = [], min(labels, key=lambda k: labels[k]), max(labels, key=lambda k: labels[k])
    alone = [name for name, n in labels.items() if n <= 1]
    if len(labels) == 1:
        said.append(f"There is only one class ('{fewest}'), so labels are useless. Give conditional=false, or more classes.")
    if alone and len(labels) > 1:
        said.append(f"{len(alone)} class(es) have one {what} or none, such as '{alone[0]}': too few to learn from. Merge or remove them.")
    elif len(labels) > 1 and labels[largest] > UNEVEN * labels[fewest]:
        said.append(f"Classes are uneven: '{largest}' has {labels[largest]:,} {what}s and '{fewest}' {labels[fewest]:,}. A conditional "
                    f"model learns the small ones badly.")
    return said


def about_table(table: Labels | None) -> list[str]:
    if table is None:
        return []
    said = list(table.odd)
    if table.strangers:
        said.append(f"{TABLE} has {len(table.strangers):,} row(s) for files that are not there, such as {shown(table.strangers[0])}: look "
                    f"whether images are missing.")
    return said
