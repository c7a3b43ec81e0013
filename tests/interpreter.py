# SPDX-License-Identifier: MIT
"""Runs a program of this folder in Triton's interpreter, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch


def interpreted_by(program: str, folder: Path) -> Any:
    """What ``python PROGRAM OUT.pt`` saves with TRITON_INTERPRET=1, which must be set before triton is imported."""
    out = folder / "results.pt"
    call = [sys.executable, Path(__file__).with_name(program), out]
    done = subprocess.run(
        call, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return torch.load(out, weights_only=True)
