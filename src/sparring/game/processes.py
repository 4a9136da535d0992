"""Distributed training: each rank computes its part of every batch, and all take the same steps.

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
from uuid import uuid4

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode, handle_torch_function, has_torch_function_unary

from sparring.errors import InputError, RunFailed

SOON = timedelta(minutes=5)     # how long to wait for a rank within a round
LATE = timedelta(hours=2)       # the same while rank 0 opens the data, draws, scores or saves; a rank that dies is seen at once


class ProcessGroup:
    """This process among those that train together; `seconds` is what it spent on exchanging gradients and statistics.

    `local` is its local rank; `slow_group` has the same processes and a longer timeout.  Every exchange raises RunFailed when a process
    has ended.
    """

    def __init__(self, rank: int = 0, size: int = 1, local: int = 0) -> None:
        self.rank, self.world_size, self.local, self.seconds = rank, size, local, 0.0
        self.slow_group: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which alone writes and prints."""
        return self.rank == 0

    @property
    def share(self) -> Callable[[Tensor, list[Tensor]], float] | None:
        """What `play` does with gradients before a step; None when there is nobody to share with."""
        return self.average if self.world_size > 1 else None

    def average(self, total: Tensor, parameters: list[Tensor]) -> float:
        """Average the gradients of these parameters over all processes; the mean of the total, which is not finite when one is not."""
        began = time.perf_counter()
        slopes = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([*(g.flatten() for g in slopes), total.detach().reshape(1).to(slopes[0].dtype)])
        with self.or_run_failed():
            dist.all_reduce(flat)
        flat /= self.world_size
        for slope, mean in zip(slopes, flat[:-1].split([g.numel() for g in slopes]), strict=True):
            slope.copy_(mean.view_as(slope))
        self.seconds += time.perf_counter() - began
        return flat[-1].item()

    def add_up(self, x: Tensor) -> Tensor:
        """The sum of these tensors over all processes."""
        began, out = time.perf_counter(), x.detach().clone(memory_format=torch.contiguous_format)
        with self.or_run_failed():
            dist.all_reduce(out)
        self.seconds += time.perf_counter() - began
        return out

    def rows(self, batch: int) -> slice:
        """Which part of a batch is this process's."""
        each = batch // self.world_size
        return slice(self.rank * each, (self.rank + 1) * each)

    def means(self, values: Mapping[str, float], *, slowly: bool = False) -> dict[str, float]:
        """The mean of each value over all processes."""
        if self.world_size == 1:
            return dict(values)
        flat = torch.tensor(list(values.values()), dtype=torch.float64)
        with self.or_run_failed():
            dist.all_reduce(flat, group=self.slow_group if slowly else None)
        return dict(zip(values, (flat / self.world_size).tolist(), strict=True))

    def any(self, flag: bool, *, slowly: bool = False) -> bool:
        """Whether the flag is set on any rank."""
        return self.means({"": float(flag)}, slowly=slowly)[""] > 0

    def wait(self) -> None:
        """Wait until all ranks are here, which may take long."""
        self.any(False, slowly=True)

    def agree(self, what: str, advice: str, *parts: bytes) -> None:
        """RunFailed, with advice, unless every process has the same bytes."""
        if self.world_size == 1:
            return
        mine = torch.frombuffer(bytearray(hashlib.sha256(b"\0".join(parts)).digest()), dtype=torch.uint8)
        everyones = [torch.empty_like(mine) for _ in range(self.world_size)]
        with self.or_run_failed():
            dist.all_gather(everyones, mine, group=self.slow_group)
        others = [rank for rank, theirs in enumerate(everyones) if not torch.equal(theirs, everyones[0])]
        if others:
            raise RunFailed(f"the processes do not agree on {what}: rank 0 differs from rank {', '.join(map(str, others))}. {advice}")

    def broadcast(self, text: str) -> str:
        """The text of rank 0, on all ranks."""
        if self.world_size == 1:
            return text
        said = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
        length = torch.tensor(len(said) if self.first else 0)
        with self.or_run_failed():
            dist.broadcast(length, 0, group=self.slow_group)
            said = said if self.first else torch.empty(int(length), dtype=torch.uint8)
            dist.broadcast(said, 0, group=self.slow_group)
        return said.numpy().tobytes().decode()

    @contextmanager
    def part_of(self, batch: int) -> Iterator[None]:
        """In the body, noise is this rank's rows of what one process would draw, and batch statistics are those of all ranks."""
        if self.world_size == 1:
            yield
            return
        with Rows(self, batch // self.world_size):
            yield

    @contextmanager
    def or_run_failed(self) -> Iterator[None]:
        """RunFailed, in a sentence, when the body finds that another process is gone, or waits too long for it."""
        try:
            yield
        except RunFailed:
            raise
        except RuntimeError as error:
            raise RunFailed(f"rank {self.rank} stopped because another process ended or did not answer in time. See that process's message "
                            "for the reason.") from error


ALONE = ProcessGroup()


@contextmanager
def joined(environment: Mapping[str, str] = os.environ, soon: timedelta = SOON, late: timedelta = LATE) -> Iterator[ProcessGroup]:
    """The group that torchrun started this process in, or ALONE.  InputError when its variables make no sense.

    Where there are GPUs, the n-th process of a machine takes the n-th.
    """
    try:
        size, rank, local = (int(environment.get(name, other)) for name, other in (("WORLD_SIZE", 1), ("RANK", 0), ("LOCAL_RANK", 0)))
    except ValueError:
        raise InputError("WORLD_SIZE, RANK and LOCAL_RANK must be whole numbers. torchrun sets them: start with torchrun, or unset "
                         "them.") from None
    if size <= 1:
        yield ALONE
        return
    from torch.distributed.rendezvous import rendezvous  # not every build of torch has it

    group = ProcessGroup(rank, size, local)
    gpus = torch.cuda.device_count() if dist.is_nccl_available() else 0
    if local < gpus:
        torch.cuda.set_device(local)
    with group.or_run_failed():
        try:
            store, _, _ = next(rendezvous("env://", rank, size, timeout=soon))
        except ValueError as error:
            raise InputError(f"{error}. Start with torchrun, which sets the rendezvous address, or unset WORLD_SIZE.") from None
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", store=own_part(store, rank, size, soon), rank=rank,
                                world_size=size, timeout=soon)
    try:
        with group.or_run_failed():
            group.slow_group = dist.new_group(backend="gloo", timeout=late)
        yield group
    finally:
        dist.destroy_process_group()


