"""What a hostile author may write into JSON and safetensors, and put where a file should be: every edit follows from a random state."""

import copy
import json
import os
import random
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

NESTS = {'"@lists@"': "[" * 100_000 + "]" * 100_000, '"@objects@"': '{"a":' * 100_000 + "1" + "}" * 100_000, '"@digits@"': "9" * 5000,
         '"@tree@"': '{"list": [' * 450 + '{"value": 1}' + "]}" * 450, '"@infinite@"': "1e999",
         '"@minus@"': "-Infinity", '"@tiny@"': "1e-320"}
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 7, 2**31, 2**63, 2**64, -2**70, 10**400, 0.5, -0.0, 1e308, 3.5e38, float("nan"), float("inf"),
    "", "x", "gan", "vae", "images", "8", "nan", "x" * 1_000_000, "\ud800", "\x1b[31mred\x07", "../../x", "a\0b", "\u202eabc",
    [], {}, [[]], [None], [1, 2], ["a", "b"], [0.0] * 100_000, ["a"] * 50_000, {"a": 1}, {"generator": "Net()"}, {"discriminator": "D"},
    {"__class__": "os.system"}, {str(i): i for i in range(20_000)}, *(name.strip('"') for name in NESTS))
HUGE = 50 << 30


def values(rng: random.Random) -> Any:
    return copy.deepcopy(rng.choice(VALUES))


