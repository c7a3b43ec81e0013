# SPDX-License-Identifier: MIT
"""Makes LAS files in memory and the columns of E57 scans."""

from types import ModuleType
from typing import Any

import numpy as np

UTM = np.array([4e5, 5e6, 100.0])  # metres; typical UTM coordinates


def las_of(laspy: ModuleType, world: np.ndarray, point_format: int = 7, version: str = "1.4") -> Any:
    """A LAS file in memory with steps of 1 mm and a large offset."""
    header = laspy.LasHeader(point_format=point_format, version=version)
    header.scales, header.offsets = np.full(3, 0.001), UTM
    las = laspy.LasData(header)
    las.x, las.y, las.z = world.T
    return las


def e57_columns(points: np.ndarray, shade: int = 7) -> dict[str, np.ndarray]:
    """The columns of an E57 scan with grey colours."""
    columns = dict(zip(("cartesianX", "cartesianY", "cartesianZ"), points.T.copy(), strict=True))
    gray = np.full(len(points), shade, dtype=np.uint8)
    return columns | dict.fromkeys(("colorRed", "colorGreen", "colorBlue"), gray)
