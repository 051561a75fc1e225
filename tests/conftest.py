"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared truth and traces beside the checkout; skips with a reason where they are absent.

    With ``CAPSIM_REQUIRE_SHARED=1`` (continuous integration) their absence is a failure.
    """
    path = Path(os.environ.get("CAPSIM_SHARED", str(ROOT.parent / "shared")))
    if not (path / "truth").is_dir():
        reason = f"shared truth is not at {path} (set CAPSIM_SHARED to its folder)"
        if os.environ.get("CAPSIM_REQUIRE_SHARED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
