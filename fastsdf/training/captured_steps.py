# SPDX-License-Identifier: MIT
"""Replays training steps as CUDA graphs, so that no kernel launch waits for Python.

The scheduled values of all steps are in a table on the device, and every replay reads the next row. There is one graph
for each number of active levels, so that locked levels cost no time.
"""

from functools import partial

import torch
from torch import Tensor

from fastsdf.config.models import FitConfig
from fastsdf.training.cuda_graph import CudaGraph
from fastsdf.training.step import StepSettings, TrainState, step_settings, train_step


def can_capture(state: TrainState, config: FitConfig) -> bool:
    """Whether steps can be captured: the field is on a CUDA device, and its backend fuses the differential operator."""
    return state.field.table.is_cuda and state.field.fuses(config.operators.mode)


class CapturedSteps:
    """Takes training steps in order, by graphs that are captured when first needed.

    Args:
        state: new or resumed training state on a CUDA device.
        config: resolved configuration.
    """

    def __init__(self, state: TrainState, config: FitConfig):
        assert config.training.steps is not None
        self._state, self._config = state, config
        device = state.field.table.device
        self._table = torch.empty((config.training.steps, 4), dtype=state.field.table.dtype, device=device)
        self.reschedule(config)
        self._position = torch.tensor([state.step], device=device)
        self._by_count: dict[int, CudaGraph] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def reschedule(self, config: FitConfig) -> None:
        """Recomputes the schedules for the number of steps of ``config``, which must not exceed the first one."""
        assert config.training.steps is not None
        self._settings = [step_settings(i, self._state.field, config) for i in range(config.training.steps)]
        rows = [(s.fade, s.step_size, s.viscosity, s.rate_factor) for s in self._settings]
        self._table[: len(rows)] = torch.tensor(rows, dtype=self._table.dtype, device=self._table.device)

    def __call__(self, step: int) -> Tensor:
        """Takes step number ``step``, which must follow the previous one, and returns its loss terms."""
        count = self._settings[step].level_count
        if count not in self._by_count:
            self._by_count[count] = CudaGraph(partial(self._step, count), self._state.sampler.generator, self._pool)
        return self._by_count[count]().clone()

    def _step(self, count: int) -> Tensor:
        """One step with the scheduled values of the next row of the table."""
        fade, step_size, viscosity, rate_factor = self._table.index_select(0, self._position)[0].unbind()
        self._position += 1
        scheduled = StepSettings(float("nan"), float(count), count, fade, step_size, viscosity, rate_factor)
        return train_step(self._state, scheduled, self._config)
