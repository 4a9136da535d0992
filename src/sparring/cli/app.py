"""The command line.  Nothing here imports torch before it is needed, so that help answers at once."""

import io
import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from sparring import __version__
from sparring.cli.answer import as_one_line, finish, reading, say
from sparring.cli.export import export
from sparring.cli.help import Command, Group
from sparring.cli.in_browser import lab
from sparring.cli.new import new
from sparring.cli.on_images import animate, translate
from sparring.cli.options import Columns, Data, Device, Json, Own, Prefix, Rules, Seed, Target, Temperature, Where

commands = typer.Typer(cls=Group, add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
                       help="Train, sample and inspect generative adversarial networks.",
                       epilog="New here? `sparring demo` shows it at work in under three minutes; `sparring COMMAND --help` explains a "
                       "command.")
UsageError: Any = typer.BadParameter.__mro__[2]     # click's ClickException, which some versions of typer carry inside


@commands.command()
def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="What to train; `sparring recipes` lists them. Or your own: ./mine.py.")],
    settings: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE",
                                                         help="Settings; `sparring show RECIPE` explains them.")] = None,
    data: Data = None,
    column: Columns = None,
    rule: Rules = None,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder; runs/RECIPE-DATA when left out.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Rounds to play. A run that had fewer goes on with more, unless one of "
                                              "its settings is laid out over its length: then it is told which.")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Train for about so long, instead of a number of rounds.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
    fork: Annotated[Path | None, typer.Option("--fork", metavar="NEWDIR", help="Go on from the run in --out, with changed "
                                              "settings, in a new folder.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Deterministic algorithms throughout, also where that is slower; the same as "
                                        "exact=true.")] = False,
    stop_when: Annotated[str | None, typer.Option("--stop-when", help="End the run early when the doctor calls it converged, or failed; "
                                                  "never: go on with one that ended so. The same as stop_when=...")] = None,
    as_json: Json = False,
) -> None:
    """Train a recipe.  The same command again resumes where it stopped, and with more --steps goes on from its end."""

    def action() -> dict[str, Any]:
        from sparring.cli.train import kinds_of
        from sparring.cli.train import train as command

        words = [*(settings or []), *(["exact=true"] if exact and "exact=true" not in (settings or []) else [])]
        words += [f"stop_when={stop_when}"] if stop_when and not any(w.startswith("stop_when=") for w in words) else []
        words += [*(kinds_of(column) if column else []), *([f"rules={json.dumps(rule)}"] if rule else [])]
        return command(recipe, words, data or [], out, steps, seed, device, fork, shlex.join(["sparring", *sys.argv[1:]]), minutes)

    finish(action, as_json, "train")


@commands.command()
def rerun(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    out: Annotated[Path | None, typer.Option("--out", help="Run folder; RUN-rerun when left out.")] = None,
    data: Annotated[str | None, typer.Option("--data", metavar="SOURCE", help="Where the run's data is now, if not where it was.")] = None,
    recipe: Own = None,
    as_json: Json = False,
) -> None:
    """Train a finished run again from its config.json, and compare the models.  Exit code 1 when the models differ."""

    def action() -> dict[str, Any]:
        reading(run)
        from sparring.cli.rerun import rerun as command

        return command(run, out, data, shlex.join(["sparring", *sys.argv[1:]]), recipe)

    finish(action, as_json, "rerun")


@commands.command()
def sample(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a model folder.")],
    n: Annotated[int, typer.Option("-n", help="How many samples.")] = 64,
    seed: Seed = 0,
    out: Annotated[str, typer.Option(help="Where to: FILE.png, FILE.npy, FILE.npz, FILE.csv, or a new folder. When left out: samples.png, "
                                     "rows of tables to samples.csv, and lines of text are printed.", show_default=False)] = "",
    label: Annotated[str | None, typer.Option("--label", help="A class, or several with commas; or labels by name, age=30,smiling=1; "
                                               "else all in turn.")] = None,
    truncation: Annotated[float | None, typer.Option("--truncation", help="The largest size of a number in a latent, such as 0.7: fewer "
                                                     "kinds of samples, and more typical ones. Of stylegan: psi, from 0 to 1.")] = None,
    shares: Annotated[str, typer.Option("--shares", help="How classes are mixed: even, or as in the data.")] = "even",
    where: Where = None,
    temperature: Temperature = None,
    prefix: Prefix = "",
    recipe: Own = None,
    as_json: Json = False,
) -> None:
    """Draw samples from a run or a model."""

    def action() -> dict[str, Any]:
        reading(run)
        from sparring.cli.sample import sample as command

        return command(run, n, seed, out, label, truncation, shares, where, temperature, prefix, recipe)

    finish(action, as_json, "sample")


