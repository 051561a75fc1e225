"""A whole run whose research is the Philly trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate
from capsim.engine.simulate import simulate_built as built_of
from capsim.spec.loader import load_study
from tests.spec.test_traces import study


@pytest.mark.shared
def test_philly_is_the_research_of_a_study(shared: Path, tmp_path: Path) -> None:
    trace = shared / "traces" / "philly_sia.csv.gz"
    path = study(tmp_path, trace=str(trace))
    loaded = load_study(path, sets=["demand.research.scale={count: 0.2, chips: 8}"])
    prepared = prepare(loaded, "s")
    built, _, _ = built_of(prepared, 0)
    assert built.ctx.cluster.check() == []
    result = simulate(prepared, 0)
    sizes = result.tables["research"]
    assert sum(sizes["campaigns"]) == built.campaigns > 5_000
    # 93 % of the jobs ask for one GPU, eight chips here (built-in-study.md)
    assert sizes["campaigns"][sizes["size_class"].index("1-8")] / built.campaigns > 0.85
    assert sum(sizes["finished"]) > 0.5 * built.campaigns
    assert result.ladder["paid"] == sum(v for k, v in result.ladder.items() if k != "paid")
