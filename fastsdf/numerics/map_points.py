# SPDX-License-Identifier: MIT
"""Evaluates a function of points for numpy arrays and torch tensors of any shape (..., 3)."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from fastsdf.errors import InputError

Points = TypeVar("Points", np.ndarray, Tensor)


def map_points(points: Points, function: Callable[[Tensor], Tensor], chunk: int, width: tuple[int, ...] = ()) -> Points:
    """Evaluate a function of points in chunks and without gradients.

    Args:
        points: (..., 3) real numbers as a numpy array, a nested sequence or a torch tensor on any device.
        function: maps a tensor (n, 3) of the type and device of ``points`` to a tensor (n, *width) on any device.
        chunk: maximum number of points per call of the function.
        width: shape of one value.

    Returns:
        (..., *width). For numpy arrays and sequences a float64 array; for a tensor, a tensor on the same device and of
        the same type (of the default float type if ``points`` holds integers).

    Raises:
        InputError: the last axis does not hold three real numbers.
    """
    given = points if isinstance(points, Tensor) else _from_numpy(points)
    if given.ndim == 0 or given.shape[-1] != 3 or given.is_complex():
        raise InputError(f"points must be real numbers of shape (..., 3), got {given.dtype} of {tuple(given.shape)}")
    kind = given.dtype if given.is_floating_point() else torch.get_default_dtype()
    flat = given.detach().reshape(-1, 3)
    out = torch.empty((len(flat), *width), dtype=kind, device=flat.device)
    with torch.no_grad():
        for start in range(0, len(flat), chunk):
            out[start : start + chunk] = function(flat[start : start + chunk])
    values: Any = out.reshape((*given.shape[:-1], *width))
    return values if isinstance(points, Tensor) else values.numpy()


def _from_numpy(points: np.ndarray) -> Tensor:
    try:
        given = np.asarray(points)
    except ValueError as error:
        raise InputError(f"points must be real numbers of shape (..., 3): {error}") from error
    if given.dtype.kind not in "uif":
        raise InputError(f"points must be real numbers of shape (..., 3), got {given.dtype} of {given.shape}")
    return torch.from_numpy(given.astype(np.float64))
