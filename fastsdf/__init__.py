# SPDX-License-Identifier: MIT
"""fastsdf: large indoor point clouds to clean meshes with a hash-grid SDF trained under a viscosity schedule.

The names in ``__all__`` are imported when they are first used: ``import fastsdf`` alone loads neither torch nor open3d.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastsdf.api import fit, load
    from fastsdf.config import FitConfig
    from fastsdf.evaluation import evaluate
    from fastsdf.fitted import FittedField
    from fastsdf.io import read_mesh, read_point_cloud, write_grid, write_mesh
    from fastsdf.meshing import color_by, decimate, floor_alignment, smooth
    from fastsdf.scan import DistanceGrid, PointCloud, TriangleMesh

__version__ = "0.1.0"

__all__ = [
    "DistanceGrid",
    "FitConfig",
    "FittedField",
    "PointCloud",
    "TriangleMesh",
    "color_by",
    "decimate",
    "evaluate",
    "fit",
    "floor_alignment",
    "load",
    "read_mesh",
    "read_point_cloud",
    "smooth",
    "write_grid",
    "write_mesh",
]

_HOMES = {
    "DistanceGrid": "fastsdf.scan",
    "FitConfig": "fastsdf.config",
    "FittedField": "fastsdf.fitted",
    "PointCloud": "fastsdf.scan",
    "TriangleMesh": "fastsdf.scan",
    "color_by": "fastsdf.meshing",
    "decimate": "fastsdf.meshing",
    "evaluate": "fastsdf.evaluation",
    "fit": "fastsdf.api",
    "floor_alignment": "fastsdf.meshing",
    "load": "fastsdf.api",
    "read_mesh": "fastsdf.io",
    "read_point_cloud": "fastsdf.io",
    "smooth": "fastsdf.meshing",
    "write_grid": "fastsdf.io",
    "write_mesh": "fastsdf.io",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fastsdf' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
