"""A network as a file in ONNX, held against torch before it is written."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sparring.errors import InputError, RunFailed, needs, reason, shown
from sparring.export.operators import TABLE
from sparring.export.parts import TRIED, Exported
from sparring.runs.folder import write_synced

LARGEST = 1e-4          # difference from torch, in the numbers of the network
OPSET = 18              # of ONNX; runtimes since 2023 know it
FEW = 3                 # rows by which a network is traced: any number but 0 and 1, which torch takes as fixed
BYTES = 2**31 - 2**20   # that one ONNX file holds


def onnx_bytes(part: Exported, metadata: dict[str, str]) -> tuple[bytes, float]:
    """The file, with what it says of itself, and its largest difference from torch.  InputError where torch cannot write the network
    as ONNX; RunFailed where the file computes something else."""
    require()
    with evaluating(part.net):
        proto = traced(part)
        for name, text in metadata.items():
            proto.metadata_props.add(key=name, value=text)
        data: bytes = proto.SerializeToString()
        return data, difference(part, data)


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """The network in evaluation mode; each of its parts comes back in its own."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def require() -> None:
    """InputError, with the line to type, unless all that it takes is installed."""
    with needs("onnx", "onnx", "exporting"):
        import onnx  # noqa: F401
    with needs("onnxscript", "onnx", "exporting"):
        import onnxscript  # noqa: F401
    with needs("onnxruntime", "onnx", "exporting, which holds a file against torch,"):
        import onnxruntime  # noqa: F401


def traced(part: Exported) -> Any:
    """The ONNX model, whose number of rows is free."""
    rows = torch.export.Dim("batch", min=1)
    some = {name: x if name in part.single else x[:FEW] for name, x in part.trial.items()}
    free = {name: None if name in part.single else {0: rows} for name in some}
    part.net(**some)                                            # what is computed once and kept is there, and not traced
    size = sum(t.numel() * t.element_size() for t in part.net.state_dict().values())
    if size > BYTES:
        raise InputError(f"the networks hold {size:,} bytes, and a file in ONNX holds at most {BYTES:,}. Train with a smaller width.")
    with quiet():
        try:
            graph = graph_of(part.net, some, free)
            program = torch.onnx.export(graph, (), kwargs=some, input_names=list(some), output_names=[part.output], opset_version=OPSET,
                                        dynamo=True, verbose=False, external_data=False)
        except Exception as error:                              # a stranger's network may hold anything, and torch raise anything
            raise InputError(f"this model cannot be written as ONNX: {why(error)}. Use it with sparring.load, or change the network so "
                             "that torch.export takes it.") from None
    assert program is not None
    proto = program.model_proto
    forget_places(proto)
    return proto


def graph_of(net: nn.Module, some: dict[str, Tensor], free: dict[str, Any]) -> torch.export.ExportedProgram:
    """The network as a graph.  By running it where that will do; by reading its code where running it fixes the number of rows, as
    len(x) does."""
    with torch.no_grad():
        try:
            graph = torch.export.export(net, (), some, dynamic_shapes=free, strict=False)
        except Exception as error:
            try:
                graph = torch.export.export(net, (), some, dynamic_shapes=free, strict=True)
            except Exception:
                raise error from None
    lacking = any(node.target in TABLE for part in graph.graph_module.modules() if isinstance(part, torch.fx.GraphModule)
                  for node in part.graph.nodes)
    return graph.run_decompositions(TABLE) if lacking else graph        # which takes a while


def difference(part: Exported, data: bytes) -> float:
    """How far the file's output is from torch's, at most, over all of the trial; RunFailed when that is more than LARGEST, or when its
    number of rows is not free."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = torch.get_num_threads(), 3
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        most = 0.0
        for n in (TRIED, 1, FEW + 4):
            rows = {name: x if name in part.single else x[:n] for name, x in part.trial.items()}
            with torch.no_grad():
                expected = part.net(**rows)
            made = torch.from_numpy(session.run(None, {name: x.numpy() for name, x in rows.items()})[0])
            if made.shape != expected.shape or made.dtype != expected.dtype:
                raise RunFailed(f"the file gives {made.dtype}{list(made.shape)} where torch gives {expected.dtype}{list(expected.shape)}. "
                                "It was not written.")
            apart = part.apart(made, expected)
            most = max(most, apart) if apart == apart else float("inf")
    except RunFailed:
        raise
    except Exception as error:                                  # onnxruntime's errors share no class
        raise RunFailed(f"onnxruntime cannot run the file: {why(error)}. It was not written. Use the model with sparring.load.") from None
    if most > LARGEST:
        raise RunFailed(f"the file's output is up to {most:.1e} away from torch's, over {TRIED} inputs, and {LARGEST:.0e} is allowed. It "
                        "was not written. Use the model with sparring.load.")
    return most


def why(error: Exception) -> str:
    """The innermost cause, in a line."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}, {shown(said)}".rstrip(". ") if said else reason(error)


def forget_places(proto: Any) -> None:
    """Remove what the exporter notes of every node: the lines of code, with their paths on this machine, that it came from."""
    proto.doc_string = ""
    del proto.metadata_props[:]
    for graph in (proto.graph, *proto.functions):
        graph.doc_string = ""
        del graph.metadata_props[:]
        for one in (*graph.node, *graph.value_info, *getattr(graph, "initializer", ()), *getattr(graph, "input", ()),
                    *getattr(graph, "output", ())):
            if hasattr(one, "metadata_props"):
                del one.metadata_props[:]
                one.doc_string = ""


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporter's remarks to its own developers."""
    logger = logging.getLogger("torch.onnx")
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)
            logger.setLevel(logging.NOTSET)


def put(path: Path, data: bytes) -> None:
    """Write a file in one step; RunFailed when that is impossible, and what was there is untouched."""
    temporary = path.with_name(f".writing-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        write_synced(temporary, data)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RunFailed(f"{path} could not be written: {error.strerror or error}. Make room, mend the permissions, or give another "
                        "--out.") from None