def own_part(store: Any, rank: int, size: int, soon: timedelta) -> Any:
    """A part of the store that only these processes use, once all of them are there.  RunFailed when one does not start.

    torchrun gives every restart the store of the start before, which still holds the addresses of processes that are gone, and nothing
    that tells one start from another.  So rank 0 chooses a new name, and each other rank answers under that name.
    """
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]

    name, began = uuid4().hex, time.monotonic()

    def pause() -> None:
        waited = time.monotonic() - began
        if waited > soon.total_seconds():
            raise RunFailed(f"rank {rank} waited {soon.total_seconds():.0f} s, and not all processes started. Start as many as WORLD_SIZE "
                            "says.")
        time.sleep(min(0.5, 0.01 + waited / 10))                # a thousand processes should not keep the store busy

    if rank == 0:
        store.set("sparring", name)
        for other in range(1, size):
            while not store.check([f"{name}/{other}"]):
                pause()
            store.set(f"{name}/{other}/taken in", store.get(f"{name}/{other}"))
        return PrefixStore(name, store)
    while True:
        part = store.get("sparring").decode() if store.check(["sparring"]) else ""
        store.set(f"{part}/{rank}", name)
        if store.check([answer := f"{part}/{rank}/taken in"]) and store.get(answer).decode() == name:
            return PrefixStore(part, store)
        pause()


