# SPDX-License-Identifier: MIT
"""Runs a module of this package in Triton's interpreter, in a separate process."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.paths import ROOT


def interpreted_by(program: str, folder: Path) -> Any:
    """Runs ``python -m tests.helpers.PROGRAM OUT.pt`` with TRITON_INTERPRET=1 and returns the saved results.

    Skips the test where Triton's interpreter itself fails: that of Triton 3.6 turns arrays of one element into Python
    numbers, which NumPy 2.5 refuses.
    """
    out = folder / "results.pt"
    call = [sys.executable, "-m", f"tests.helpers.{program}", out]
    done = subprocess.run(
        call, cwd=ROOT, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, timeout=600
    )
    if done.returncode and "only 0-dimensional arrays can be converted to Python scalars" in done.stderr:
        pytest.skip(f"the interpreter of this Triton does not run with NumPy {np.__version__}")
    assert done.returncode == 0, done.stderr
    return torch.load(out, weights_only=True)