def places(tree: Any, found: list[tuple[Any, Any]] | None = None) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON tree."""
    found = [] if found is None else found
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        found.append((tree, key))
        places(tree[key], found)
    return found


def anywhere(tree: dict[str, Any], rng: random.Random) -> None:
    """Change, remove, rename or add one thing, wherever it is; nearer to the root more often."""
    where = places(tree)
    if not where:
        tree["a"] = values(rng)
        return
    top = [(tree, key) for key in tree]
    container, key = rng.choice(top if rng.random() < 0.3 else where)
    kind = rng.random()
    if kind < 0.6:
        container[key] = values(rng)
    elif kind < 0.75:
        del container[key]
    elif isinstance(container, dict):
        container[rng.choice(("extra", "", "x" * 5000, "\ud800", "__class__", str(key) + " "))] = \
            container.pop(key) if rng.random() < 0.3 else values(rng)
    else:
        container.insert(0, values(rng))


def at_config(config: dict[str, Any], rng: random.Random) -> None:
    """One of the changes to a config.json that are worth a try by name."""
    settings, space = config.get("settings"), config.get("space")
    if not isinstance(settings, dict) or not isinstance(space, dict):
        return
    numbers = rng.choice(([], [0.0], [0.0, 1.0], [0.0] * 15, [1e308, 1.0], [float("nan"), 1.0], [0.0] * 300_000, [1, True], [10**400]))
    side = rng.choice((-1, 0, 1, 2, 7, 9, 64, 1024, 1025, 8192, 2**40, 2.0))
    rng.choice((
        lambda: settings.update(width=4096, depth=16, latent=4096),
        lambda: settings.update(width=rng.choice((0, 2, 5, 4095, 4097, 10**9))),
        lambda: settings.update(depth=rng.choice((0, 2, 3, 16, 17, 10**6))),
        lambda: settings.update(latent=rng.choice((1, 3, 4096, 10**9))),
        lambda: settings.update(conditional=rng.choice((True, False, "true", 1))),
        lambda: settings.update(batch=65_536, steps=10**9),
        lambda: settings.update({f"s{i}": i for i in range(100_000)}), lambda: settings.update(spectral=True, pack=16, penalty="gradient"),
        lambda: space.update(labels=[str(i) for i in range(rng.choice((1, 2, 3, 10_000, 100_000)))]),
        lambda: space.update(labels=rng.choice((["a", "a"], ["\ud800", "b"], ["../x", "/etc"], ["\x1b[2J", "b"], ["x" * 10**6, "b"],
                                                 "ab"))),
        lambda: (settings.update(conditional=True), space.update(labels=["a", "b"])),
        lambda: space.update({rng.choice(("height", "width", "channels")): side}), lambda: space.update(height=side, width=side),
        lambda: space.update({rng.choice(("shift", "scale", "x")): numbers}), lambda: space.update(shift=numbers, scale=numbers),
        lambda: space.update(kind=rng.choice(("curves", "vectors", "images", "text", "", None, [], "__class__"))),
        lambda: config.update(space={"kind": "curves", "x": [0.0, 1.0], "labels": []}),
        lambda: config.update(space={"kind": "images", "channels": 1, "height": side, "width": 8, "labels": []}),
        lambda: config.update(space={"kind": "vectors", "shift": [0.0, 1e38], "scale": [1e38, 1e38], "labels": []}),
        lambda: config.update(recipe=rng.choice(("wgan", "vae", "r3gan", "wgan-gp", "gan ", "GAN", "x" * 10**6, "", None, ["gan"]))),
        lambda: config.update(own_networks=rng.choice(({"generator": "G()"}, ["generator"], "generator", {"x" * 10**5: 1}, 3))),
        lambda: config.update(scores=rng.choice(({"a": "b"}, {"a": 10**400}, {f"s{i}": 0.5 for i in range(50_000)}, [1],
                                                 {"a": None}))),
        lambda: config.update(trained=rng.choice(({"data": "x" * 10**6}, {"own_networks": ["generator"]}, [], "a", {"steps": "many"}))),
    ))()


def json_edit(data: bytes, rng: random.Random, named: Callable[[dict[str, Any], random.Random], None]) -> bytes:
    """Another JSON text, or one that is none."""
    tree = json.loads(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        (named if rng.random() < 0.5 else anywhere)(tree, rng)
    text = json.dumps(tree)
    for mark, inner in NESTS.items():
        text = text.replace(mark, inner)
    if rng.random() < 0.9:
        return text.encode()
    return rng.choice((
        lambda: rng.choice((b"", b"{}", b"[]", b"null", b"NaN", b"1", b'"gan"', b"\xff" * 99, b"\0" * 9999)),
        lambda: text.encode("utf-16"), lambda: b"\xef\xbb\xbf" + text.encode(), lambda: text.encode() + b" x", lambda: text.encode()[:-1],
        lambda: (text[:-1] + ', "recipe": "vae", "step": 1}').encode(), lambda: b"[" * 100_000, lambda: b'{"a":' * 100_000,
        lambda: b"[[],[]," * 2_000_000, lambda: b" " * (2**24 + 1), lambda: b"[" + b"1e5," * 3_000_000 + b"1]",
        lambda: b"{" + b",".join(b'"%d":1' % i for i in range(300_000)) + b"}"))()


def at_state(state: dict[str, Any], rng: random.Random) -> None:
    """One of the changes to the state.json of a checkpoint that are worth a try by name."""
    tree: Any = rng.choice(("@tree@", "@lists@", {"list": [{"list": [{"value": 1}]}]}))
    leaves = [(c, k) for c, k in places(state.get("optimizers")) if isinstance(c[k], dict) and "tensor" in c[k]]
    facts = rng.choice((None, [], "x", {"seconds": "long"}, {"seconds": float("nan")}, {"seconds": 10**400}, {"seconds": -1.0},
                        {"rollbacks": 3}, {"rollbacks": [1, 2]}, {"rollbacks": [{}] * 5000}, {"conditions": []},
                        {"conditions": {"torch": 3}},
                        {"conditions": {"torch": "x" * 10**6}}, {"conditions": {"torch": "\x1b[31m"}}, {}))
    container, key = rng.choice(leaves) if leaves else ([0], 0)
    rng.choice((
        lambda: state.update(step=rng.choice((-1, 0, 1, 3, 1.0, "2", True, None, 10**17, 10**30, float("nan"), [2]))),
        lambda: state.update(facts=facts),
        lambda: state.update(memory=rng.choice((tree, {"dict": [["a", {"value": 1}]]}, {"value": 3}, 4))),
        lambda: state.update(optimizers=rng.choice((tree, {"dict": []}, {"list": []}, {"tensor": "x"}, {"value": {}},
                                                   {"dict": [[[], 1]]}))),
        lambda: container.__setitem__(key, rng.choice((tree, {"value": None}, {"value": 3}, {"tensor": "x"}, {"tensor": []}, {},
                                                       {"list": []}, {"dict": []}, copy.deepcopy(container[key])))),
    ))()


def tensors_edit(data: bytes, rng: random.Random) -> bytes:
    """Other safetensors, or none."""
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8:8 + length]), bytearray(data[8 + length:])
    if rng.random() < 0.12:
        head = rng.choice((0, 1, 2**63, 2**64 - 1, len(data), len(data) - 8, length - 1, length + 1, length + 8, 100_000_001))
        return rng.choice((b"", b"\0", data[:8], struct.pack("<Q", head) + data[8:], struct.pack("<Q", 2) + b"{}", b"PK\x03\x04" + data,
                           struct.pack("<Q", 100_000) + b"[" * 100_000, struct.pack("<Q", 4) + b"null" + data, data + b"\0", data[:-1],
                           data[:8] + b"x" + data[9:], struct.pack("<Q", length) + b"\xff" * length + body))
    name = rng.choice(sorted(header))
    entry = header[name]
    start, end = entry["data_offsets"]
    other = header[rng.choice(sorted(header))]
    rng.choice((
        lambda: entry.update(dtype=rng.choice(("F64", "F16", "BF16", "I32", "U8", "BOOL", "F8_E8M0", "F4", "C64", "OBJECT", "", None, 3,
                                               ["F32"]))),
        lambda: entry.update(shape=rng.choice(([], [0], [-1], [2**62, 4], [0, 2**62], [1] * 5000, [end - start], entry["shape"][::-1],
                                               [*entry["shape"], 1], None, "x", [1.5], [True], [10**400], {"a": 1}))),
        lambda: entry.update(data_offsets=rng.choice(([0, 0], [end, start], [start, end + 4], [0, 2**63], [-4, end], [start], [], None,
                                                      "ab", [0.0, 4.0], [10**400, 0], other["data_offsets"]))),
        lambda: header.update({"other": header.pop(name)}), lambda: header.update({"\x1b[31m" + "x" * 10_000: header.pop(name)}),
        lambda: header.pop(name),
        lambda: header.update(extra={"dtype": "F32", "shape": [0], "data_offsets": [len(body), len(body)]}),
        lambda: header.update({name: rng.choice((None, [], 3, "x", {}))}),
        lambda: header.update({name: header[name] | {"code": "import os"}}),
        lambda: header.update(__metadata__=rng.choice(({"a": "b"}, {"a": 3}, None, ["a"], {"x" * 10**5: "y"}, {"format": "pt"}))),
        lambda: header.update({name: other}), lambda: (header.update({name: other, "x": entry})),
        *([lambda: spoil(body, start, end, rng)] * 6),
        lambda: (body.extend(bytes(end - start)), header.update(extra=entry | {"data_offsets": [len(body) - (end - start), len(body)]})),
    ))()
    text = json.dumps(header).encode()
    if rng.random() < 0.05:                                     # the same name twice
        text = text[:-1] + b", " + json.dumps(name).encode() + b": " + json.dumps(entry).encode() + b"}"
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(body)


def spoil(body: bytearray, start: int, end: int, rng: random.Random) -> None:
    """Numbers of one tensor: not finite, huge, tiny, or merely others."""
    for _ in range(rng.choice((1, 1, 3, 50))):
        if end - start >= 4:
            at = start + 4 * rng.randrange((end - start) // 4)
            number = rng.choice((float("nan"), float("inf"), float("-inf"), 3e38, -3e38, 1e-45, 0.0, -1.0, *[rng.gauss(0, 1)] * 3))
            body[at:at + 4] = struct.pack("<f", number)


def put_odd(path: Path, rng: random.Random) -> str:
    """Put something where a file is that is no plain file of its size; what it is, in words."""
    kind = rng.choice(("huge", "pipe", "loop", "zero", "random", "link", "nowhere", "folder", "empty", "socket", "up"))
    data = path.read_bytes() if path.is_file() else b"{}"
    path.unlink(missing_ok=True)
    match kind:
        case "huge":
            path.touch()
            os.truncate(path, HUGE)
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "socket":
            os.mknod(path, stat.S_IFSOCK | 0o600)
        case "link":                                            # to a file with the same bytes, which is nothing to be refused
            path.with_name("elsewhere").write_bytes(data)
            path.symlink_to("elsewhere")
        case _:
            path.symlink_to({"loop": path.name, "zero": "/dev/zero", "random": "/dev/urandom", "up": "..", "nowhere": "none"}[kind])
    return f"{path.name} became: {kind}"
