"""Several processes that train one model: each sees its part of every batch, and all take the same steps.

After `backward` the gradients are flattened and averaged over a plain process group, a missing one counting as zero; networks are
not wrapped.  Noise is drawn by all as one process would draw it for the whole batch, and each takes its rows, so that several
processes end where one does, up to the order of sums.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sparring.errors import InputError, RunFailed

LEFT = ("gloo", "Connection", "closed", "timed out", "Broken pipe")      # what is said when another process is gone
WAIT = timedelta(minutes=30)            # on any other process, which may be drawing or scoring


class Crew:
    """This process among those that train together; `seconds` is what it spent on averaging gradients."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size, self.seconds = rank, size, 0.0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    @property
    def share(self) -> Callable[[Tensor, list[Tensor]], float] | None:
        """What `play` does with gradients before a step; None when there is nobody to share with."""
        return self.average if self.size > 1 else None

    def average(self, total: Tensor, parameters: list[Tensor]) -> float:
        """Average the gradients of these parameters over all processes; the mean of the total, which is not finite when one is not."""
        began = time.perf_counter()
        slopes = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([*(g.flatten() for g in slopes), total.detach().reshape(1).to(slopes[0].dtype)])
        dist.all_reduce(flat)
        flat /= self.size
        for slope, mean in zip(slopes, flat[:-1].split([g.numel() for g in slopes]), strict=True):
            slope.copy_(mean.view_as(slope))
        self.seconds += time.perf_counter() - began
        return flat[-1].item()

    def rows(self, batch: int) -> slice:
        """Which part of a batch is this process's."""
        each = batch // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def means(self, values: Mapping[str, float]) -> dict[str, float]:
        """The mean of each value over all processes."""
        if self.size == 1:
            return dict(values)
        flat = torch.tensor(list(values.values()), dtype=torch.float64)
        dist.all_reduce(flat)
        return dict(zip(values, (flat / self.size).tolist(), strict=True))

    def any(self, flag: bool) -> bool:
        """Whether it is so in some process."""
        return self.means({"": float(flag)})[""] > 0

    def wait(self) -> None:
        """Until everybody is here."""
        if self.size > 1:
            dist.all_reduce(torch.zeros(1))

    def agree(self, what: str, *parts: bytes) -> None:
        """RunFailed unless every process has the same bytes."""
        if self.size == 1:
            return
        mine = torch.frombuffer(bytearray(hashlib.sha256(b"\0".join(parts)).digest()), dtype=torch.uint8)
        everyones = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(everyones, mine)
        others = [rank for rank, theirs in enumerate(everyones) if not torch.equal(theirs, everyones[0])]
        if others:
            raise RunFailed(f"the processes do not agree on {what}: {', '.join(map(str, others))} differ from process 0. Start all of them "
                            f"with the same command, on the same files.")

    @contextmanager
    def part_of(self, batch: int) -> Iterator[None]:
        """While entered, noise is this process's rows of what one process would draw, and statistics of a batch are those of all."""
        if self.size == 1:
            yield
            return
        with Rows(self, batch // self.size):
            yield


ALONE = Crew()


@contextmanager
def joined(environment: Mapping[str, str] = os.environ) -> Iterator[Crew]:
    """The crew that torchrun started this process in, or ALONE.  InputError when its variables make no sense."""
    try:
        size, rank = int(environment.get("WORLD_SIZE", 1)), int(environment.get("RANK", 0))
    except ValueError:
        raise InputError("WORLD_SIZE and RANK, which torchrun sets, should be whole numbers. Start with torchrun, or unset them.") from None
    if size <= 1:
        yield ALONE
        return
    dist.init_process_group("gloo", timeout=WAIT)
    try:
        yield Crew(rank, size)
    except RuntimeError as error:
        if rank == 0 or not any(word in str(error) for word in LEFT):
            raise
        raise RunFailed(f"process {rank} stopped, since another one left; what that says is the reason.") from None
    finally:
        dist.destroy_process_group()


def bits(tensors: Iterable[Tensor]) -> bytes:
    """A digest of the tensors' bits."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.digest()


class Mean(torch.autograd.Function):
    """The mean of a tensor over all processes, whose gradient is the mean of theirs."""

    @staticmethod
    def forward(context: Any, x: Tensor, size: int) -> Tensor:
        context.size, mean = size, x.detach().clone().contiguous()
        dist.all_reduce(mean)
        return mean / size

    @staticmethod
    def backward(context: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        mean = slopes[0].clone().contiguous()
        dist.all_reduce(mean)
        return mean / context.size, None


class Rows(TorchFunctionMode):
    """Draws noise for the whole batch and hands out this process's rows of it; batch norm over all processes.

    A draw whose first length is a multiple of this process's part of the batch is one block of the batch, or several joined, such as
    real and generated samples; one whose length divides it is about packs of samples.  Anything else is drawn alike by all.
    """

    def __init__(self, crew: Crew, part: int) -> None:
        super().__init__()
        self.crew, self.part = crew, part

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.randn, torch.rand) and kwargs.get("generator") is None:
            return self.drawn(sizes(args), lambda shape: func(shape, **kwargs))
        if func is torch.randint and kwargs.get("generator") is None:
            draw: Any = func
            return self.drawn(tuple(args[-1]), lambda shape: draw(*args[:-1], shape, **kwargs))
        if func in (torch.randn_like, torch.rand_like):
            return self.drawn(tuple(args[0].shape), lambda shape: func(stretched(args[0], shape), *args[1:], **kwargs))
        if func is F.batch_norm and kwargs.get("training", args[5] if len(args) > 5 else False):
            return self.normalized(*args, **kwargs)
        return func(*args, **kwargs)

    def drawn(self, shape: tuple[int, ...], draw: Callable[[tuple[int, ...]], Tensor]) -> Tensor:
        n, part = shape[0] if shape else 0, self.part
        if n <= 1 or not (n % part == 0 or part % n == 0):
            return draw(shape)
        blocks, each = (n // part, part) if n % part == 0 else (1, n)
        whole = draw((n * self.crew.size, *shape[1:])).unflatten(0, (blocks, self.crew.size * each))
        return whole[:, self.crew.rank * each:(self.crew.rank + 1) * each].flatten(0, 1)

    def normalized(self, x: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
                   bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5) -> Tensor:
        """What F.batch_norm computes in training, over the samples of all processes (Ioffe and Szegedy, 2015, Algorithm 1)."""
        size, dims = self.crew.size, [d for d in range(x.ndim) if d != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        high = x if x.dtype == torch.float64 else x.float()
        mean = Mean.apply(high.mean(dims), size)
        centred = high - mean.view(shape)
        variance = Mean.apply(centred.square().mean(dims), size)
        if running_mean is not None and running_var is not None:
            count = x.numel() // x.shape[1] * size
            with torch.no_grad():
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
                running_var.lerp_((variance * count / max(1, count - 1)).to(running_var.dtype), momentum)
        out = centred * (variance + eps).rsqrt().view(shape)
        out = out if weight is None else out * weight.view(shape)
        return (out if bias is None else out + bias.view(shape)).to(x.dtype)


def sizes(args: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape that torch.randn is given: as numbers, or as one sequence."""
    return tuple(args[0]) if len(args) == 1 and not isinstance(args[0], int) else tuple(args)


def stretched(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An empty tensor like x with more rows, laid out as x is, since noise is filled in the order of memory."""
    last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last if last else torch.contiguous_format)
