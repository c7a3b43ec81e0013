# SPDX-License-Identifier: MIT
"""Smallest eigenpairs of batches of symmetric 3x3 matrices: LAPACK on a CPU, Jacobi rotations on other devices."""

import numpy as np
import torch
from torch import Tensor

SWEEPS = 5  # Jacobi sweeps; chosen: the tests reach 4e-15 of the largest entry with them
PAIRS = ((0, 1, 2), (0, 2, 1), (1, 2, 0))  # the two axes of each rotation, and the third axis


def scatter_matrices(one: Tensor, other: Tensor) -> Tensor:
    """Sums over k of the outer products of the vectors ``one`` and ``other``, both (m, k, 3).

    Returns:
        (m, 3, 3); only the upper triangles are valid.
    """
    if one.device.type == "cpu":
        return one.mT @ other
    sums = one.new_zeros(len(one), 3, 3)
    for i in range(3):
        for j in range(i, 3):
            sums[:, i, j] = (one[..., i] * other[..., j]).sum(1)
    return sums


def smallest_eigenpair(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest eigenvalue of each matrix with a unit eigenvector.

    Args:
        matrices: (n, 3, 3) symmetric, finite; only the upper triangle is read.

    Returns:
        Eigenvalues (n,) and eigenvectors (n, 3) of arbitrary sign.
    """
    if matrices.device.type != "cpu":
        return jacobi_eigenpair(matrices)
    values, vectors = np.linalg.eigh(matrices.numpy(), UPLO="U")
    return torch.from_numpy(values[:, 0].copy()), torch.from_numpy(vectors[:, :, 0].copy())


def jacobi_eigenpair(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """`smallest_eigenpair` by cyclic Jacobi rotations, in elementwise operations over the whole batch.

    Equal or vanishing eigenvalues cost no accuracy: the error is about the rounding error of the largest eigenvalue
    (Golub and Van Loan, Matrix Computations, section 8.5).
    """
    scale = matrices.abs().amax((1, 2)).clamp_min(torch.finfo(matrices.dtype).tiny)
    diagonal = [matrices[:, i, i] / scale for i in range(3)]
    off = {(i, j): matrices[:, i, j] / scale for i, j, _ in PAIRS}
    columns = [torch.zeros(3, len(matrices), dtype=matrices.dtype, device=matrices.device) for _ in range(3)]
    for axis, column in enumerate(columns):
        column[axis] = 1.0
    for _ in range(SWEEPS):
        for p, q, r in PAIRS:
            tangent, cosine, sine = _rotation(diagonal[p], diagonal[q], off[p, q])
            shift = tangent * off[p, q]
            diagonal[p], diagonal[q] = diagonal[p] - shift, diagonal[q] + shift
            off[p, q] = torch.zeros_like(shift)
            one, other = (min(p, r), max(p, r)), (min(q, r), max(q, r))
            off[one], off[other] = _rotate(off[one], off[other], cosine, sine)
            columns[p], columns[q] = _rotate(columns[p], columns[q], cosine, sine)
    value, which = torch.stack(diagonal).min(0)
    vector = torch.where(which == 0, columns[0], torch.where(which == 1, columns[1], columns[2]))
    return value * scale, torch.nn.functional.normalize(vector, dim=0).T.contiguous()


def _rotation(one: Tensor, other: Tensor, off: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Tangent, cosine and sine (n,) of the smaller angle whose rotation makes [[one, off], [off, other]] diagonal."""
    half = (other - one) / 2
    divisor = half.abs() + (half.square() + off.square()).sqrt()
    tangent = off * torch.where(half < 0, -1.0, 1.0) / divisor.clamp_min(torch.finfo(off.dtype).tiny)
    cosine = (tangent.square() + 1).rsqrt()
    return tangent, cosine, tangent * cosine


def _rotate(one: Tensor, other: Tensor, cosine: Tensor, sine: Tensor) -> tuple[Tensor, Tensor]:
    return cosine * one - sine * other, sine * one + cosine * other
