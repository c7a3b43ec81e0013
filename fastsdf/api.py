# SPDX-License-Identifier: MIT
"""The Python interface: arrays in, a fitted field out, without files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fastsdf.config.loading import load_config, override
from fastsdf.config.models import FitConfig
from fastsdf.errors import InputError
from fastsdf.geometry import PointCloud
from fastsdf.io.attributes import colors_to_uint8
from fastsdf.io.cleaning import clean_cloud, with_sensor
from fastsdf.model import FittedField
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.training.loop import Progress, train
from fastsdf.training.session import start_fit

Array = Any  # a numpy array, a nested sequence or a torch tensor


def fit(
    points_or_cloud: PointCloud | Array,
    config: FitConfig | str | Path | None = None,
    *,
    normals: Array | None = None,
    sensors: Array | None = None,
    colors: Array | None = None,
    progress: Callable[[Progress], None] | None = None,
    **settings: Any,
) -> FittedField:
    """Fits a signed distance field to a scan.

    Args:
        points_or_cloud: (n, 3) points in world units, or a PointCloud (`fastsdf.read_point_cloud`).
        config: a configuration, the name of a preset, or the path of a YAML file; None: the defaults.
        normals: (n, 3) normals that point into the air, of any length.
        sensors: (n, 3) positions of the sensor that saw each point, or (3,) one for all.
        colors: (n, 3) RGB: uint8, uint16, or floats up to 1.
        progress: called about every 25 steps and after the last.
        settings: values that win over ``config``, dotted keys with ``__`` for dots: ``scene="object"``,
            ``training__steps=2000``.

    Raises:
        InputError: if an array has the wrong shape, or a setting is unknown or out of range (ConfigError).
        ScanError: if fewer than 100 points are usable.
        TrainingError: if a loss term became non-finite.

    >>> import fastsdf, numpy as np
    >>> directions = np.random.default_rng(0).standard_normal((5000, 3))
    >>> ball = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    >>> field = fastsdf.fit(ball, "smoke", normals=ball, scene="object", device="cpu")
    >>> bool(field.sdf([0.0, 0.0, 0.0]) < 0 < field.sdf([1.2, 0.0, 0.0]))  # solid inside, air outside
    True
    >>> mesh = field.extract_mesh(0.1)
    >>> bool(np.abs(np.linalg.norm(mesh.vertices, axis=1) - 1).mean() < 0.05)
    True
    """
    chosen = _configuration(config, settings)
    cloud = clean_cloud(_cloud(points_or_cloud, normals, sensors, colors), Path("the array"))
    session = start_fit(prepare_scan(cloud, chosen), chosen)
    train(session.state, session.config, progress or (lambda _: None), lambda _: None, lambda: False)
    return FittedField.from_session(session)


def load(run_folder: str | Path, device: str = "auto") -> FittedField:
    """The fitted field of a run folder, finished or not (``fastsdf fit`` and `FittedField.save` write them).

    Args:
        run_folder: holds checkpoint.pt.
        device: auto, cpu, cuda or cuda:N.

    Raises:
        CheckpointError: if there is no checkpoint, or it is damaged or from another format.
        ConfigError: if the device is not there.

    >>> import fastsdf, numpy as np
    >>> directions = np.random.default_rng(0).standard_normal((5000, 3))
    >>> ball = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    >>> fitted = fastsdf.fit(ball, "smoke", normals=ball, scene="object", device="cpu", training__steps=20)
    >>> fitted.save("runs/ball")
    >>> fastsdf.load("runs/ball").step
    20
    """
    return FittedField.load(run_folder, device)


def _configuration(config: FitConfig | str | Path | None, settings: dict[str, Any]) -> FitConfig:
    if isinstance(config, FitConfig):
        return override(config, **settings)
    if isinstance(config, Path) or (config is not None and config.endswith((".yaml", ".yml"))):
        return override(load_config(files=[Path(config)]), **settings)
    return override(load_config(config), **settings)


def _cloud(
    points_or_cloud: PointCloud | Array, normals: Array | None, sensors: Array | None, colors: Array | None
) -> PointCloud:
    """A point cloud of float64 rows, checked for shape only."""
    given = points_or_cloud
    cloud = given if isinstance(given, PointCloud) else PointCloud(_rows(given, "points"))
    if normals is not None:
        cloud = replace(cloud, normals=_rows(normals, "normals", len(cloud)))
    if colors is not None:
        values, notes = colors_to_uint8(_rows(colors, "colors", len(cloud), None))
        cloud = replace(cloud, colors=values, notes=(*cloud.notes, *notes))
    if sensors is None:
        return cloud
    positions = _numpy(sensors, "sensors", np.float64)
    if positions.shape == (3,):
        return with_sensor(cloud, positions.tolist())
    return replace(cloud, sensors=_rows(positions, "sensors", len(cloud)))


def _rows(values: Array, name: str, count: int | None = None, kind: Any = np.float64) -> np.ndarray:
    """(n, 3) numpy rows of an array; ``count`` is the n that is wanted, ``kind`` the type (None: as it is)."""
    rows = _numpy(values, name, kind)
    if rows.ndim != 2 or rows.shape[1] != 3 or len(rows) != (len(rows) if count is None else count):
        wanted = "n" if count is None else count
        raise InputError(f"{name} must have shape ({wanted}, 3), got {rows.shape}")
    return rows


def _numpy(values: Array, name: str, kind: Any) -> np.ndarray:
    given = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values
    try:
        found = np.asarray(given)
    except ValueError as error:
        raise InputError(f"{name} must be an array of numbers: {error}") from error
    if found.dtype.kind not in "uif":
        raise InputError(f"{name} must be an array of real numbers, got {found.dtype}")
    return found if kind is None else found.astype(kind)