def bits(tensors: Iterable[Tensor]) -> bytes:
    """A digest of the tensors' bits."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.digest()


def total(x: Tensor) -> Tensor:
    """The sum of x over the processes that share a batch; x itself where one has all of it.  For statistics of a whole batch."""
    return handle_torch_function(total, (x,), x) if has_torch_function_unary(x) else x


class Sum(torch.autograd.Function):
    """The sum of a tensor over all processes, whose gradient is the sum of theirs."""

    @staticmethod
    def forward(context: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        context.group = group
        return group.add_up(x)

    @staticmethod
    def backward(context: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return context.group.add_up(slopes[0]), None


class Rows(TorchFunctionMode):
    """Draws noise for the whole batch and hands out this process's rows of it; batch norm and `total` over all processes.

    A draw whose first length is a multiple of this process's part of the batch is one block of the batch, or several joined, such as
    real and generated samples; one whose length divides it is about packs of samples.  Anything else is drawn alike by all, and so is
    a single number, which has no length, torch.rand(()), and what has a generator of its own, such as data.
    """

    def __init__(self, group: ProcessGroup, part: int) -> None:
        super().__init__()
        self.group, self.part = group, part

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        how, more = HOW.get(func), kwargs or {}
        if how is None or more.get("generator") is not None:
            return func(*args, **more)
        return how(self, func, *args, **more)

    def summed(self, func: Any, x: Tensor) -> Tensor:
        return Sum.apply(x, self.group)

    def shaped(self, func: Any, *args: Any, size: Any = (), **more: Any) -> Tensor:
        """torch.randn and torch.rand, whose shape comes as numbers or as one sequence."""
        return self.drawn(sizes(args or (size,)), lambda shape: func(shape, **more))

    def whole_numbers(self, func: Any, *args: Any, size: Any = None, **more: Any) -> Tensor:
        bounds, shape = (args[:-1], args[-1]) if size is None else (args, size)
        return self.drawn(tuple(shape), lambda shape: func(*bounds, shape, **more))

    def like(self, func: Any, x: Tensor, *args: Any, **more: Any) -> Tensor:
        return self.drawn(tuple(x.shape), lambda shape: func(stretched(x, shape), *args, **more))

    def filled(self, func: Any, x: Tensor, *args: Any, **more: Any) -> Tensor:
        return x.copy_(self.like(func, x, *args, **more))

    def masked(self, func: Any, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        """Dropout, whose mask is what it makes of ones."""
        return x * self.drawn(tuple(x.shape), lambda shape: func(stretched(x, shape).fill_(1), p, True)) if training else x

    def about(self, func: Any, x: Tensor, *args: Any, **more: Any) -> Tensor:
        """Each row of what is drawn is about the same row of what is given, of which only this process's are known, and wanted."""
        def draw(shape: tuple[int, ...]) -> Tensor:
            blocks = x.unflatten(0, self.split(len(x)))
            every = x if len(x) == shape[0] else blocks.repeat_interleave(self.group.world_size, 0).reshape(shape)
            return func(every, *args, **more)

        return self.drawn(tuple(x.shape), draw)

    def split(self, n: int) -> tuple[int, int]:
        """How many blocks of the batch n rows are, and how many rows of each are this process's."""
        return (n // self.part, self.part) if n % self.part == 0 else (1, n)

    def drawn(self, shape: tuple[int, ...], draw: Callable[[tuple[int, ...]], Tensor]) -> Tensor:
        n = shape[0] if shape else 0
        if n == 0 or not (n % self.part == 0 or self.part % n == 0):
            return draw(shape)
        blocks, each = self.split(n)
        whole = draw((n * self.group.world_size, *shape[1:])).unflatten(0, (blocks, self.group.world_size * each))
        return whole[:, self.group.rank * each:(self.group.rank + 1) * each].flatten(0, 1)

    def normalized(self, func: Any, x: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
                   bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5) -> Tensor:
        """What F.batch_norm computes in training, over the samples of all processes."""
        if not training:
            return func(x, running_mean, running_var, weight, bias, training, momentum, eps)
        plain = torch.empty(x.shape[1], dtype=x.dtype if x.dtype == torch.float64 else torch.float32, device=x.device)
        weight, bias = plain.fill_(1) if weight is None else weight, torch.zeros_like(plain) if bias is None else bias
        out, mean, variance = Norm.apply(x, weight, bias, self.group, eps)
        if running_mean is not None and running_var is not None:
            count = x.numel() // x.shape[1] * self.group.world_size
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((variance * count / max(1, count - 1)).to(running_var.dtype), momentum)
        return out


class Norm(torch.autograd.Function):
    """Batch norm by the statistics of all processes, in the kernels that torch has for it (Ioffe and Szegedy, 2015, Algorithm 1); the
    means and variances too.  It can be differentiated once."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor, group: ProcessGroup, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        mine, spread = torch.batch_norm_update_stats(x if x.dtype == torch.float64 else x.float(), None, None, 0.0)
        mean = group.add_up(mine) / group.world_size
        variance = group.add_up(spread + (mine - mean).square()) / group.world_size
        context.save_for_backward(x, weight, mean, variance)
        context.group, context.eps = group, eps
        context.mark_non_differentiable(mean, variance)
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps), mean, variance

    @staticmethod
    @once_differentiable
    def backward(context: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        """As if the statistics were constants, and then what they add, which is affine in x."""
        x, weight, mean, variance = context.saved_tensors
        slope, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            slopes[0], x, weight, mean, variance, None, None, False, context.eps, [True, True, True])
        every, count = context.group.add_up(torch.stack([by_weight, by_bias])), x.numel() // x.shape[1] * context.group.world_size
        scale = (variance + context.eps).rsqrt()
        tilt = -weight * scale.square() * every[0] / count
        shift = -weight * scale * every[1] / count - tilt * mean
        slope += F.batch_norm(x, torch.zeros_like(mean), torch.ones_like(mean), tilt, shift, False, 0.0, 0.0)
        return slope, by_weight, by_bias, None, None


HOW: dict[Any, Callable[..., Tensor]] = {
    total: Rows.summed, F.batch_norm: Rows.normalized, torch.randn: Rows.shaped, torch.rand: Rows.shaped,
    torch.randint: Rows.whole_numbers, torch.randn_like: Rows.like, torch.rand_like: Rows.like,
    Tensor.normal_: Rows.filled, Tensor.uniform_: Rows.filled, Tensor.bernoulli_: Rows.filled, Tensor.exponential_: Rows.filled,
    F.dropout: Rows.masked, F.dropout1d: Rows.masked, F.dropout2d: Rows.masked, F.dropout3d: Rows.masked,
    torch.bernoulli: Rows.about, torch.multinomial: Rows.about,
}


def sizes(args: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape that torch.randn is given: as numbers, or as one sequence."""
    return tuple(args[0]) if len(args) == 1 and not isinstance(args[0], int) else tuple(args)


def stretched(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An empty tensor like x with more rows, laid out as x is, since noise is filled in the order of memory."""
    last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last if last else torch.contiguous_format)
