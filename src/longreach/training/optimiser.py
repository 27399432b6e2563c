"""RMSProp as TensorFlow 1 computes it.

PyTorch's divides by sqrt(v) + epsilon and starts v at zero; TensorFlow's divides by sqrt(v + epsilon) and starts v at
one, which makes the first few hundred updates of the paper's learning rate much smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class TensorFlowRMSprop(torch.optim.Optimizer):
    """RMSProp with the mean square starting at one and epsilon inside the root.

    Args:
        params: parameters or groups.
        lr: learning rate.
        decay: of the mean square.
        epsilon: inside the root.

    Choice: the paper names RMSProp (Tieleman & Hinton, 2012) and TensorFlow, no numbers; these are TensorFlow 1's
    defaults, with no momentum. Embeddings follow TensorFlow's rule for dense gradients too; its rule for sparse ones
    leaves mean squares of tokens that do not occur as they are, where here they fall, and a rare token's next step is
    the larger for it.
    """

    def __init__(self, params: Iterable[Any], lr: float = 0.001, decay: float = 0.9, epsilon: float = 1e-10) -> None:
        super().__init__(params, {"lr": lr, "decay": decay, "epsilon": epsilon})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update; parameters without a gradient stay as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params: list[Tensor] = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            grads = [p.grad for p in params if p.grad is not None]
            for p in params:
                if not self.state[p]:
                    self.state[p]["mean_square"] = torch.ones_like(p)
            squares = [self.state[p]["mean_square"] for p in params]
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, grads, grads, 1.0 - group["decay"])
            roots = torch._foreach_add(squares, group["epsilon"])
            torch._foreach_sqrt_(roots)
            torch._foreach_addcdiv_(params, grads, roots, -group["lr"])
        return loss
