"""Evaluation bursts run beside the named runs, and only beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from capsim.compile.prepare import RESEARCH
from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate, simulate_built
from capsim.spec.loader import load_study

HOUR = 3_600_000
BURSTS = (
    "demand.research.evaluation={every: 6 h, jobs: 64, chips: 8, duration: 20 min, priority: 60, "
    "wait_target: 30 min}"
)


def test_bursts_follow_the_run_that_trains(root: Path) -> None:
    loaded = load_study(root / "configs" / "quickstart.yaml", sets=[BURSTS])
    prepared = prepare(loaded, "big-cloud")
    built, _, _ = simulate_built(prepared, 0)
    assert built.ctx.cluster.check() == []
    jobs, runs = built.ctx.cluster.jobs, built.ctx.cluster.runs
    mine = built.evaluations.jobs["base-model"]
    (state,) = built.training.runs.values()
    assert np.all(jobs["submit"][mine] % (6 * HOUR) == 0)
    assert jobs["submit"][mine].min() >= runs["start"][state.jobs[0]]
    stop = state.finish if state.finish >= 0 else built.ctx.end
    assert jobs["submit"][mine].max() <= stop
    assert {int(kind) for kind in built.ctx.cluster._s.classes["kind"][jobs["cls"][mine]]} == {RESEARCH}
    sizes = runs["chips"][mine][runs["start"][mine] >= 0]
    assert sizes.min() >= 8 and sizes.max() == 512
    table = simulate(prepared, 0).tables["evaluation"]
    assert table["name"] == ["base-model"] and table["bursts"] == [len(mine)]
    assert 0.5 < table["within_target"][0] <= 1.0


def test_without_bursts_nothing_changes(root: Path) -> None:
    plain = prepare(load_study(root / "configs" / "quickstart.yaml"), "big-cloud")
    result = simulate(plain, 0)
    assert result.tables["evaluation"]["name"] == []
