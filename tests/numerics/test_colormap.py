# SPDX-License-Identifier: MIT
"""Interpolated colours at the stops of a scale, between them, and beyond its ends."""

import numpy as np

from fastsdf.numerics.colormap import VIRIDIS, interpolate_colors


def test_stops_have_their_colours_and_values_beyond_the_ends_those_of_the_ends() -> None:
    np.testing.assert_array_equal(interpolate_colors(np.linspace(0, 1, 5), VIRIDIS), VIRIDIS)
    np.testing.assert_array_equal(interpolate_colors(np.array([-3.0, 7.0]), VIRIDIS), VIRIDIS[[0, -1]])
    assert np.isnan(interpolate_colors(np.array([np.nan]), VIRIDIS)).all()


def test_values_between_unevenly_spaced_stops_are_interpolated() -> None:
    colors, stops = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]), np.array([0.0, 0.2, 1.0])
    np.testing.assert_allclose(
        interpolate_colors(np.full((2, 3), 0.1), colors, stops), np.broadcast_to([0.5, 1.0, 1.5], (2, 3, 3))
    )
