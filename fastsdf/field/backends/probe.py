# SPDX-License-Identifier: MIT
"""Tests tiny-cuda-nn in a child process, because a bad build crashes the interpreter instead of raising an error.

The child runs ``python -m fastsdf.field.backends.probe cuda`` and prints one line of JSON.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from functools import cache

import torch

from fastsdf.field.backends.tiny_cuda_nn import TinyCudaNNBackend, native_encoding
from fastsdf.field.backends.torch_reference import TorchBackend
from fastsdf.field.hash_grid import GridSpec

TIMEOUT_S = 60.0  # seconds; chosen: more than importing torch takes from a slow disk
POINTS = 301  # not a multiple of the batch size of tiny-cuda-nn, so that padding is tested
TOLERANCE = 1e-3  # relative error; float32 is far below it, a wrong table layout far above. Chosen
# Small, with dense and hashed levels.
GRID = GridSpec(num_levels=5, features_per_level=2, log2_table_size=10, base_resolution=5, finest_resolution=67)


@cache
def probe_tiny_cuda_nn(device: str = "cuda", timeout_s: float = TIMEOUT_S) -> str:
    """The reason why tiny-cuda-nn does not work on a device; empty if it works. The result is cached.

    Args:
        device: torch device to test.
        timeout_s: seconds after which the child is stopped.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        return "torch finds no CUDA device"
    if importlib.util.find_spec("tinycudann") is None:
        return "tinycudann is not installed"
    command = [sys.executable, "-m", "fastsdf.field.backends.probe", device]
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    # The child imports the same packages as this process.
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return f"tinycudann gave no answer within {timeout_s:g} s"
    return _answer(done)


def _answer(done: subprocess.CompletedProcess[str]) -> str:
    """The reason given by a child process that has ended."""
    if done.returncode < 0:
        return f"tinycudann crashed the interpreter ({signal.Signals(-done.returncode).name})"
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"problem":')]
    if done.returncode == 0 and lines:
        return json.loads(lines[-1])["problem"]
    last = (done.stderr.strip().splitlines() or ["no output"])[-1]
    return f"tinycudann ended the interpreter with exit code {done.returncode}: {last}"


def compare_with_reference(device: str) -> str:
    """Compares tiny-cuda-nn with the float64 reference in this process; returns the problem in one line, or nothing."""
    try:
        native_encoding(GRID, GRID.num_levels)
        found = _features_and_gradient(TinyCudaNNBackend(), device, torch.float32)
    except Exception as error:  # the package may raise anything; the error is the result
        return f"tinycudann failed: {type(error).__name__}: {error}".replace("\n", " ")
    expected = _features_and_gradient(TorchBackend(), device, torch.float64)
    for name, a, b in zip(("features", "gradients"), found, expected, strict=True):
        error = float((a - b).abs().max())
        if not error <= TOLERANCE * float(b.abs().max()):
            return f"tinycudann gives wrong {name} (off by {error:.3g} of {float(b.abs().max()):.3g})"
    return ""


def _features_and_gradient(
    backend: TinyCudaNNBackend | TorchBackend, device: str, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of some points, and the gradient of a weighted sum of them with respect to the table, as float64."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((POINTS, 3), generator=generator).to(device, dtype)
    entries = torch.randn((GRID.num_entries, GRID.features_per_level), generator=generator)
    table = entries.to(device, dtype).requires_grad_(True)
    features = backend.encode(x, table, GRID, GRID.num_levels)
    weights = torch.randn(features.shape, generator=generator).to(device, dtype)
    (gradient,) = torch.autograd.grad((features * weights).sum(), table)
    return features.detach().double(), gradient.double()


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"problem": compare_with_reference(sys.argv[1])}) + "\n")
