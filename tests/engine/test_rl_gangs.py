"""RL phases in a whole run: two gangs that start and stop together, split so that both keep up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate, simulate_built
from capsim.errors import StudyError
from capsim.spec.loader import load_study

RUN = "demand.training_runs.base-model"


def rows(table: dict[str, Any], gang: str) -> list[dict[str, Any]]:
    """The rows of one gang."""
    found = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    return [row for row in found if row["gang"] == gang]


def load(root: Path, *sets: str) -> Any:
    return load_study(root / "configs" / "quickstart.yaml", sets=sets)


def test_both_gangs_start_and_stop_together(root: Path) -> None:
    prepared = prepare(load(root, f"{RUN}.rl={{share: 40%}}", "uncertainty.rates=0%"), "big-cloud")
    built, _, _ = simulate_built(prepared, 0)
    assert built.ctx.cluster.check() == []
    result = simulate(prepared, 0)
    gangs = result.tables["gangs"]
    (pretraining,), trainers, rollouts = (rows(gangs, g) for g in ("pretraining", "RL trainer", "RL rollout"))
    assert len(trainers) == len(rollouts) == 1
    trainer, rollout = trainers[0], rollouts[0]
    assert trainer["start_ms"] == rollout["start_ms"] >= pretraining["finish_ms"]
    assert trainer["finish_ms"] == rollout["finish_ms"] > trainer["start_ms"]
    # the split is the one at which both gangs keep up on that system
    rate = prepared.rates.rl["base-model", trainer["system"]]
    chips = trainer["chips"] + rollout["chips"]
    assert trainer["chips"] / chips == pytest.approx(rate.split()[0], abs=0.1)
    # and its model FLOP are what the study's share of chip-time does on the reference system
    reference = prepared.rates.rl["base-model", "gb200_nvl72"]
    pretrain = prepared.rates.training["base-model", "gb200_nvl72"]
    share = prepared.rates.rl_work["base-model"] / reference.split()[1] / (6e25 / pretrain.flops)
    assert share == pytest.approx(0.40)
    work = dict(
        zip(result.tables["assignment"]["workload"], result.tables["assignment"]["work"], strict=True)
    )
    assert work["RL trainer"] + work["RL rollout"] == pytest.approx(prepared.rates.rl_work["base-model"])


def test_a_split_out_of_balance_takes_longer(root: Path) -> None:
    took = {}
    for name, value in (("balanced", "{share: 40%}"), ("trainers", "{share: 40%, trainer: 80%}")):
        gangs = simulate(prepare(load(root, f"{RUN}.rl={value}"), "big-cloud"), 0).tables["gangs"]
        (trainer,) = rows(gangs, "RL trainer")
        took[name] = (trainer["finish_ms"] - trainer["start_ms"]) if trainer["finish_ms"] >= 0 else 1e18
    assert took["trainers"] > 1.5 * took["balanced"]


def test_a_phase_of_one_gang_is_refused(root: Path) -> None:
    with pytest.raises(StudyError, match="chips in both gangs; write a share between 0 and 1"):
        load(root, f"{RUN}.rl={{share: 40%, trainer: 100%}}")


def test_rollouts_that_no_memory_holds_are_told(root: Path) -> None:
    rl = f"{RUN}.rl={{share: 40%, rollout: {{input_length: 1e9}}}}"
    (note,) = [text for text in prepare(load(root, rl), "big-cloud").warnings if "rollouts" in text]
    assert note.startswith(
        "big-cloud: no system holds the rollouts of base-model, its RL phase never starts: weights"
    )
    assert not [text for text in prepare(load(root), "big-cloud").warnings if "rollouts" in text]
