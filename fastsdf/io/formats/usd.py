# SPDX-License-Identifier: MIT
"""Writes USD files with usd-core. This is the only module that imports it, as ``pxr``."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.system.optional_import import needed_for

# Text and binary layers; archives (.usdz) are not written.
USD_SUFFIXES = (".usda", ".usdc")


def load_pxr(*modules: str) -> list[Any]:
    """Import modules of USD's Python package by name.

    Raises:
        InputError: usd-core is not installed.
    """
    with needed_for("writing USD needs usd-core", "pip install usd-core, or write .glb"):
        return [import_module(f"pxr.{name}") for name in modules]


def write_usd(mesh: TriangleMesh, offset: np.ndarray, path: Path, metres_per_unit: float, up: str) -> None:
    """Write one mesh prim ``/mesh`` as USD text (.usda) or binary (.usdc).

    Args:
        mesh: mesh in the units and axes of the file; attributes become primvars.
        offset: (3,) offset subtracted from the float32 vertices and stored in the prim's translation (double).
        path: the file.
        metres_per_unit: unit of the coordinates.
        up: up axis that the file declares, y or z.

    Raises:
        OSError: the file cannot be written.
    """
    usd, geom, sdf, vt, gf = load_pxr("Usd", "UsdGeom", "Sdf", "Vt", "Gf")
    try:
        stage = usd.Stage.CreateNew(str(path))
    except RuntimeError as error:  # pxr.Tf.ErrorException
        raise OSError(str(error).strip().splitlines()[0]) from error
    geom.SetStageMetersPerUnit(stage, metres_per_unit)
    geom.SetStageUpAxis(stage, up.upper())
    prim = geom.Mesh.Define(stage, "/mesh")
    stage.SetDefaultPrim(prim.GetPrim())
    if offset.any():
        prim.AddTranslateOp(geom.XformOp.PrecisionDouble).Set(gf.Vec3d(*offset.tolist()))
    points = np.ascontiguousarray(mesh.vertices - offset, dtype=np.float32)
    prim.CreatePointsAttr(vt.Vec3fArray.FromNumpy(points))
    prim.CreateExtentAttr(vt.Vec3fArray.FromNumpy(np.stack((points.min(axis=0), points.max(axis=0)))))
    prim.CreateFaceVertexCountsAttr(vt.IntArray.FromNumpy(np.full(len(mesh.faces), 3, np.int32)))
    prim.CreateFaceVertexIndicesAttr(vt.IntArray.FromNumpy(mesh.faces.astype(np.int32).ravel()))
    prim.CreateSubdivisionSchemeAttr("none")
    if mesh.normals is not None:
        prim.CreateNormalsAttr(vt.Vec3fArray.FromNumpy(np.ascontiguousarray(mesh.normals, dtype=np.float32)))
        prim.SetNormalsInterpolation("vertex")
    primvars = geom.PrimvarsAPI(prim)
    if mesh.colors is not None:
        colors = vt.Vec3fArray.FromNumpy(_linear(mesh.colors))
        primvars.CreatePrimvar("displayColor", sdf.ValueTypeNames.Color3fArray, "vertex").Set(colors)
    for name, values in mesh.attributes.items():
        column = vt.FloatArray.FromNumpy(np.ascontiguousarray(values, dtype=np.float32))
        primvars.CreatePrimvar(name, sdf.ValueTypeNames.FloatArray, "vertex").Set(column)
    stage.GetRootLayer().Save()


def _linear(colors: np.ndarray) -> np.ndarray:
    """Convert sRGB colours (v, 3) uint8 to linear float32, as USD's displayColor needs."""
    value = colors / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
