"""fit(), load(), and the fitted model with sample() and save()."""

import json
import math
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from sparring.data.asked import Shares, labels_for
from sparring.data.settings import check_memory
from sparring.errors import InputError, RunFailed, did_you_mean, reason
from sparring.game import Game
from sparring.game.animate import animate
from sparring.game.translate import Fit, target, translate
from sparring.latent import steering
from sparring.latent import styles as in_w
from sparring.latent.directions import Directions, along
from sparring.latent.inversion import Inversion
from sparring.latent.parts import path as way
from sparring.latent.parts import within
from sparring.latent.portions import CHUNK, at_once
from sparring.latent.truncation import asked, of_latents, truncated
from sparring.latent.where import framed, refuse_for_rows
from sparring.latent.writing import lines, refuse_for_lines
from sparring.progress import Line, Silent, watched
from sparring.recipes import Recipe, find
from sparring.rng import generator
from sparring.runs import checkpoint
from sparring.runs.folder import CODE, RunFolder, parse_json
from sparring.settings import Settings, make, whole_count, whole_seed
from sparring.setup.announced import announced
from sparring.setup.own import copy_of, kept, named, outside
from sparring.setup.prepare import Prepared, prepare, versions
from sparring.setup.rebuild import fix_told, rebuild
from sparring.setup.request import Request, choose_device
from sparring.spaces import Space, Table, Texts, Traits, to_json, traits_of
from sparring.training.loop import train
from sparring.training.plan import Outcome, Progress
from sparring.untrusted import JSON_BYTES

T = TypeVar("T")
MODEL_FILES = (checkpoint.CONFIG, checkpoint.MODEL, checkpoint.MANIFEST, CODE)


