# SPDX-License-Identifier: MIT
"""CUDA graphs: work that was done once is repeated without Python."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class CudaGraph:
    """A function without arguments, run by Python the first time and replayed as a CUDA graph from the second on.

    The function must read and write the same tensors on one CUDA device at each call, and must not wait for it. Memory
    that it takes stays taken until this object goes.

    Args:
        function: what to do; returns one tensor, which the next call overwrites.
        generator: the generator that it draws from.
        pool: memory pool shared with other functions of which never two run at once (`torch.cuda.graph_pool_handle`).
    """

    def __init__(self, function: Callable[[], Tensor], generator: torch.Generator, pool: Any = None):
        self._function, self._generator, self._pool = function, generator, pool
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Tensor | None = None

    def __call__(self) -> Tensor:
        """The function's result."""
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
