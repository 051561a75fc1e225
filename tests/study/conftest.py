"""Fixtures of comparisons: made-up results in a run folder."""

from __future__ import annotations

import pytest
from comparing import compare_in

from capsim.results.reading import Results


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A finished comparison of the made-up menu, 12 runs."""
    return compare_in(tmp_path_factory.mktemp("runs") / "done", runs=12)
