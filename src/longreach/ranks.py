"""One update on several processes: each computes its rows of the batch, and losses are means over all of them.

PyTorch's DistributedDataParallel averages gradients over the processes. A loss that is divided by the count of what it
was asked on all of them, per process, is therefore the loss of the whole batch, however its rows are divided. Where a
network normalises over the rows of a batch (VDCNN), each process does so over its own, and it is another loss.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """How many processes train together; 1 where nothing was started."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def own_rows(rows: int) -> slice | None:
    """This process's rows of a batch; None where it is alone.

    Args:
        rows: of the batch, as many as there are processes at least.
    """
    size = world_size()
    if size == 1:
        return None
    rank = dist.get_rank()
    return slice(rows * rank // size, rows * (rank + 1) // size)


def per_process(count: Tensor) -> Tensor:
    """A scalar count, or where several processes train together the mean of theirs; at least one in all.

    Without gradient nothing is trained, and one process may look at a loss while the others do not.
    """
    size = world_size()
    if size == 1 or not torch.is_grad_enabled():
        return count.clamp(min=1)
    total = count.clone()
    dist.all_reduce(total)
    return total.clamp(min=1) / size


def on_any(*said: bool, device: torch.device) -> list[bool]:
    """What one process at least says yes to: that on which all must do the same at the same update.

    Args:
        said: by this process.
        device: on which processes talk to each other.
    """
    if world_size() == 1:
        return list(said)
    together = torch.tensor(said, dtype=torch.int32, device=device)
    dist.all_reduce(together, dist.ReduceOp.MAX)
    return [bool(one) for one in together.tolist()]


def with_common_values(losses: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same scalars with their mean over all processes as value; their gradients stay this process's own."""
    size = world_size()
    if size == 1:
        return losses
    own = torch.stack([loss.detach() for loss in losses.values()])
    common = own.clone()
    dist.all_reduce(common)
    return {
        name: loss + (mean - part) for (name, loss), part, mean in zip(losses.items(), own, common / size, strict=True)
    }
