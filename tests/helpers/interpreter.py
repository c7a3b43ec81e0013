# SPDX-License-Identifier: MIT
"""Runs a module of this package in Triton's interpreter, in a separate process."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from tests.helpers.paths import ROOT


def interpreted_by(program: str, folder: Path) -> Any:
    """Runs ``python -m tests.helpers.PROGRAM OUT.pt`` with TRITON_INTERPRET=1 and returns the saved results."""
    out = folder / "results.pt"
    call = [sys.executable, "-m", f"tests.helpers.{program}", out]
    done = subprocess.run(
        call, cwd=ROOT, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return torch.load(out, weights_only=True)
