"""Services over regions: own chips first, spill-over at a price, evenings of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsim.compile.checks import run_checks
from capsim.compile.regions import routed, within
from capsim.control.world import draw_demand
from capsim.engine.build import Run
from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate, simulate_built
from capsim.engine.statement import simulated_statements
from capsim.engine.statement_items import ROUNDING
from capsim.spec.loader import load_study

STUDY = """capsim: 1
name: regions
horizon: {start: 2026-01-01, end: 2026-02-01}
money: {discount_rate: 0%/y}
as_of: 2025-12-31
include: ["builtin:catalog"]
scheduler: {autoscale: 6 h, locality_penalty: 0%}
compare: {against: s}
offers:
  home: &offer
    {provider: own, kind: cloud, status: live, chips: {gb200_nvl72: 100%}, quantity: {min: 72, max: 720, lot: 72},
     tranches: [{at: 2025-06-01, share: 100%, delivery: existing}], term: 5y, price: {per_chip_hour: $2.90/h}, region: us-east}
  north:
    {provider: own, kind: cloud, status: live, chips: {gb200_nvl72: 100%}, quantity: {min: 72, max: 720, lot: 72},
     tranches: [{at: 2025-06-01, share: 100%, delivery: existing}], term: 5y, price: {per_chip_hour: $2.90/h}, region: eu}
strategies: {s: {hold: {home: 720, north: 72}}}
demand:
  scale: 1
  training_runs:
    - {name: later, model: llama-3.1-70b, flops: 1e22, precision: bf16, chips: {min: 72, max: 72}, systems: [gb200_nvl72],
       earliest: 2026-01-30, target: 2026-01-31, priority: 1, slip_cost: $1/d, checkpoint: {stall: 1 s, restart: 1 min}}
  inference:
    - name: chat
      model: llama-3.1-70b
      tokens: {2026-01: 100G}
      input_length: 1000
      output_length: 500
      cache_hit: 0%
      precision: fp8
      shape: {peak: 1.5, weekend: 0%}
      slo: {ttft: {p95: 2 s}, tpot: {p95: 50 ms}}
      systems: [gb200_nvl72]
      priority: 50
      value_lost: $1/Mtok
      headroom: 10%
