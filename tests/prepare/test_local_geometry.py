# SPDX-License-Identifier: MIT
"""Statistics of a scan: how even its noise is."""

from fastsdf.prepare.local_geometry import measure_local_geometry
from tests.helpers.noisy_walls import wall_and_air


def test_even_noise_has_a_spread_of_one_fifth() -> None:
    even = measure_local_geometry(wall_and_air(0.003, 0.003, 0))
    assert 1.05 < even.noise_spread < 1.3
    assert measure_local_geometry(wall_and_air(0.003, 0.012, 0)).noise_spread > 1.5


def test_noise_at_a_place_follows_the_neighbours_only_where_it_varies() -> None:
    even = measure_local_geometry(wall_and_air(0.003, 0.003, 0))
    assert (even.noises == even.noise).all()
    uneven = measure_local_geometry(wall_and_air(0.003, 0.012, 0))
    points = uneven.index.points
    lowest_neighbour_roughness, rough = (uneven.noises[side] for side in (points[:, 0] < 1.8, points[:, 0] > 2.2))
    assert float(rough.median()) > 1.4 * float(lowest_neighbour_roughness.median())
    assert uneven.noises.min() >= uneven.noise and uneven.noises.max() <= 3 * uneven.noise
