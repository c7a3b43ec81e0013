# SPDX-License-Identifier: MIT
"""The examples in the docstrings of the public interface run and give what they show."""

import doctest
from pathlib import Path

import pytest

import fastsdf


@pytest.mark.parametrize("name", fastsdf.__all__)
def test_every_public_name_has_an_example_that_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fastsdf.training.disc_targets.POOL_RANGE", (20_000, 40_000))  # seconds, not a better surface
    public = getattr(fastsdf, name)
    tests = [test for test in doctest.DocTestFinder(recurse=False).find(public, name, globs={}) if test.examples]
    assert tests, f"fastsdf.{name} has no example in its docstring"
    for test in tests:
        result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
        assert result.failed == 0 and result.attempted > 1
