# SPDX-License-Identifier: MIT
"""Computes the sensor positions of points from their times and the trajectory of a moving scanner."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastsdf.errors import ScanError
from fastsdf.geometry import PointCloud
from fastsdf.io.files import require_file

MAX_GAP_S = 1.0  # s; a walking scanner moves too far in longer gaps of the trajectory; chosen, not swept
MIN_SHARE = 0.5  # share of the points within MAX_GAP_S; with fewer, the clocks of scan and trajectory differ
GPS_OFFSET_S = 1e9  # s; the LAS standard subtracts it in "adjusted standard GPS time"
# The format, for messages.
LINE = "every line is time x y z, in seconds and the scan's frame; further columns are ignored"


class TimedPositions(NamedTuple):
    """Positions of a scanner over time.

    Attributes:
        stamps: (m,) seconds, increasing.
        positions: (m, 3) in the frame of the points.
    """

    stamps: np.ndarray
    positions: np.ndarray


def read_timed_positions(path: str | Path) -> TimedPositions:
    """Reads lines ``time x y z [...]`` with spaces or commas; skips comment lines (#) and one header line.

    Raises:
        ScanError: the file is missing, has no positions, or a line does not begin with four finite numbers.
    """
    path = require_file(path)
    rows: list[list[float]] = []
    headers = 0
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines(), 1):
        words = line.replace(",", " ").replace(";", " ").split()
        if not words or words[0].startswith("#"):
            continue
        try:
            values = [float(word) for word in words[:4]]
        except ValueError as error:
            headers += 1
            if not rows and headers == 1:
                continue
            raise ScanError(f"{path}, line {number}: '{line[:60]}' is not a position ({error}): {LINE}") from error
        if len(values) < 4 or not np.isfinite(values).all():
            raise ScanError(f"{path}, line {number}: '{line[:60]}' is not a position: {LINE}")
        rows.append(values)
    if not rows:
        raise ScanError(f"{path} holds no positions: {LINE}")
    table = np.array(rows)
    _, first = np.unique(table[:, 0], return_index=True)
    return TimedPositions(table[first, 0], table[first, 1:])


def with_trajectory(cloud: PointCloud, path: str | Path) -> PointCloud:
    """Sets the sensor position of each point to the interpolated scanner position; replaces those of the file.

    Points whose time is more than `MAX_GAP_S` from every known position get a position that is not finite, so that
    cleaning drops and counts them.

    Raises:
        ScanError: the points have no times, the trajectory cannot be read, or fewer than half of the points fit it.
    """
    known = read_timed_positions(path)
    if cloud.times is None:
        raise ScanError(
            f"the trajectory {path} needs a time per point: the scan has no gps_time (LAS) and no property or column "
            "named time, gps_time or timestamp; export it with one, or leave --trajectory out"
        )
    times, note = _on_clock(cloud.times, known.stamps)
    gap = _time_gap(times, known.stamps)
    fits = gap <= MAX_GAP_S
    if fits.mean() < MIN_SHARE:
        own, its = (f"from {values.min():.6g} to {values.max():.6g} s" for values in (cloud.times, known.stamps))
        raise ScanError(
            f"the times of the points are {own}, those of {path} {its}: {fits.mean():.0%} of the points match; give "
            "the trajectory of this scan, on the same clock"
        )
    sensors = np.stack([np.interp(times, known.stamps, column) for column in known.positions.T], axis=1)
    sensors[~fits] = np.nan
    text = f"sensor positions from {len(known.stamps)} positions of {path} by time{note}"
    return replace(cloud, sensors=sensors, notes=(*cloud.notes, text))


def _on_clock(times: np.ndarray, stamps: np.ndarray) -> tuple[np.ndarray, str]:
    """Converts times (n,) to the clock of the stamps (m,): unchanged, or from adjusted GPS time; and returns a note."""
    for shift, note in ((0.0, ""), (GPS_OFFSET_S, " (1e9 s added: adjusted standard GPS time)")):
        moved = times + shift
        if moved.max() >= stamps[0] - MAX_GAP_S and moved.min() <= stamps[-1] + MAX_GAP_S:
            return moved, note
    return times, ""


def _time_gap(times: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """Seconds (n,) from each time to the nearest stamp."""
    after = np.clip(np.searchsorted(stamps, times), 0, len(stamps) - 1)
    before = np.maximum(after - 1, 0)
    return np.minimum(np.abs(stamps[after] - times), np.abs(times - stamps[before]))
