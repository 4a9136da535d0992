"""What is printed before training starts."""

from sparring.data.images.findings import HANDFUL, too_few
from sparring.data.source import Arranged, Finite
from sparring.setup.prepare import Prepared
from sparring.spaces import Images, traits_of


def facts(prepared: Prepared) -> list[str]:
    """What to tell the user before training starts: the choices that were made, and why."""
    source, config = prepared.source, prepared.config
    size = f"{len(source):,} samples" if isinstance(source, Finite | Arranged) else "generated, never repeated"
    data = config["data"]
    lines = [f"data: {' and '.join(data) if isinstance(data, list) else data}, {size}, shape {'x'.join(map(str, source.space.shape))}"
             + (f", {len(source.space.labels)} classes" if source.space.labels and traits_of(source.space) is None else "")]
    lines += source.notes if isinstance(source, Finite | Arranged) else ()
    if isinstance(source, Finite) and isinstance(source.space, Images) and len(source) <= HANDFUL:
        lines.append(too_few(len(source), grey=source.space.channels == 1))
    run, why = config["run_settings"], config.get("reasons", {})
    lines.append(f"device: {config['device']}, {run['threads']} thread(s), {run.get('precision', 'fp32')}" + because(why.get("precision")))
    if (system := prepared.system) is not None and system.origin is not None and system.origin.file:
        lines.append(f"system: your own, in {system.origin.file} (sha256 {system.origin.sha256[:12]}), of which the run keeps a copy")
    if prepared.plan.compile:
        lines.append("turns: compiled" + because(why.get("compile")) + "; the first rounds take longer")
    lines += [f"{name}={config['settings'][name]}{because(reason)}" for name, reason in why.items() if name in config["settings"]]
    if "forecast" in why:
        lines.append(f"{prepared.plan.steps:,} rounds: {why['forecast']}")
    return lines


def because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""
