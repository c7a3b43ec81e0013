# SPDX-License-Identifier: MIT
"""PTS and PTX text, and the viewpoint of PCD files."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fastsdf.errors import ScanError
from fastsdf.io import read_point_cloud

N = 150
UTM = np.array([4e5, 5e6, 100.0])


@pytest.fixture
def points() -> np.ndarray:
    return np.round(np.random.default_rng(6).uniform(-3.0, 3.0, (N, 3)), 6)


@pytest.fixture
def colors() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (N, 3))


def rows(*blocks: np.ndarray) -> str:
    """Lines of the columns of some (n, k) arrays, with all digits."""
    return "".join(" ".join(f"{value:.12g}" for value in row) + "\r\n" for row in np.column_stack(blocks))


@pytest.mark.parametrize("layout", ["", "i", "c", "ic"])
def test_pts_columns(tmp_path: Path, points: np.ndarray, colors: np.ndarray, layout: str) -> None:
    blocks = {"i": np.arange(-2048, -2048 + N)[:, None], "c": colors}
    body = rows(points + UTM, *(blocks[key] for key in layout))
    (tmp_path / "a.pts").write_text(f"{N}\r\n{body}")
    cloud = read_point_cloud(tmp_path / "a.pts")
    np.testing.assert_allclose(cloud.points, points + UTM, rtol=0, atol=1e-5)
    assert (cloud.colors is None) == ("c" not in layout)
    if "c" in layout:
        np.testing.assert_array_equal(cloud.colors, colors)
    assert cloud.notes == () and cloud.normals is None and cloud.sensors is None


def test_pts_with_several_clouds(tmp_path: Path, points: np.ndarray, colors: np.ndarray) -> None:
    block = f"{N}\n{rows(points, points[:, :1], colors)}"
    (tmp_path / "a.pts").write_text(block + "\n" + block)
    cloud = read_point_cloud(tmp_path / "a.pts")
    np.testing.assert_array_equal(cloud.points, np.vstack([points, points]))
    np.testing.assert_array_equal(cloud.colors, np.vstack([colors, colors]))


def test_pts_counts_are_checked(tmp_path: Path, points: np.ndarray) -> None:
    (tmp_path / "a.pts").write_text(f"{N + 1}\n{rows(points)}")
    with pytest.raises(ScanError, match=r"cut short: it declares 151 points and holds 150"):
        read_point_cloud(tmp_path / "a.pts")
    (tmp_path / "a.pts").write_text(f"{N - 1}\n{rows(points)}")
    assert "1 rows more than the 149" in read_point_cloud(tmp_path / "a.pts").notes[0]
    (tmp_path / "a.pts").write_text(f"{N}\n{rows(points, points[:, :2])}")
    with pytest.raises(ScanError, match=r"has 5 columns, not 3, 4, 6, 7"):
        read_point_cloud(tmp_path / "a.pts")
    (tmp_path / "a.pts").write_text(f"{N}\n{rows(points)}1 2 three\n")
    with pytest.raises(ScanError, match=r"cannot be read .*three"):
        read_point_cloud(tmp_path / "a.pts")


def ptx(local: np.ndarray, *more: np.ndarray, turn: np.ndarray, position: np.ndarray, columns: int = 10) -> str:
    """One PTX scan: points in the scanner's frame, its rotation (world = turn @ local) and its position."""
    axes = "".join(" ".join(map(str, axis)) + "\n" for axis in turn.T)
    matrix = np.vstack([np.column_stack([turn.T, np.zeros(3)]), [*position, 1.0]])
    text = "".join(" ".join(map(str, row)) + "\n" for row in matrix.tolist())
    origin = " ".join(map(str, position.tolist()))
    return f"{columns}\n{len(local) // columns}\n{origin}\n{axes}{text}{rows(local, *more)}"


