"""A comparison on the real engine in a process of its own, for tests that kill it."""

from __future__ import annotations

import os
from pathlib import Path

from capsim.engine.simulate import simulate
from capsim.results.folder import open_folder
from capsim.results.reading import Results
from capsim.study.compare import compare
from capsim.study.setup import Setup


def compare_for_real(path: Path, setup: Setup, workers: int, resume: bool) -> Results:
    """Compare in the folder `path`."""
    with open_folder(path, setup.head("test") | {"code": "test"}, resume) as folder:
        return compare(setup.plan, folder, setup.prepared, simulate, workers=workers)


def compare_in_session(path: Path, setup: Setup, workers: int) -> None:
    """The same as the leader of a session, so that no signal reaches the test."""
    os.setsid()
    compare_for_real(path, setup, workers, resume=False)