class Model:
    """A fitted model: what sampling needs, without the data.  `scores` are those at the end of its training."""

    def __init__(self, recipe: str, settings: Settings, space: Space, game: Game, *,
                 scores: dict[str, float] | None = None, trained: dict[str, Any] | None = None, system: Recipe | None = None) -> None:
        self.recipe, self.settings, self.space, self.game = recipe, settings, space, game
        self.scores, self.trained, self.system = scores or {}, trained or {}, system

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that samples can be asked for; empty when the model is unconditional."""
        return self.space.labels if self.game.classes else ()

    @property
    def traits(self) -> Traits | None:
        """What samples can be asked for where the data has several labels a sample, or measured ones; None where it has classes or none."""
        return traits_of(self.space) if self.game.classes else None

    def labels_for(self, n: int, labels: Any = None, *, positions: Any = None, shares: Shares = "even") -> Tensor:
        """Class indices int64[n]: of the classes named, or at the `positions` given, repeated in order; without them all in turn, or
        mixed as in the data with shares="data".

        A number names the class that is called so.  Where there are several labels a sample: rows float[n, K], from numbers [M, K],
        {name: value} or words `name=value`.
        """
        return labels_for(self.space if self.labels else None, n, labels, positions, shares)

    def sample(self, n: int, *, seed: int = 0, labels: Any = None, positions: Any = None, shares: Shares = "even",
               truncation: float | None = None, where: Any = None, temperature: float | None = None, prefix: str = "",
               watch: Callable[[int, int], None] = lambda done, total: None) -> Any:
        """n samples in the data's own units, on the CPU: images float[n, C, H, W] in [-1, 1], vectors float64[n, D], curves float[n, D].

        The same seed gives the same samples; sample i does not depend on n.  A conditional model takes its classes in turn unless
        `labels`, `positions` or `shares` say otherwise, as `labels_for` takes them.  With a `truncation`, no number of a latent is larger
        than that (Brock et al., 2019); of a model with styles it is psi, from 0 to 1: how far each style is from their average (Karras et
        al., 2019).  `watch(done, n)` is told how far it is.  Of a table: a data frame, or a list of dicts without pandas, of rows that are
        as `where` asks, {name: value} or words such as `sex=Female,age>=30`.  Of text: n strings, at a `temperature`, with a beginning.
        """
        n, seed = whole_count(n), whole_seed(seed)
        check_memory(8 * n * math.prod(self.space.shape), f"n={n:,} samples", "Draw fewer, several times, with other seeds.")
        if isinstance(self.space, Table):
            refuse_for_rows(labels=labels, positions=positions, truncation=truncation, shares=None if shares == "even" else shares)
            return framed(self.game, self.space, n, seed, where, watch)
        if isinstance(self.space, Texts):
            refuse_for_lines(labels=labels, positions=positions, truncation=truncation, shares=None if shares == "even" else shares)
            return lines(self.game, self.space, n, seed, 1.0 if temperature is None else temperature, prefix, watch)
        if where is not None or temperature is not None or prefix:
            raise InputError("where asks for rows of a table, temperature and prefix for lines of text, and this model draws none. Leave "
                             "them out; classes are asked for with labels.")
        return self.sample_at(self.labels_for(n, labels, positions=positions, shares=shares), seed=seed, truncation=truncation, watch=watch)

    def sample_at(self, which: Tensor, *, seed: int = 0, truncation: float | None = None,
                  watch: Callable[[int, int], None] = lambda done, total: None) -> Tensor:
        """The same at labels such as `labels_for(n)` gives: one sample each."""
        cut, parts = asked(self.game.generator, truncation, self.game.latent), self.game.latent
        return self._drawn(lambda k: truncated(self.game.prior(CHUNK, generator(seed, "sample", k)), cut.bound, parts),
                           len(which), torch.cat([which, which[:1].repeat_interleave(CHUNK, 0)]), watch, cut.psi)

    def latents(self, n: int, *, seed: int = 0, truncation: float | None = None) -> Tensor:
        """The latents of `sample(n, seed=seed, truncation=truncation)`: float[n, latent].  InputError for a `truncation` of styles."""
        n, seed, bound = whole_count(n), whole_seed(seed), of_latents(self.game.generator, truncation, self.game.latent)
        check_memory(8 * n * steering.latent_size(self.game), f"n={n:,} latents", "Draw fewer, several times, with other seeds.")
        drawn = [self.game.prior(CHUNK, generator(seed, "sample", k)) for k in range(-(-n // CHUNK))]
        return truncated(torch.cat(drawn)[:n], bound, self.game.latent)

    def generate(self, z: Any, *, labels: Any = None, truncation: float | None = None) -> Tensor:
        """The samples of these latents, float[n, latent], as `sample` gives them."""
        z, cut = steering.latents(self.game, z), asked(self.game.generator, truncation, self.game.latent)
        return self.at(truncated(z, cut.bound, self.game.latent), self.labels_for(len(z), labels), cut.psi)

    def at(self, z: Tensor, which: Tensor, psi: float = 1.0) -> Tensor:
        """The samples of these latents at labels such as `labels_for(n)` gives; where there are styles, these with `psi`."""
        whole = -len(z) % CHUNK
        full = torch.cat([z, torch.zeros(whole, z.shape[1])])
        return self._drawn(lambda k: full[k * CHUNK:(k + 1) * CHUNK], len(z), torch.cat([which, which[:1].repeat_interleave(whole, 0)]),
                           psi=psi)

    @torch.no_grad()
    def _drawn(self, latents: Callable[[int], Tensor], n: int, which: Tensor,
               watch: Callable[[int, int], None] = lambda done, total: None, psi: float = 1.0) -> Tensor:
        """n samples of latents that come in chunks: whole ones, since another shape may change the last bits."""
        parts, few = list[Tensor](), at_once(self.space, self.settings)
        more = {} if psi == 1 else {"psi": psi}                 # only generators with styles know it
        for start in range(0, n, CHUNK):
            z = latents(start // CHUNK)
            for i in range(start, min(start + CHUNK, n), few):
                parts.append(self.game.sample(z[i - start:i - start + few], which[i:i + few], **more)[:n - i].cpu())
                watch(min(i + few, n), n)
        samples = self.space.decode(torch.cat(parts))           # a missing cell of a table is NaN
        if not torch.isfinite(torch.cat(parts) if isinstance(self.space, Table) else samples).all():
            raise InputError("this model's samples are NaN or infinite: its weights are finite but too large. Get the model again, or "
                             "train with a smaller learning rate.")
        return samples

    def interpolate(self, z: Any, *, steps: int = 8, label: Any = None) -> Tensor:
        """Samples on the way through these latents, float[k, latent], along the sphere: (k - 1) (steps - 1) + 1 of them, `steps` a leg
        with both of its ends; of a conditional model at one class, the first unless `label` says which."""
        latents = way(steering.latents(self.game, z), steps, self.game.latent)
        return self.at(latents, self.labels_for(1, label).repeat_interleave(len(latents), 0))

    def directions(self, method: steering.Method = "closed_form", *, n: int = 6, label: Any = None, seed: int = 0) -> Directions:
        """The n directions in the latent space along which samples change most, found without labels: by the "closed_form" on the first
        layer's weights (Shen and Zhou, 2021), or by the "pca" of its activations (Haerkoenen et al., 2020).

        Of a conditional model they are those at the class `label`, or over all classes.  InputError when there are none to be found.
        """
        which = None if label is None else self.labels_for(1, label)
        return steering.directions(self.game, self.space, method, whole_count(n, what="directions"), which, whole_seed(seed))

    def traverse(self, z: Any, direction: Tensor, *, reach: float = 3.0, steps: int = 7, labels: Any = None) -> Tensor:
        """Each of n latents moved along a direction, float[latent], from -reach to reach: samples [n, steps, *shape]; row i has the i-th
        of the classes, as `sample` gives them out."""
        z = steering.latents(self.game, z)
        moved = along(z, steering.latents(self.game, direction[None])[0], steering.offsets(reach, steps))
        which = self.labels_for(len(z), labels).repeat_interleave(steps, 0)
        return self.at(within(self.game.latent, moved).flatten(0, 1), which).unflatten(0, (len(z), steps))

    def invert(self, samples: Any, *, labels: Any = None, starts: int = 4, steps: int = 200, seed: int = 0, perceptual: float = 0.0,
               watch: Callable[[int, int], None] = lambda done, total: None) -> Inversion:
        """The latents whose samples are nearest to these, in user units, by gradient descent from several starts, with the error that
        is left: see `sparring.latent.inversion.Inversion`.  Without `labels`, a conditional model's class is found too.  `perceptual`
        is the weight of the perceptual distance of images beside the mean squared error; it needs the extra `photos`."""
        which = None if labels is None else self.labels_for(len(samples), labels)
        starts, steps = whole_count(starts, "starts", "starts"), whole_count(steps, "steps", "steps")
        return steering.inverted(self.game, self.space, samples, which, starts, steps, whole_seed(seed), watch, perceptual)

    # ------------------------------------------------------------------------------------------- models with styles
    def styles(self, z: Any, *, labels: Any = None, truncation: float | None = None) -> Tensor:
        """The styles w of latents float[n, latent], with a `truncation` that much nearer to their average: float[n, latent].

        This and what follows is for models with styles (recipe stylegan); InputError for others, and for styles of another model."""
        z, net = steering.latents(self.game, z), in_w.styled(steering.network(self.game))
        which = steering.network_labels(self.game, self.space, self.labels_for(len(z), labels))
        return in_w.nearer(net, in_w.styles(net, z, which), asked(net, truncation).psi)

    def draw(self, w: Any) -> Tensor:
        """Samples of styles float[n, latent], or of one a layer (W+), float[n, layers, latent]; the class, where there are any, is in
        them."""
        net = in_w.styled(steering.network(self.game))
        return self.space.decode(in_w.drawn(net, in_w.fitting(net, w)))

    def mix(self, coarse: Any, fine: Any, *, at: int | None = None) -> Tensor:
        """Style mixing (Karras et al., 2019, section 3.1): every one of a coarse styles with every one of b fine ones, which hold from
        layer `at` on, the middle one unless it is given: samples [a, b, *shape]."""
        net = in_w.styled(steering.network(self.game))
        return self.draw(in_w.mixed(net, in_w.fitting(net, coarse), in_w.fitting(net, fine), at).flatten(0, 1)).unflatten(
            0, (len(coarse), len(fine)))

    def interpolate_styles(self, w: Any, *, steps: int = 8) -> Tensor:
        """Samples on the way through these styles along straight lines: (k - 1) (steps - 1) + 1 of them, as `interpolate` has them."""
        return self.draw(in_w.between(in_w.fitting(in_w.styled(steering.network(self.game)), w), steps))

    def invert_styles(self, samples: Any, *, labels: Any = None, plus: bool = True, steps: int = 500, seed: int = 0,
                      perceptual: float = 0.0, watch: Callable[[int, int], None] = lambda done, total: None) -> in_w.Inverted:
        """The styles that draw what is nearest to these samples, one a layer (W+) or, without `plus`, one for all (W), with the error that
        is left: see `sparring.latent.styles.inverted`.  The rest is as in `invert`."""
        which = None if labels is None else self.labels_for(len(samples), labels)
        return steering.inverted_styles(self.game, self.space, samples, which, plus, whole_count(steps, "steps", "steps"),
                                        whole_seed(seed), watch, perceptual)

    def translate(self, images: Tensor, *, to: Any = None, fit: Fit = "resize", seed: int | None = None) -> Tensor:
        """Images float[B, C, H, W] in [-1, 1] in the domain called `to`, in the size they came in, on the CPU.

        `fit` says how other sizes than that of training are treated: see `sparring.game.translate`.  With a `seed`, the noise of
        training is drawn from it, where the system has some.  InputError for a model that draws samples instead.
        """
        if self.game.translation is None:
            raise InputError(f"a model of recipe {self.recipe} generates samples and cannot translate. Use model.sample(n).")
        try:
            x = torch.as_tensor(images)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"images are a {type(images).__name__}, which cannot become a tensor ({reason(error)}). Give float[B, C, H, "
                             "W] in [-1, 1]; for files use `sparring translate`.") from None
        return translate(self.game.translation, x, target(self.game.translation, to), fit, None if seed is None else whole_seed(seed))

    def animate(self, source: Tensor, driving: Tensor, *, relative: bool = False, find_best_frame: bool = False,
                watch: Callable[[int, int], None] = lambda done, total: None) -> Tensor:
        """A picture float[C, H, W], or several, moved as in the frames float[T, C, H, W], all in [-1, 1] and of the size of training: a
        film float[T, C, H, W], or one each; see `sparring.game.animate`.  InputError for a model that does not animate."""
        if self.game.animation is None:
            raise InputError(f"a model of recipe {self.recipe} does not animate. Train one that does: sparring.fit('motion', clips).")
        made = animate(self.game.animation, source[None] if source.ndim == 3 else source, driving, relative, find_best_frame, watch)
        return made[0] if source.ndim == 3 else made

    def save(self, path: str | Path) -> Path:
        """Write config.json and model.safetensors into a folder that `sparring.load` opens without the data."""
        path = Path(path).expanduser().resolve()
        others = sorted(p.name for p in path.iterdir() if p.name not in MODEL_FILES) if path.is_dir() else []
        if others or (path.exists() and not path.is_dir()):
            holds = f"holds other files ({', '.join(others[:3])})" if others else "is a file"
            raise InputError(f"{path} {holds}, which saving would replace. Give a new folder.")
        config = {"recipe": self.recipe, "settings": self.settings.model_dump(), "space": to_json(self.space),
                  "scores": self.scores, "trained": self.trained, "versions": versions(), **kept(self.system)}
        tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in self.game.model.state_dict().items()}
        try:
            checkpoint.write_folder(path, {"config.json": json.dumps(config, indent=2).encode(),
                                           "model.safetensors": save_tensors(tensors), **copy_of(self.system)})
        except OSError as error:
            raise RunFailed(f"the model could not be written to {path}: {error.strerror or error}. Make room, mend the "
                            f"permissions, or give another folder.") from None
        return path


def fit(recipe: Any, data: Any = "quadratic", *, out: str | Path | None = None, fork: str | Path | None = None, seed: int = 0,
        device: str = "auto", progress: Progress | bool | None = None, generator: nn.Module | None = None,
        discriminator: nn.Module | None = None, **settings: Any) -> Model:
    """Train a recipe on data and return the model.

    `recipe` is a name, or a system of your own: the path of its file, a module, or a `sparring.recipes.Recipe`.
    `data` is a name such as "quadratic", a path, a NumPy array or tensor of samples, or a pair (samples, labels).
    With `out`, a run folder is kept, and the same call resumes it, also with more `steps` where no setting is laid out over the length
    of the run; without, nothing is left on disk.  `fork` is a new folder, in which the run in `out` goes on with changed settings.
    `progress` is True for a line with the losses, the speed and the time left, on standard error, or in a notebook in its output; False
    for silence; an object of your own, told as `Progress` says; and left out, a line where somebody looks: at a terminal or a notebook.
    What was left out or assumed of the data, and what is odd of your networks, is told there too, and as warnings where nobody looks.
    `generator` and `discriminator` are your own modules, trained in place: G(z) and D(x), or G(z, labels) and
    D(x, labels) when conditional.  All other settings are those of `sparring show RECIPE`.
    InputError for wrong input; RunFailed when training cannot continue.
    """
    own = {name: net for name, net in (("generator", generator), ("discriminator", discriminator)) if net is not None}
    name, system = named(recipe)
    request = Request(name, data, settings, whole_seed(seed), str(device), own, f"sparring.fit({name!r}, ...)", system=system)
    threads = torch.get_num_threads()
    told = (watched(name, progress) or Silent()) if progress is None or isinstance(progress, bool) else progress
    say = None if isinstance(told, Silent) else told.say
    try:
        if out is not None:
            return run(announced(prepare(request, Path(out), None if fork is None else Path(fork)), say), told)[0]
        if fork is not None:
            raise InputError(f"fork={str(fork)!r} goes on from a run in a folder. Give that with out=...")
        with tempfile.TemporaryDirectory(prefix="sparring-", ignore_cleanup_errors=True) as folder:
            prepared = announced(prepare(request, Path(folder)), say)
            only_scores = replace(prepared.plan, show_every=0, save_every=0, score_every=prepared.plan.steps)
            model, outcome = run(replace(prepared, plan=only_scores), told)
    finally:
        torch.set_num_threads(threads)
        if isinstance(told, Line):
            told.leave()
    if not outcome.finished(prepared.plan):
        warnings.warn(f"interrupted: the model was trained for {outcome.step:,} of {prepared.plan.steps:,} steps.", stacklevel=2)
    return model


def run(prepared: Prepared, progress: Progress) -> tuple[Model, Outcome]:
    """Train what was prepared, to the end or to an interruption; at the end write the model folder."""
    try:
        game, outcome = train(prepared.game, prepared.source, prepared.plan, prepared.folder, progress, prepared.group, prepared.remake)
        return finish(prepared, game, outcome), outcome
    finally:
        for player in prepared.game.players.values():           # turns freeze the others; a user's networks come back as they were
            player.thaw(True)
        prepared.folder.unlock()


def finish(prepared: Prepared, game: Game, outcome: Outcome) -> Model:
    """The model of a run that ended so; its folder is written where the run is finished."""
    config = prepared.config
    model = Model(config["recipe"], make((prepared.system or find(config["recipe"])).settings, config["settings"]),
                  prepared.source.space, game, scores=outcome.scores, system=prepared.system,
                  trained={"steps": outcome.step, "seconds": round(outcome.seconds, 3), "data": config["data"],
                           "fingerprint": config["fingerprint"], "seed": config["seed"],
                           "own_networks": config["own_networks"], "rollbacks": list(outcome.rollbacks),
                           "actions": list(outcome.actions)})
    if outcome.finished(prepared.plan) and prepared.group.first:
        model.save(prepared.folder.model)
    return model


def load(path: str | Path, *, device: str = "cpu", recipe: Any = None, **own: nn.Module) -> Model:
    """Open a model folder, or a run folder: its finished model, or else its newest checkpoint.

    Only JSON and safetensors are read, nothing in them is executed, and every name and shape is checked.
    A model that was trained with your own networks needs them again: `load(path, generator=G)`; a model of your own
    system needs that, `load(path, recipe="./mine.py")`, since no folder can make code run.
    InputError when the path holds no model; RunFailed when what it holds is damaged.
    """
    path, device, system = Path(path).expanduser(), choose_device(str(device)), outside(recipe)
    folder = RunFolder(path)
    try:
        if (folder.model / checkpoint.MODEL).exists():
            fix = f"Remove {folder.model} and run the training command again: its checkpoint makes a new one."
            return from_model(folder.model, device, own, fix, system)
        if folder.checkpoints.is_dir():
            return from_checkpoint(folder, device, own, system)
        if not path.exists():
            near = [p.name for p in path.absolute().parent.iterdir()] if path.absolute().parent.is_dir() else []
            raise InputError(f"there is nothing at {path}.{did_you_mean(path.name, near)} Give a run folder or a model folder.")
        parts = checkpoint.MODEL, checkpoint.MANIFEST
        if (path / checkpoint.CONFIG).exists() and not any((path / name).exists() for name in parts):
            raise InputError(f"{path} holds no model: as a run, it was stopped before its first checkpoint. Give its training command "
                             "again, or get the model again.")
        if not (path / checkpoint.MODEL).exists():
            raise InputError(f"{path} holds no model: there is no model.safetensors in it. Give a run folder or a model folder.")
        return from_model(path, device, own, "Get it again from where it came.", system)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}. Give a run folder or a model folder that may be "
                         f"read.") from None


def from_model(path: Path, device: str, own: dict[str, nn.Module], fix: str, system: Recipe | None = None) -> Model:
    """The model in a model folder; `fix` is what to do when it is damaged."""
    with fix_told(fix):
        config = parse_json(checkpoint.read_folder(path, {checkpoint.CONFIG: JSON_BYTES})[checkpoint.CONFIG], path / checkpoint.CONFIG)

        def tensors(game: Game) -> dict[str, Tensor]:
            expected, name = game.model.state_dict(), checkpoint.MODEL
            files = checkpoint.Files(path, checkpoint.read_folder(path, {name: checkpoint.room(expected)}))
            checkpoint.fit(files, name, expected)
            return checkpoint.read_tensors(files, name)

        model, held = rebuilt(config, path, device, own, tensors, system=system)
        model.game.model.load_state_dict(held)
        model.game = model.game.only_averaged()
        return model


def from_checkpoint(folder: RunFolder, device: str, own: dict[str, nn.Module], system: Recipe | None = None) -> Model:
    """The model as it is in the newest whole checkpoint of an unfinished run; a warning says so when that is not the newest."""
    config = folder.read_config()
    if config is None:
        raise InputError(f"{folder.path} has no checkpoint yet. Let the run train longer.")

    def files(game: Game) -> checkpoint.Files:
        found, complaints = checkpoint.newest(folder.checkpoints, game)
        if found is None and complaints:
            raise checkpoint.Damaged(f"no checkpoint in {folder.checkpoints} is whole. {complaints[0]}")
        if found is None:
            raise InputError(f"{folder.path} has no checkpoint yet. Let the run train longer.")
        for complaint in complaints:
            warnings.warn(f"{complaint} Using the checkpoint before it.", stacklevel=2)
        checkpoint.check(found, game)
        return found

    with fix_told("Train into a new folder, or get the run again from where it came."):
        model, found = rebuilt(config, folder.path, device, own, files, every_network=True, system=system)
        step, facts = checkpoint.restore(found, model.game, advice="")
    model.trained = {"steps": step, "seconds": facts.get("seconds", 0.0), "data": config.get("data")}
    return model


def rebuilt(config: dict[str, Any], path: Path, device: str, own: dict[str, nn.Module], read: Callable[[Game], T],
            *, every_network: bool = False, system: Recipe | None = None) -> tuple[Model, T]:
    """A model with fresh weights from a config.json, and what was read for it: see `sparring.setup.rebuild`."""
    settings, space, game, found = rebuild(config, path, device, own, read, every_network=every_network, system=system)
    return Model(config["recipe"], settings, space, game, scores=config.get("scores"), trained=config.get("trained"),
                 system=system), found