"""
CHAT = "demand.inference.chat"
TWO = f"{CHAT}.regions={{us: {{share: 25%, peak_hour: 2}}, eu: {{share: 75%, peak_hour: 14}}}}"
SPILL = f"{CHAT}.spill={{latency: 90 ms, egress: $0.10/Mtok}}"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.replace("home: &offer", "home:"))
    return path


def built_of(study: Path, *sets: str) -> Run:
    return simulate_built(prepare(load_study(study, sets=sets), "s"), 0)[0]


def held(run: Run) -> dict[tuple[str, str], float]:
    """Mean replicas by service and offer."""
    names = [service.name for service in run.ctx.prepared.study.demand.inference]
    mean = run.autoscaler.held[-1] / run.ctx.end
    places = run.ctx.places()
    return {(n, p.offer): float(mean[i, j]) for i, n in enumerate(names) for j, p in enumerate(places)}


def test_a_region_covers_its_parts() -> None:
    assert within("us-east", "us") and within("us", "us")
    assert not within("use", "us") and not within(None, "us") and not within("us", "us-east")


def test_replicas_stand_in_their_regions(study: Path) -> None:
    found = held(built_of(study, TWO))
    assert found["chat@us", "home"] > 0 and found["chat@eu", "north"] > 0
    assert found["chat@us", "north"] == found["chat@eu", "home"] == 0


def test_what_is_short_spills_over_at_a_price(study: Path) -> None:
    """72 chips in the north are too few for three quarters of the demand; the 720 at home help."""
    sets = (TWO, f"{CHAT}.tokens={{2026-01: 300G}}")
    alone = simulate(prepare(load_study(study, sets=sets), "s"), 0)
    prepared = prepare(load_study(study, sets=(*sets, SPILL)), "s")
    helped, run = simulate(prepared, 0), simulate_built(prepared, 0)[0]
    assert helped.metrics["tokens_unmet"] < alone.metrics["tokens_unmet"]
    replicas = held(run)
    assert replicas["chat@eu", "home"] > 100 > 1 > replicas["chat@us", "north"]
    assert alone.cash_npv["egress"] == 0.0
    served = dict(
        zip(helped.tables["services"]["name"], helped.tables["services"]["tokens_served"], strict=True)
    )
    assert 0 < helped.cash_npv["egress"] < served["chat@eu"] / 1e6 * 0.10
    assert sum(helped.cash_npv.values()) == pytest.approx(helped.metrics["cash_npv"])
    # replicas for requests from far away keep a shorter time to the first token
    rates = prepared.rates
    assert rates.spilled["chat@eu", "gb200_nvl72"].tokens <= rates.services["chat@eu", "gb200_nvl72"].tokens


def test_tokens_of_other_regions_stand_in_the_statement_at_each_price(study: Path) -> None:
    """No chips in the EU: three quarters of 10G tokens a day for 31 days, 232,500 Mtok, are served at home."""
    text = study.read_text()
    other = text[text.index("    - name: chat") :].replace("name: chat", "name: other")
    study.write_text(text + other)
    sets = [f"demand.inference.{name}.tokens={{2026-01: 10G}}" for name in ("chat", "other")]
    sets += [TWO, TWO.replace("chat", "other"), SPILL, SPILL.replace("chat", "other").replace("0.10", "0.02")]
    sets += ["strategies.s.hold={home: 720}"]
    prepared = prepare(load_study(study, sets=sets), "s")
    (found,) = simulated_statements(prepared, 0, "home")
    services = simulate(prepared, 0).tables["services"]
    served = dict(zip(services["name"], services["tokens_served"], strict=True))
    lines = [item for item in found.items if item.line == "egress" and item.what != ROUNDING]
    assert [(i.month, i.tranche, i.unit, i.price) for i in lines] == [
        ("2026-01", "chat@eu", "Mtok", 0.10), ("2026-01", "other@eu", "Mtok", 0.02),
    ]  # fmt: skip
    for item in lines:
        assert item.quantity == pytest.approx(served[item.tranche] / 1e6, rel=1e-6)
        assert item.quantity == pytest.approx(232_500, rel=0.03)  # the first replicas load, launches vary
    assert found.by_line()["egress"] == pytest.approx(sum(item.amount for item in lines), abs=0.011)


def test_the_regions_share_the_demand_and_have_evenings_of_their_own(study: Path) -> None:
    loaded = load_study(study, sets=[TWO])
    calendar: Any = prepare(loaded, "s").calendar
    whole = draw_demand(load_study(study).study, calendar, 0).tokens[0]
    us, eu = draw_demand(routed(loaded.study), calendar, 0).tokens
    assert us.mean() == pytest.approx(0.25 * whole.mean()) and eu.mean() == pytest.approx(0.75 * whole.mean())
    assert np.argmax(us[:24]) == 2 and np.argmax(eu[:24]) == 14


def test_a_region_without_demand_is_no_service(study: Path) -> None:
    none = f"{CHAT}.regions={{us: {{share: 100%}}, eu: {{share: 0%}}}}"
    assert [s.name for s in routed(load_study(study, sets=[none]).study).demand.inference] == ["chat@us"]


def test_a_study_without_regions_is_itself(study: Path) -> None:
    plain = load_study(study).study
    assert routed(plain) is plain
    one = load_study(study, sets=[f"{CHAT}.regions={{us: {{share: 100%}}}}"]).study
    assert routed(one) is one


def test_checks_name_regions_without_places_and_shares(study: Path) -> None:
    texts = [f.text for f in run_checks(load_study(study, sets=[TWO.replace("75%", "70%")]), ["shares-sum"])]
    assert any("the shares of regions sum to 0.95" in text for text in texts)
    asia = f"{CHAT}.regions={{us: {{share: 50%}}, asia: {{share: 50%}}}}"
    texts = [f.text for f in run_checks(load_study(study, sets=[asia]), ["placement"])]
    assert any("s holds no place in asia for chat" in text for text in texts)
    assert not run_checks(load_study(study, sets=[asia, SPILL]), ["placement"])