@commands.command()
def evaluate(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="A run folder, or a model folder; or leave it out, and give two "
                                              "sets.")] = None,
    real: Annotated[list[str] | None, typer.Option("--real", metavar="SOURCE", help="The data to hold samples against; a run's own when "
                                                   "left out. Twice for two folders of images.")] = None,
    generated: Annotated[str | None, typer.Option("--generated", metavar="SOURCE", help="Samples, as `train --data` takes data.")] = None,
    metrics: Annotated[str | None, typer.Option("--metrics", help="With commas: fid, fid_infinity, kid, precision, recall, "
                                                "density, coverage, swd, memorization; these when left out; cas, path_length. Of "
                                                "translators: l1, psnr, ssim, perceptual, kid, content, cycle_l1, domain_error. Of "
                                                "tables: marginals, pairs, detection, usefulness, distance, copies, membership. Of "
                                                "text: nats, bleu2 to bleu5, self_bleu2 to self_bleu5, repeated, copied, "
                                                "copied_4grams.")] = None,
    n: Annotated[int, typer.Option("--n", help="Samples of each set, at most.")] = 10_000,
    size: Annotated[str, typer.Option("--size", help="The size to judge images at: auto (their own), a side, HEIGHTxWIDTH.")] = "auto",
    as_: Annotated[str, typer.Option("--as", metavar="grey", help="Make both sets grey; colour against grey is refused without.")] = "",
    features: Annotated[str, typer.Option("--features", help="What to compare by: auto, pixels, grey28-v1, lite1, or a file, TorchScript "
                                          "(.pt) or .safetensors.")] = "auto",
    sha256: Annotated[str, typer.Option("--sha256", help="The hash of the file in --features, which is opened only if it has it.")] = "",
    target: Target = None,
    seed: Seed = 0,
    recipe: Own = None,
    as_json: Json = False,
) -> None:
    """How good samples are: FID, KID, precision, recall and more, each with a 95 % interval and its protocol."""

    def action() -> dict[str, Any]:
        reading(run, *(real or []), generated)
        from sparring.cli.evaluate import evaluate as command

        return command(run, real, generated, None if metrics is None else metrics.split(","), n, size, features, sha256, seed, as_,
                       target, recipe)

    finish(action, as_json, "evaluate")


@commands.command()
def data(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="What `train --data` takes.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the contact sheet; runs/data-SOURCE when left out.")] = None,
    table: Annotated[bool, typer.Option("--table", help="Rows of a table, though all cells are numbers.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Look at data before training on it: sizes, broken files, duplicates, labels, a contact sheet.  Exit code 1 when it cannot be used."""

    def action() -> dict[str, Any]:
        reading(source)
        from sparring.cli.data import data as command

        return command(source, out, seed, table)

    finish(action, as_json, "data")


@commands.command()
def explore(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a model folder, that draws samples from latents.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the page and the pictures; RUN/explore when left out.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="A class, at which everything is done; all in turn when left out.")] = None,
    directions: Annotated[int | None, typer.Option("--directions", help="How many by each method; 6 at most when left out.")] = None,
    steps: Annotated[int, typer.Option("--steps", help="How many samples along each direction, and from one to the next.")] = 9,
    reach: Annotated[float | None, typer.Option("--reach", help="How far along a direction, to both sides; 3 when left out.")] = None,
    truncation: Annotated[float | None, typer.Option("--truncation", help="The largest size of a number in the latents that all begins "
                                                     "from, such as 0.7. Of stylegan: psi, from 0 to 1.")] = None,
    invert: Annotated[Path | None, typer.Option("--invert", help="An image, a folder or a .zip (.npy or .npz of numbers): find the latents "
                                                "that make these.")] = None,
    space: Annotated[str, typer.Option("--space", help="Where --invert looks: z, w, w+; auto: w+ of stylegan, z of others.")] = "auto",
    perceptual: Annotated[float, typer.Option("--perceptual", help="Weight of the perceptual distance in --invert, such as 0.1.")] = 0.0,
    seed: Seed = 0,
    recipe: Own = None,
    as_json: Json = False,
) -> None:
    """Explore a model's latent space: directions found without labels, interpolation, truncation, inversion; a page with sliders."""

    def action() -> dict[str, Any]:
        reading(run)
        from sparring.cli.explore import explore as command

        return command(run, out, label, directions, steps, reach, truncation, invert, seed, perceptual, space, recipe)

    finish(action, as_json, "explore")


@commands.command()
def doctor(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder; the run may be going on.")],
    gap: Annotated[bool, typer.Option("--gap", help="Also search for what each player could still gain alone, the perturbed duality "
                                                    "gap: 1,200 steps.")] = False,
    recipe: Own = None,
    as_json: Json = False,
) -> None:
    """Say whether a run is healthy, what is wrong with it, and which settings to try.  Exit code 0 whatever it finds."""

    def action() -> dict[str, Any]:
        if gap:                                                 # the verdict alone takes no time
            reading(run)
        from sparring.cli.doctor import doctor as command

        return command(run, gap, recipe)

    finish(action, as_json, "doctor")


@commands.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Annotated[Path | None, typer.Option("--out", help="The page; RUN/report.html when left out.")] = None,
    target: Annotated[str | None, typer.Option("--target", metavar="COLUMN", help="Of a table: how well models that learned from generated "
                                               "rows predict this column of real ones.")] = None,
    recipe: Own = None,
    as_json: Json = False,
) -> None:
    """Write one page about a run: health, losses, samples through time, scores, settings.  It needs no network."""

    def action() -> dict[str, Any]:
        reading(run)
        from sparring.cli.report import report as command

        return command(run, out, recipe, target)

    finish(action, as_json, "report")


