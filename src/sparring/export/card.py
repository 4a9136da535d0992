"""What a file says of itself: for programs in its own metadata, and for people on a page beside it, the model card."""

import json
from pathlib import Path
from typing import Any

import sparring
from sparring.api import Model
from sparring.errors import shown
from sparring.export.convert import LARGEST, OPSET
from sparring.export.parts import TRIED, Exported
from sparring.recipes import find

MARK = "<!-- written by sparring export -->"    # in the first line of a card, by which one is known that may be replaced
PRECISION = "float32"


def metadata(model: Model, part: Exported) -> dict[str, str]:
    """Names and texts; whatever is not text itself is JSON."""
    facts = {"recipe": model.recipe, "data": data_of(model), "rounds": str(model.trained.get("steps", "")), "precision": PRECISION,
             "sparring": sparring.__version__}
    more = {"settings": model.settings.model_dump(), "scores": model.scores, **part.about}
    return facts | {name: json.dumps(value, ensure_ascii=False) for name, value in more.items()}


def data_of(model: Model) -> str:
    """What it learned from, without the folders of the machine that it was trained on."""
    data = model.trained.get("data")
    names = data if isinstance(data, list) else [data or "data that were not named"]
    return " and ".join(shown(Path(str(name)).name or name) for name in names)


def card(model: Model, part: Exported, file: str, difference: float) -> str:
    """The page, in Markdown."""
    summary = (model.system.summary if model.system else find(model.recipe).summary).strip().rstrip(".")
    trained = f"{model.trained['steps']:,} rounds" if model.trained.get("steps") else "a number of rounds that is not known"
    seed = f", seed {model.trained['seed']}" if isinstance(model.trained.get("seed"), int) else ""
    scores = [f"| {cell(name)} | {value:.6g} |" for name, value in model.scores.items()]
    settings = [f"| {cell(name)} | {cell(value)} |" for name, value in model.settings.model_dump().items()]
    return "\n".join([
        MARK, f"# {cell(file)}", "",
        f"A model of the recipe `{cell(model.recipe)}` ({cell(summary)}), trained on {cell(data_of(model))} for {trained}{seed}, by "
        f"sparring {sparring.__version__}. A program with an ONNX runtime can use it, without torch and without sparring.", "",
        "## What goes in and what comes out", "", *(f"- `{name}`: {cell(text)}" for name, text in part.inputs.items()),
        f"- gives `{part.output}`: {cell(part.shape)}", "", *told(part.about),
        "## How exact it is", "",
        f"Weights and computation are in {PRECISION}; operators are those of ONNX opset {OPSET}. Over {TRIED} inputs, the output of "
        f"onnxruntime on a CPU was at most {difference:.1e} away from torch's, in the numbers of the network; more than {LARGEST:.0e} "
        "would have been refused. Other runtimes and devices may differ more.", "",
        "## What it leaves out", "", *(f"- {cell(one)}" for one in (*part.left_out, "the networks that judged it in training, and whatever "
                                                                    "continues the training: these stay in the run folder")), "",
        "## How to use it", "", "```python", *example(part, file), "```", "",
        "## How good it is", "", *(["| score at the end of training | value |", "| --- | --- |", *scores] if scores else
                                   ["No scores were taken. `sparring evaluate RUN` takes some."]), "",
        "## Settings", "", "| setting | value |", "| --- | --- |", *settings, ""])


def cell(value: object) -> str:
    """A value fit for Markdown: on one line, with nothing that a page would obey."""
    return shown(value).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def told(about: dict[str, Any]) -> list[str]:
    """What classes, domains and columns there are."""
    said = list[str]()
    for name, title in (("labels", "Classes"), ("domains", "Domains"), ("label names", "Labels")):
        if name in about:
            said += [f"{title}, in this order: {', '.join(cell(one) for one in about[name][:100])}"
                     f"{', ...' if len(about[name]) > 100 else ''}. All of them stand in the file's metadata.", ""]
    if "columns" in about:
        names = [one["name"] if isinstance(one, dict) else one for one in about["columns"]]
        said += [f"Columns: {', '.join(map(cell, names[:100]))}{', ...' if len(names) > 100 else ''}.", ""]
    return said


def example(part: Exported, file: str) -> list[str]:
    """Python that uses the file: numpy and onnxruntime, and nothing else."""
    lines = ["import numpy as np", "import onnxruntime", "", f"session = onnxruntime.InferenceSession({file!r})",
             "rng, n = np.random.default_rng(0), 16"]
    given = list[str]()
    for name in part.trial:
        if name == "z":
            lines += [f"z = [{', '.join(drawn(one) for one in part.about['latent'])}]"]
            given.append('"z": np.concatenate(z, 1).astype(np.float32)')
        elif name == "temperature":
            given.append('"temperature": np.ones(1, np.float32)')
        elif name == "label" and "label names" in part.about:
            row = ", ".join(f"{value:.6g}" for value in part.trial["label"][0].tolist())
            given.append(f'"label": np.tile([[{row}]], (n, 1))')
        elif name in ("label", "domain"):
            count = len(part.about.get("labels") or part.about["domains"])
            given.append(f'"{name}": np.arange(n) % {count}')
        else:
            shape = ", ".join(map(str, part.trial[name].shape[1:]))
            lines.append(f"{name} = np.zeros((n, {shape}), np.float32)    # your pictures, pixels / 127.5 - 1")
            given.append(f'"{name}": {name}')
    pixels = ["pixels = ((images.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8)"] if part.output == "images" else []
    return [*lines, f"{part.output}, = session.run(None, {{{', '.join(given)}}})", *pixels]


def drawn(part: dict[str, Any]) -> str:
    """How numpy draws a part of a latent."""
    size = part["size"]
    match part["kind"]:
        case "uniform":
            return f"rng.uniform({part['low']}, {part['high']}, (n, {size}))"
        case "one-hot":
            return f"np.eye({size})[rng.integers({size}, size=n)]"
    return f"rng.standard_normal((n, {size}))"
