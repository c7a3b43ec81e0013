# SPDX-License-Identifier: MIT
"""Skips the tests that need Open3D if it cannot be loaded, and shares one tiny fit between tests.

Idle OpenMP threads sleep, as in the command line.
"""

import os
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from fastsdf.errors import InputError
from fastsdf.system.open3d_library import load_open3d

if TYPE_CHECKING:
    from fastsdf import FittedField

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@cache
def _open3d_problem() -> str:
    """The reason why Open3D cannot be loaded, or an empty string."""
    try:
        load_open3d()
    except InputError as error:
        return str(error)
    return ""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test that uses the fixture ``open3d``, directly or through another fixture."""
    for item in items:
        if "open3d" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.open3d)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips tests marked ``open3d`` before their fixtures are created."""
    if item.get_closest_marker("open3d") and _open3d_problem():
        pytest.skip(_open3d_problem())


@pytest.fixture(scope="session")
def open3d() -> ModuleType:
    """The module ``open3d``."""
    return load_open3d()


@pytest.fixture(scope="session")
def tiny_fit() -> "FittedField":
    """The room of `tests.helpers.tiny_room`, fitted in seconds."""
    import fastsdf
    from tests.helpers.tiny_room import SETTINGS, coloured_room

    cloud = coloured_room()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastsdf.training.disc_targets.POOL_RANGE", (4000, 8000))
        return fastsdf.fit(cloud, "smoke", **SETTINGS)