@commands.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Two run folders or more.")],
    out: Annotated[Path | None, typer.Option("--out", help="The page; compare.html in the current folder when left out.")] = None,
    as_json: Json = False,
) -> None:
    """Put runs side by side on one page."""

    def action() -> dict[str, Any]:
        reading(*runs)
        from sparring.cli.compare import compare as command

        return command(runs, out or Path("compare.html"))

    finish(action, as_json, "compare")


@commands.command()
def gallery(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Which ones; all when left out.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the runs and the page; runs/gallery if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Train runs that fail on purpose, and show what the doctor finds and a cure for each."""

    def action() -> dict[str, Any]:
        from sparring.cli.gallery import gallery as command

        return command(names or [], out or Path("runs/gallery"))

    finish(action, as_json, "gallery")


@commands.command()
def show(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="A recipe, ./mine.py, or a run folder.")],
    data: Annotated[str | None, typer.Option("--data", metavar="SOURCE", help="The data whose networks and defaults to show; the "
                                             "recipe's example when left out.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every setting with its bounds, not only those that matter most.")] = False,
    recipe: Own = None,
    as_json: Json = False,
) -> None:
    """Players, turns and the settings of a recipe or a run."""

    def action() -> dict[str, Any]:
        reading(what)
        from sparring.cli.show import show as command

        return command(what, data, every, recipe)

    finish(action, as_json, "show")


@commands.command()
def recipes(as_json: Json = False) -> None:
    """List the recipes, those of installed packages too."""

    def action() -> dict[str, Any]:
        from sparring.cli.show import recipes as command

        return command()

    finish(action, as_json, "recipes")


@commands.command()
def demo(
    out: Annotated[Path | None, typer.Option("--out", help="Folder for runs, pictures and the page; runs/demo if left out.")] = None,
    seed: Seed = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Train a twentieth as long, to see that everything works.")] = False,
    as_json: Json = False,
) -> None:
    """Curves, a density and handwritten digits in under three minutes, with pictures and a page."""

    def action() -> dict[str, Any]:
        from sparring.cli.demo import demo as command

        return command(out or Path("runs/demo-quick" if quick else "runs/demo"), seed, quick)

    finish(action, as_json, "demo")


@commands.command()
def experiment(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Name of the experiment; all are listed when left out.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Run all experiments, with one page for all.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller and shorter. What it is too short to show does not count.")] = False,
    data: Annotated[str | None, typer.Option("--data", help="Real images for the experiments that take them: MNIST-like IDX files, "
                                             "a folder or .zip of images.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for pictures and figures; runs/experiments if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Check a claim of the literature: what came out, claim, source, ours, reference.  Exit code 1 when one does not hold."""

    def action() -> dict[str, Any]:
        from sparring.cli.experiment import experiment as command

        return command(name, every, quick, data, out or Path("runs/experiments-quick" if quick else "runs/experiments"))

    finish(action, as_json, "experiment")


@commands.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Which ones; all when left out.")] = None,
    pairs: Annotated[int, typer.Option("--pairs", help="How many pairs of measurements to take.")] = 3,
    threads: Annotated[int | None, typer.Option("--threads", help="Processor threads; one for curves, all for images if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Measure the training speed on this machine against hand-written loops."""

    def action() -> dict[str, Any]:
        from sparring.cli.bench import bench as command

        return command(names or [], pairs, threads)

    finish(action, as_json, "bench")


@commands.callback(invoke_without_command=True)
def main(context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
         as_json: Json = False) -> None:
    if version:
        finish(lambda: {"version": __version__, "text": f"sparring {__version__}"}, as_json, "version")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        context.fail("there is no command. Commands: train, rerun, sample, explore, translate, animate, export, evaluate, data, doctor, "
                     "report, compare, gallery, lab, show, recipes, demo, new, experiment, bench.")
    if as_json:
        context.fail(f"--json goes after the command: sparring {context.invoked_subcommand} --json.")


for function in (translate, animate, export, new, lab):
    commands.command()(function)
for each in commands.registered_commands:
    each.cls = Command


def app() -> NoReturn:
    """The command line as the shell calls it; words it does not understand are told as JSON too, when that was asked for."""
    try:
        code = commands(prog_name="sparring", standalone_mode=False)
    except UsageError as error:
        if "--json" in sys.argv[1:]:
            say(as_one_line({"command": None, "error": error.format_message(), "exit_code": error.exit_code}))
        said = io.StringIO()
        error.show(file=said)
        say(said.getvalue().rstrip("\n"), err=True)
        code = error.exit_code
    except typer.Abort:
        code = 1
    except OSError as error:                                    # what the commands meet is told by `finish`
        say(f"Failed: standard output cannot be written: {error.strerror or error}.", err=True)
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    app()
