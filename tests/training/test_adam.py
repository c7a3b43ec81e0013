# SPDX-License-Identifier: MIT
"""Adam against torch's, its fast update against the reference, and its state."""

import pytest
import torch
from torch import Tensor

from fastsdf.training.adam import (
    FLOOR,
    MEAN_DECAY,
    SQUARE_DECAY,
    Adam,
    AdamUpdate,
    Moments,
    Pace,
    ParameterGroup,
    adam_update,
)
from fastsdf.training.adam_numba import adam_update as numba_update


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Normally distributed float64 numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_it_is_torchs_adam_where_no_gradient_is_zero() -> None:
    ours, theirs = [draw(5, 3), draw(4, seed=1)], [draw(5, 3), draw(4, seed=1)]
    adam = Adam([ParameterGroup([ours[0]], 1e-2), ParameterGroup([ours[1]], 1e-3)])
    groups = [{"params": [theirs[0]], "lr": 1e-2}, {"params": [theirs[1]], "lr": 1e-3}]
    reference = torch.optim.Adam(groups, betas=(MEAN_DECAY, SQUARE_DECAY), eps=FLOOR)
    for step in range(5):
        grads = [draw(5, 3, seed=10 + step), draw(4, seed=20 + step)]
        factor = 1.0 / (1 + step)
        adam.step(grads, factor)
        for group, rate, param, grad in zip(reference.param_groups, (1e-2, 1e-3), theirs, grads, strict=True):
            group["lr"], param.grad = rate * factor, grad
        reference.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("update", [adam_update, numba_update], ids=["torch", "numba"])
def test_what_a_step_does_not_touch_stays(update: AdamUpdate) -> None:
    param = draw(9)
    moments, before = Moments(draw(9, seed=1), draw(9, seed=2).square()), [param.clone()]
    before += [m.clone() for m in moments]
    grad = draw(9, seed=3)
    grad[::2] = 0
    update(param, grad, moments, Pace(torch.tensor(3.0), torch.tensor(1.0), 0.1))
    for old, new in zip(before, (param, *moments), strict=True):
        assert torch.equal(new[::2], old[::2])
        assert (new[1::2] != old[1::2]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(0,), (1,), (1023, 2), (7, 5)])
def test_numba_agrees_with_the_reference(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    results = []
    for update in (adam_update, numba_update):
        param = draw(*shape).to(dtype)
        moments = Moments(torch.zeros_like(param), torch.zeros_like(param))
        for step in (1.0, 2.0, 3.0):
            grad = draw(*shape[::-1], seed=int(step)).to(dtype).movedim(0, -1).reshape(shape)
            update(param, grad, moments, Pace(torch.tensor(step), torch.tensor(0.5), 1e-2))
        results.append((param, *moments))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("update", [adam_update, numba_update], ids=["torch", "numba"])
def test_decay_shrinks_touched_rows_only(update: AdamUpdate) -> None:
    param, grad, decay = draw(6, 2), draw(6, 2, seed=1), torch.tensor([0.0, 1, 2, 3, 4, 5], dtype=torch.float64)
    grad[1] = 0
    ends = []
    for strength in (None, decay):
        end = param.clone()
        moments = Moments(torch.zeros_like(param), torch.zeros_like(param))
        update(end, grad, moments, Pace(*torch.tensor([1.0, 0.5], dtype=torch.float64), 0.02, strength))
        ends.append(end)
    lost = 0.01 * decay[:, None] * param
    lost[1] = 0
    torch.testing.assert_close(ends[0] - ends[1], lost, rtol=1e-9, atol=1e-12)


def test_a_factor_may_be_a_tensor_or_a_number() -> None:
    params = [draw(4), draw(4)]
    for param, factor in zip(params, (0.3, torch.tensor(0.3, dtype=torch.float64)), strict=True):
        Adam([ParameterGroup([param], 0.1)]).step([draw(4, seed=1)], factor)
    torch.testing.assert_close(params[0], params[1], rtol=1e-15, atol=0)


def test_a_saved_state_goes_on_where_it_was() -> None:
    param, grads = draw(6), [draw(6, seed=step) for step in (1, 2, 3)]
    adam = Adam([ParameterGroup([param], 0.1)])
    for grad in grads[:2]:
        adam.step([grad])
    state, copy = adam.state_dict(), param.clone()
    later = Adam([ParameterGroup([copy], 0.1)])
    later.load_state_dict(state)
    for optimizer in (adam, later):
        optimizer.step([grads[2]])
    assert torch.equal(param, copy)
