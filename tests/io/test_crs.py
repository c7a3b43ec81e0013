# SPDX-License-Identifier: MIT
"""Units of scans, and coordinate reference systems from LAS and E57 files to .prj files and reports."""

import json
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastsdf.config.units import METRES
from fastsdf.errors import InputError, ScanError
from fastsdf.geometry import PointCloud
from fastsdf.io import read_mesh, read_point_cloud, read_point_clouds
from fastsdf.io.crs import as_wkt, crs_name, georeference
from tests.helpers.cli_calls import QUICK, call_main
from tests.helpers.cli_runs import box_room, write_scan
from tests.helpers.survey_files import UTM, e57_columns, las_of

WKT = 'PROJCS["ETRS89 / UTM zone 32N",GEOGCS["ETRS89",DATUM["x"]],UNIT["metre",1]]'


@pytest.fixture
def laspy() -> ModuleType:
    return pytest.importorskip("laspy", reason="laspy is not installed: pip install laspy lazrs")


def text_record(laspy: ModuleType) -> Any:
    """A record with well-known text."""
    return laspy.vlrs.known.WktCoordinateSystemVlr(WKT)


@pytest.fixture
def pyproj() -> ModuleType:
    return pytest.importorskip("pyproj", reason="pyproj is not installed: pip install pyproj")


def write_las(laspy: ModuleType, path: Path, points: np.ndarray, *records: Any) -> Path:
    las = las_of(laspy, points)
    las.header.vlrs.extend(records)
    las.write(str(path))
    return path


def keys_record(laspy: ModuleType, **codes: int) -> Any:
    """A GeoTIFF key directory with these codes."""
    known, ids = laspy.vlrs.known, {"geographic": 2048, "projected": 3072, "vertical": 4096}
    record, entry = known.GeoKeyDirectoryVlr(), partial(known.GeoKeyEntryStruct, tiff_tag_location=0, count=1)
    record.geo_keys = [entry(id=ids[name], value_offset=code) for name, code in codes.items()]
    record.geo_keys_header.number_of_keys = len(codes)
    return record


@pytest.fixture
def points() -> np.ndarray:
    return np.round(np.random.default_rng(5).uniform(-3.0, 3.0, (200, 3)), 3) + UTM


@pytest.mark.parametrize("unit", list(METRES))
def test_scans_in_other_units_become_metres(tmp_path: Path, unit: str) -> None:
    cloud = box_room(300)
    assert cloud.sensors is not None
    scan = write_scan(tmp_path, PointCloud(cloud.points / METRES[unit], sensors=cloud.sensors / METRES[unit]))
    read = read_point_cloud(scan, units=unit)
    assert read.sensors is not None and read.units == unit
    np.testing.assert_allclose(read.points, cloud.points, atol=1e-5)
    np.testing.assert_allclose(read.sensors, cloud.sensors, atol=1e-5)
    assert read.notes == (() if unit == "m" else (f"coordinates taken as {unit} and turned to metres",))
    placed = read_point_cloud(scan, units=unit, sensor=(1 / METRES[unit], 0.0, 0.0))
    assert placed.sensors is not None
    np.testing.assert_allclose(placed.sensors[0], [1, 0, 0])


def test_units_that_cannot_be_are_refused(tmp_path: Path) -> None:
    scan = write_scan(tmp_path, box_room(300))
    with pytest.raises(InputError, match="unknown unit 'parsec'; give one of m, cm, mm, ft, in"):
        read_point_cloud(scan, units="parsec")
    with pytest.raises(InputError, match="folders of depth images define their own units"):
        read_point_cloud(tmp_path, units="mm")
    with pytest.raises(ScanError):
        read_point_cloud(tmp_path / "none.ply", units="mm")


def test_las_text_wins_over_keys(tmp_path: Path, points: np.ndarray, laspy: ModuleType) -> None:
    keys = keys_record(laspy, projected=25833)
    scan = write_las(laspy, tmp_path / "a.las", points, keys, text_record(laspy))
    assert read_point_cloud(scan).crs == WKT


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({"projected": 25832}, "EPSG:25832"),
        ({"geographic": 4258, "projected": 25832, "vertical": 7837}, "EPSG:25832+7837"),
        ({"geographic": 4326}, "EPSG:4326"),
        ({"geographic": 4326, "projected": 32767}, None),
        ({}, None),
    ],
)
def test_las_keys_name_codes(
    tmp_path: Path, points: np.ndarray, laspy: ModuleType, codes: dict[str, int], expected: str | None
) -> None:
    scan = write_las(laspy, tmp_path / "a.las", points, keys_record(laspy, **codes))
    assert read_point_cloud(scan).crs == expected


