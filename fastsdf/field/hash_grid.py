# SPDX-License-Identifier: MIT
"""Defines the geometry of a multiresolution hash grid: resolutions, table layout and which levels are dense.

The layout is that of instant-NGP (Mueller et al. 2022, arXiv 2201.05989, section 3): level l has
``base * growth^l - 1`` cells across the unit cube. A level is stored densely if its nodes fit into the table size, and
hashed otherwise.
"""

import math
from dataclasses import dataclass
from functools import cached_property

HASH_PRIMES = (1, 2654435761, 805459861)  # of instant-NGP, eq. 4
ALIGNMENT = 8  # entries; level sizes are multiples of it, as in tiny-cuda-nn


@dataclass(frozen=True)
class GridSpec:
    """Shape of a hash grid over [0, 1]^3.

    Attributes:
        num_levels: number of levels.
        features_per_level: number of features per entry.
        log2_table_size: log2 of the maximum number of entries of a level.
        base_resolution: nodes across the coarsest level.
        finest_resolution: nodes across the finest level.
    """

    num_levels: int
    features_per_level: int
    log2_table_size: int
    base_resolution: int
    finest_resolution: int

    @cached_property
    def growth(self) -> float:
        """Ratio of the resolutions of neighbouring levels."""
        if self.num_levels == 1:
            return 1.0
        return (self.finest_resolution / self.base_resolution) ** (1.0 / (self.num_levels - 1))

    @cached_property
    def scales(self) -> tuple[float, ...]:
        """Cells across the unit cube, per level (not an integer in general)."""
        return tuple(self.base_resolution * self.growth**level - 1.0 for level in range(self.num_levels))

    @cached_property
    def resolutions(self) -> tuple[int, ...]:
        """Nodes across the unit cube, per level; scales are rounded up, except for rounding errors above an integer."""
        return tuple(math.ceil(scale - 1e-9) + 1 for scale in self.scales)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Entries per level, multiples of 8 (`ALIGNMENT`)."""
        limit = 1 << self.log2_table_size
        dense = (-(-(r**3) // ALIGNMENT) * ALIGNMENT for r in self.resolutions)
        return tuple(min(d, limit) for d in dense)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """First entry of each level in the joint table, followed by the total number of entries."""
        total, out = 0, [0]
        for size in self.sizes:
            total += size
            out.append(total)
        return tuple(out)

    @property
    def num_entries(self) -> int:
        """Total number of entries of all levels."""
        return self.offsets[-1]

    @property
    def num_features(self) -> int:
        """Total number of features of all levels."""
        return self.num_levels * self.features_per_level

    def is_dense(self, level: int) -> bool:
        """Whether every node of a level has an entry of its own."""
        return self.resolutions[level] ** 3 <= self.sizes[level]

    def cell_size(self, active_levels: float) -> float:
        """Cell edge of level number ``active_levels``, as a fraction of the unit cube; log-linear between levels."""
        return 1.0 / (self.base_resolution * self.growth ** (active_levels - 1.0) - 1.0)
