# SPDX-License-Identifier: MIT
"""Geometry of a multiresolution hash grid: resolutions, table layout and which levels are dense.

The layout is that of instant-NGP (Mueller et al. 2022, arXiv 2201.05989, section 3): level l has scale
``base * growth^l - 1`` cells across the unit cube, is stored densely where its nodes fit the table and hashed above.
"""

import math
from dataclasses import dataclass
from functools import cached_property

HASH_PRIMES = (1, 2654435761, 805459861)
ALIGNMENT = 8


@dataclass(frozen=True)
class GridSpec:
    """Shape of a hash grid over [0, 1]^3.

    Attributes:
        num_levels: number of levels.
        features_per_level: features stored per entry.
        log2_table_size: log2 of the largest number of entries of a level.
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
        """Nodes across the unit cube, per level; a scale that rounding left just above an integer counts as it."""
        return tuple(math.ceil(scale - 1e-9) + 1 for scale in self.scales)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Entries per level, multiples of 8."""
        limit = 1 << self.log2_table_size
        dense = (-(-(r**3) // ALIGNMENT) * ALIGNMENT for r in self.resolutions)
        return tuple(min(d, limit) for d in dense)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """First entry of each level in the joint table, with the total at the end."""
        total, out = 0, [0]
        for size in self.sizes:
            total += size
            out.append(total)
        return tuple(out)

    @property
    def num_entries(self) -> int:
        """Entries of all levels together."""
        return self.offsets[-1]

    @property
    def num_features(self) -> int:
        """Features of all levels together."""
        return self.num_levels * self.features_per_level

    def is_dense(self, level: int) -> bool:
        """Whether every node of a level has an entry of its own."""
        return self.resolutions[level] ** 3 <= self.sizes[level]

    def cell_size(self, active_levels: float) -> float:
        """Cell edge (unit-cube length) of the finest of ``active_levels`` levels, log-linear between levels."""
        return 1.0 / (self.base_resolution * self.growth ** (active_levels - 1.0) - 1.0)