def test_e57_states_its_reference_system(tmp_path: Path, points: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    pye57 = pytest.importorskip("pye57", reason="pye57 is not installed: pip install pye57")
    node = pye57.libe57.StringNode
    with monkeypatch.context() as patch:  # pye57 leaves this field empty, and a field can be set once
        patch.setattr(pye57.libe57, "StringNode", lambda file, text: node(file, text or WKT))
        image = pye57.E57(str(tmp_path / "a.e57"), mode="w")
    with image:
        image.write_scan_raw(e57_columns(points))
    assert read_point_cloud(tmp_path / "a.e57").crs == WKT


def test_merged_scans_keep_a_system_that_they_share(tmp_path: Path, points: np.ndarray, laspy: ModuleType) -> None:
    paths = [
        write_las(laspy, tmp_path / f"{i}.las", points, keys_record(laspy, projected=code))
        for i, code in enumerate((25832, 25832, 25833))
    ]
    assert read_point_clouds(paths[:2]).crs == "EPSG:25832"
    mixed = read_point_clouds(paths)
    assert mixed.crs is None and any("EPSG:25832, EPSG:25833" in note for note in mixed.notes)


def test_codes_become_text_with_pyproj(pyproj: ModuleType) -> None:
    assert as_wkt(WKT) == WKT and crs_name(WKT) == "ETRS89 / UTM zone 32N" and crs_name("EPSG:25832") == "EPSG:25832"
    text = as_wkt("EPSG:25832")
    assert text.startswith("PROJCS[") and pyproj.CRS.from_wkt(text).to_epsg() == 25832
    assert "COMPD_CS" in as_wkt("EPSG:25832+7837")
    with pytest.raises(InputError, match="pyproj does not know EPSG:1025"):
        as_wkt("EPSG:1025")


def test_a_prj_is_written_only_for_the_coordinates_of_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh, prj = tmp_path / "m.ply", tmp_path / "m.prj"
    assert georeference(mesh, None, True) is None
    moved = georeference(mesh, WKT, False)
    assert moved is not None and "no .prj file written: the mesh is not in the scan's coordinates" in moved
    assert not prj.exists()
    written = georeference(mesh, WKT, True)
    assert written is not None and str(prj) in written and prj.read_text() == WKT + "\n"
    stale = georeference(mesh, None, True)
    assert stale is not None and "was written earlier and may not belong to this mesh" in stale
    monkeypatch.setitem(sys.modules, "pyproj", None)
    without = georeference(tmp_path / "n.ply", "EPSG:25832", True)
    assert without is not None and "pip install pyproj" in without and not (tmp_path / "n.prj").exists()


def test_a_run_keeps_units_and_system_from_scan_to_mesh(
    tmp_path: Path, laspy: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = write_las(
        laspy, tmp_path / "a.las", box_room(4000).points / 0.3048 + UTM, laspy.vlrs.known.WktCoordinateSystemVlr(WKT)
    )
    run = tmp_path / "run"
    assert call_main("fit", scan, "-o", run, *QUICK, "--units", "ft", "--sensor", "400005,5000005,104") == 0
    facts = json.loads((run / "run.json").read_text())["scan_facts"]
    assert facts["crs"] == WKT and facts["units"] == "ft" and facts["extent_m"] == pytest.approx([4, 3, 2.5], abs=0.05)
    assert not (run / "mesh.prj").exists() and "no .prj file written" in " ".join(capsys.readouterr().out.split())
    assert call_main("mesh", run, "-o", tmp_path / "feet.ply", "--units", "ft") == 0
    assert (tmp_path / "feet.prj").read_text() == WKT + "\n"
    feet, metres = read_mesh(tmp_path / "feet.ply"), read_mesh(run / "mesh.ply")
    np.testing.assert_allclose(feet.vertices * 0.3048, metres.vertices, atol=1e-4)
    assert np.abs(np.median(feet.vertices, axis=0) - UTM).max() < 20
    assert call_main("fit", scan, "-o", tmp_path / "again", "--units", "yd") == 2
    assert call_main("fit", "--resume", run, "--units", "ft") == 2


def test_a_fit_in_metres_has_a_prj(tmp_path: Path, laspy: ModuleType) -> None:
    scan = write_las(
        laspy, tmp_path / "a.las", box_room(4000).points + UTM, laspy.vlrs.known.WktCoordinateSystemVlr(WKT)
    )
    assert call_main("fit", scan, "-o", tmp_path / "run", *QUICK, "--sensor", "400002,5000001.5,101.2") == 0
    assert (tmp_path / "run" / "mesh.prj").read_text() == WKT + "\n"
