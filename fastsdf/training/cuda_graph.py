# SPDX-License-Identifier: MIT
"""Replays a function as a CUDA graph, without running its Python code again."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class CudaGraph:
    """A function without arguments that runs in Python on the first call and as a CUDA graph from the second call on.

    The function must read and write the same tensors on one CUDA device in each call, and must not synchronise with the
    device. Memory that it allocates stays allocated as long as this object exists.

    Args:
        function: returns one tensor, which the next call overwrites.
        generator: the random generator that the function uses.
        pool: memory pool (`torch.cuda.graph_pool_handle`), shared with functions that never run at the same time.
    """

    def __init__(self, function: Callable[[], Tensor], generator: torch.Generator, pool: Any = None):
        self._function, self._generator, self._pool = function, generator, pool
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Tensor | None = None

    def __call__(self) -> Tensor:
        """Runs or replays the function and returns its result."""
        if self._result is None:
            self._result = self._function()  # compiles and loads the kernels that the graph will hold
            return self._result
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            self._graph.register_generator_state(self._generator)
            with torch.cuda.graph(self._graph, pool=self._pool):
                self._result = self._function()
        self._graph.replay()
        return self._result
