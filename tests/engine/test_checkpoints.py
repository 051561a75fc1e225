"""Checkpoints whose size follows from the parameters and whose time from the storage of the site."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsim.compile.checkpoints import checkpoint_times
from capsim.compile.checks import run_checks
from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate_built
from capsim.engine.work import named_runs
from capsim.spec.loader import Loaded, load_study

RUN = "demand.training_runs.base-model"


def load(root: Path, *sets: str) -> Loaded:
    return load_study(root / "configs" / "quickstart.yaml", sets=[f"{RUN}.checkpoint={{}}", *sets])


def test_llama_3_takes_three_seconds_at_two_terabytes_a_second(root: Path) -> None:
    """405.9e9 x 14 bytes = 5.7 TB -> 2.8 s at 2 TB/s (facts/reliability.yaml example_405b)."""
    study = load(root, f"{RUN}.model=llama-3.1-405b").study
    run = study.demand.training_runs[0]
    stall, restart = checkpoint_times(study, run.checkpoint, run.model, "own-cluster")
    assert stall == pytest.approx(2_840, rel=0.01)
    assert restart == 300_000 + stall
    assert checkpoint_times(study, study.demand.research.checkpoint, run.model, "own-cluster") == (
        20_000,
        900_000,
    )  # type: ignore[union-attr]


def test_slow_storage_costs_training_time(root: Path) -> None:
    effective = {}
    for bandwidth in ("20 TB/s", "50 GB/s"):
        loaded = load(root, f"storage={bandwidth}")
        built, _, _ = simulate_built(prepare(loaded, "big-cloud"), 0)
        (named,) = named_runs(built)
        cluster = built.ctx.cluster
        job = cluster.jobs[named.state.jobs[0]]
        size = 14 * float(loaded.study.models["moe-2t-a110b"].params_b_total)  # GB
        stall = round(size / float(loaded.study.storage) * 1e3)
        row = cluster._s.classes[job["cls"]]
        assert (row["stall"], row["restart"]) == (stall, 300_000 + stall)
        effective[bandwidth] = named.ettr
    assert effective["50 GB/s"] < effective["20 TB/s"] - 0.02


def test_an_offer_may_say_how_fast_its_storage_is(root: Path) -> None:
    study = load(root, "offers.own-cluster.storage=500 GB/s").study
    run = study.demand.training_runs[0]
    slow, fast = (
        checkpoint_times(study, run.checkpoint, run.model, o)[0] for o in ("own-cluster", "big-cloud")
    )
    assert slow == 4 * fast


def test_the_check_prints_what_the_storage_decides(root: Path) -> None:
    texts = [finding.text for finding in run_checks(load(root), ["checkpoints"])]
    assert len(texts) == 1
    assert "base-model: a checkpoint of 28 TB takes 14 s" in texts[0] and "assumed" in texts[0]
