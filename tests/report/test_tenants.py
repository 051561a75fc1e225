"""The table of tenants: means over runs, shares that sum to 1, Jain's index of each run."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from capsim.report.tenants import fairness, jain_of_runs, quota_lines, reservation_lines, tenants_table
from capsim.results.reading import Results

NUMBERS = ("wait_mean_h", "wait_p50_h", "wait_p95_h", "slowdown_mean")


class Stored:
    """Results of two runs of two tenants."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        names = ("run", "tenant", "share", "quota", "jobs", "finished", "chip_ms", "served", *NUMBERS)
        filled = [(*row, *(float(row[1] == "b"),) * 4) for row in rows]
        self.columns = {
            name: np.array([row[i] for row in filled], dtype=object if name == "tenant" else None)
            for i, name in enumerate(names)
        }

    def table(self, name: str, case: str, strategy: str) -> dict[str, Any]:
        """The table of tenants."""
        assert name == "tenants"
        return self.columns


def text(rows: list[tuple[Any, ...]]) -> str:
    return "\n".join(line.text for line in tenants_table(cast(Results, Stored(rows)), "s", "base", 120))


def test_tenants_by_chip_time() -> None:
    rows = [
        (0, "a", 1.0, 64, 10, 10, 100, 0.5), (0, "b", 3.0, -1, 4, 2, 200, 1.0),
        (1, "a", 1.0, 64, 20, 10, 100, 1.0), (1, "b", 3.0, -1, 4, 2, 600, 1.0),
    ]  # fmt: skip
    found = text(rows).splitlines()
    assert found[2].split() == ["b", "75.0", "-", "4", "50", "80.0", "1.0", "1.0", "1.0", "1.00"]
    assert found[3].split()[:7] == ["a", "25.0", "64", "15", "67", "20.0", "0"]
    index = (1.5**2 / (2 * 1.25) + 1.0) / 2
    assert f"Jain's index over the tenants {index:.3f}" in found[4]
    assert jain_of_runs(Stored(rows).columns) == pytest.approx(index)


def test_how_evenly_tenants_fared() -> None:
    """b waits an hour in each run, a not at all."""
    rows = [(0, "a", 1.0, -1, 1, 1, 1, 1.0), (0, "b", 1.0, -1, 1, 1, 1, 0.5), (1, "b", 1.0, -1, 1, 1, 1, 0.5)]
    assert fairness(cast(Results, Stored(rows)), "s", "base") == {
        "jain_tenants": pytest.approx((1.5**2 / (2 * 1.25) + 1.0) / 2),
        "worst_tenant": "b",
        "worst_wait_mean_h": 1.0,
    }
    assert fairness(cast(Results, Stored([])), "s", "base") is None


def test_quotas_by_system() -> None:
    """Two runs: a had 30 and 10 of 100 chip-ms of gb200, all of h100."""

    class Quotas:
        def table(self, name: str, case: str, strategy: str) -> dict[str, Any]:
            assert name == "quotas"
            tenants = np.array(["a", "b", "a", "a"], dtype=object)
            systems = np.array(["gb200", "gb200", "h100", "gb200"], dtype=object)
            chip_ms = np.array([30, 60, 5, 10])
            return {"tenant": tenants, "system": systems, "quota": np.array([8, 4, 2, 8]), "chip_ms": chip_ms}

    (line,) = quota_lines(cast(Results, Quotas()), "s", "base", 200)
    assert line.text.split(maxsplit=1)[1] == (
        "a: 8 of gb200, 40 % of what these had | b: 4 of gb200, 60 % of what these had |"
        " a: 2 of h100, 100 % of what these had"
    )


def test_what_came_of_reservations() -> None:
    class Kept:
        def table(self, name: str, case: str, strategy: str) -> dict[str, Any]:
            """Two runs of one reservation."""
            assert name == "reservations"
            whole = {"start_ms": 5, "chips": 72, "reserved_chip_ms": 100, "used_chip_ms": 30}
            columns = {key: np.array([value, value]) for key, value in whole.items()}
            texts = {"offer": ["own", "own"], "system": ["gb200_nvl72"] * 2}
            return columns | texts | {"idle_chip_ms": np.array([60, 80])}

    lines = reservation_lines(cast(Results, Kept()), "s", "base", 120)
    assert lines[0].text.split("Reserved")[1].strip() == "72 chips of own (gb200_nvl72) 30 % used, 70 % idle"


def test_many_tenants_and_none() -> None:
    rows = [(0, str(i), 1.0, -1, 1, 1, 1, 1.0) for i in range(15)]
    assert "and 3 more tenants" in text(rows)
    assert text([]) == ""