@pytest.mark.parametrize("colored", [False, True])
def test_ptx_scans_are_transformed_and_have_sensor_positions(
    tmp_path: Path, points: np.ndarray, colors: np.ndarray, colored: bool
) -> None:
    local, intensity = points.copy(), np.full((N, 1), 0.5)
    local[[2, 40]] = 0.0
    more = (intensity, colors) if colored else (intensity,)
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    first = ptx(local, *more, turn=np.eye(3), position=np.zeros(3))
    second = ptx(local, *more, turn=turn, position=UTM)
    (tmp_path / "a.ptx").write_text(first + second + "\n")
    cloud = read_point_cloud(tmp_path / "a.ptx")
    kept = np.delete(points, [2, 40], axis=0)
    np.testing.assert_allclose(cloud.points, np.vstack([kept, kept @ turn.T + UTM]), rtol=0, atol=1e-9)
    np.testing.assert_array_equal(cloud.sensors, np.repeat([np.zeros(3), UTM], N - 2, axis=0))
    assert cloud.notes == tuple(f"scan {i}: dropped 2 of {N} rows without a return" for i in (0, 1))
    assert (cloud.colors is not None) == colored
    if cloud.colors is not None:
        np.testing.assert_array_equal(cloud.colors[: N - 2], np.delete(colors, [2, 40], axis=0))


def test_ptx_scans_with_and_without_color(tmp_path: Path, points: np.ndarray, colors: np.ndarray) -> None:
    pose = {"turn": np.eye(3), "position": np.ones(3)}
    gray = points[:, :1]
    (tmp_path / "a.ptx").write_text(ptx(points, gray, colors, **pose) + ptx(points, gray, **pose))
    cloud = read_point_cloud(tmp_path / "a.ptx")
    assert cloud.colors is None and cloud.notes == ("colors left out: scan 1 has none",)
    assert cloud.sensors is not None and (cloud.sensors == 1).all()


def test_a_damaged_ptx_says_where(tmp_path: Path, points: np.ndarray) -> None:
    whole = ptx(points, points[:, :1], turn=np.eye(3), position=np.zeros(3))
    cases = (
        (whole[: len(whole) - 200], "cannot be read|cut short"),
        (whole.rsplit("\r\n", 4)[0] + "\r\n", "scan 0 declares 150 rows and holds 147"),
        (whole + "1 2 3 4\n", "line 1 of the header of scan 1 is '1 2 3 4', not 1 number"),
        ("words\nformat\n", "line 1 of the header of scan 0 is 'words'"),
        (whole.replace("\r\n", " x\r\n", 1), "cannot be read"),
        ("10\n5\n", "line 3 of the header of scan 0 is ''"),
    )
    for text, message in cases:
        (tmp_path / "a.ptx").write_text(text)
        with pytest.raises(ScanError, match=message):
            read_point_cloud(tmp_path / "a.ptx")


@pytest.mark.open3d
@pytest.mark.parametrize(
    ("viewpoint", "position"),
    [
        ("1.5 -2 0.25 1 0 0 0", (1.5, -2.0, 0.25)),
        ("0 0 0 0 1 0 0", (0.0, 0.0, 0.0)),
        ("0 0 0 1 0 0 0", None),
        ("a b", None),
        ("", None),
    ],
)
def test_pcd_viewpoint(
    tmp_path: Path, points: np.ndarray, open3d: ModuleType, viewpoint: str, position: tuple[float, ...] | None
) -> None:
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    path = tmp_path / "a.pcd"
    open3d.io.write_point_cloud(str(path), cloud)
    content = path.read_bytes()
    written = b"VIEWPOINT 0 0 0 1 0 0 0\n"
    assert written in content
    path.write_bytes(content.replace(written, f"VIEWPOINT {viewpoint}\n".encode() if viewpoint else b""))
    read = read_point_cloud(path)
    np.testing.assert_allclose(read.points, points, atol=1e-6)
    if position is None:
        assert read.sensors is None and read.notes == ()
    else:
        np.testing.assert_array_equal(read.sensors, np.tile(position, (N, 1)))
        assert "VIEWPOINT" in read.notes[0]
