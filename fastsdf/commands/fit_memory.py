# SPDX-License-Identifier: MIT
"""Messages for the stages of a fit when memory runs out, and a checkpoint of what was trained."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from fastsdf.budget.memory import GIB, prepare_bytes
from fastsdf.config.models import FitConfig
from fastsdf.io.run_folder import RunFolder
from fastsdf.system.out_of_memory import explained, is_out_of_memory
from fastsdf.training.checkpoint import save_session
from fastsdf.training.session import Session

# What to do when memory runs out, for messages.
THIN = "thin the scan (--stride n for depth images), or fit a part of it"
SMALLER_FIELD = (
    "--memory 4GB chooses smaller settings, e.g. --set field.log2_table_size=16 and sampling.surface_points=2048"
)


def memory_warning(points: int, available: float) -> str:
    """Warns before a scan is prepared on a CPU if memory may run out; empty if it suffices.

    The operating system may end a process that takes too much memory without any message.

    Args:
        points: number of points of the scan.
        available: bytes that the process can still allocate.
    """
    needed = prepare_bytes(0.0, points)  # in addition to what the process holds already
    if needed <= available:
        return ""
    return (
        f"preparing {points:,} points may take about {needed / GIB:.1f} GiB more, and {available / GIB:.1f} GiB are "
        f"free; if the system ends this command ('Killed', exit code 137), {THIN}"
    )


@contextmanager
def explained_training(run: RunFolder, session: Session) -> Iterator[None]:
    """Turns out-of-memory errors of training into messages with its sizes; saves a checkpoint if that still works."""
    state = session.state
    values, points = sum(p.numel() for p in state.field.parameters()), sum(state.sampler.counts)
    advice = f"{SMALLER_FIELD}; 'fastsdf fit --resume {run.path}' resumes from the last checkpoint"
    with explained(f"training {values:,} parameters with {points:,} points a step", advice):
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if is_out_of_memory(error) and state.step:
                with suppress(Exception):
                    save_session(session, run.checkpoint, finished=False)
            raise


def explained_mesh(run: RunFolder, config: FitConfig) -> AbstractContextManager[None]:
    """Turns out-of-memory errors of extraction into messages that tell how to extract a coarser mesh later."""
    voxel = config.mesh.voxel_size_m
    assert voxel is not None
    command = f"fastsdf mesh {run.path} -o {run.mesh} --voxel-size {2 * voxel:.2g}"
    return explained(
        f"extracting a mesh with cells of {voxel:.3g} m", f"the field is saved: '{command}' needs a quarter"
    )
