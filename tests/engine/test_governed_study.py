"""Tenants and orders of a study, on a trace of three campaigns whose schedule was computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate, simulate_built
from capsim.engine.work import ladder
from capsim.results.columns import canonical
from capsim.results.digest import run_digest
from capsim.results.schema import RunResult
from capsim.spec.loader import load_study
from capsim.tables import DONE

STUDY = """capsim: 1
name: governed
horizon: {start: 2026-01-01, end: 2026-01-08}
money: {discount_rate: 0%/y}
as_of: 2025-12-31
include: ["builtin:catalog"]
scheduler: {autoscale: 6 h, locality_penalty: 0%, training_share: 0%}
compare: {against: s}
offers:
  own: {provider: own, kind: cloud, status: live, chips: {gb200_nvl72: 100%}, quantity: {min: 72, max: 144, lot: 72},
        tranches: [{at: 2025-06-01, share: 100%, delivery: existing}], term: 5y, price: {per_chip_hour: $2.90/h},
        reliability: {failures_per_1000_chip_days: 0}}
strategies: {s: {hold: {own: 144}}}
uncertainty: {rates: 0%}
demand:
  scale: 1
  research:
    trace: jobs.csv
    repeat: false
    model: llama-3.1-70b
    precision: bf16
    systems: [gb200_nvl72]
    priority: 1
    checkpoint: {stall: 0 s, restart: 0 s}
    value_lost: $3/gb200e-h
"""
JOBS = "1,0,72,36000,a\n2,60,72,36000,a\n3,120,72,3600,b\n"
HOUR = 3600.0


def run(folder: Path, jobs: str, *sets: str, text: str = STUDY) -> RunResult:
    """One run of the study. Run times are those on a chip of this study: 1 s of work takes 1 s."""
    path, table = folder / "study.yaml", folder / "jobs.csv"
    path.write_text(text)
    table.write_text("job,submit,size,run,tenant\n1,0,72,1,a\n")
    probe, _, _ = simulate_built(prepare(load_study(path), "s"), 0)
    speed = probe.ctx.research_speed[0]
    rows = [line.split(",") for line in jobs.splitlines()]
    lines = [",".join([*row[:3], repr(float(row[3]) * speed), *row[4:]]) for row in rows]
    table.write_text("\n".join(["job,submit,size,run,tenant", *lines]) + "\n")
    return canonical(simulate(prepare(load_study(path, sets=list(sets)), "s"), 0))


def waits(result: RunResult) -> dict[str, Any]:
    """Mean wait of each tenant, seconds."""
    table = result.tables["tenants"]
    return {
        name: pytest.approx(wait * HOUR, abs=0.01)
        for name, wait in zip(table["tenant"], table["wait_mean_h"].tolist(), strict=True)
    }


def test_a_quota_makes_way_for_others(tmp_path: Path) -> None:
    """Two racks. Without limits a has both until 36,000; with a quota of one rack b starts at once, and a's
    second campaign when its first is over."""
    free = run(tmp_path, JOBS, "scheduler.tenants={}")
    assert waits(free) == {"a": 0.0, "b": 36_000 - 120}
    held = run(tmp_path, JOBS, "scheduler.tenants={a: {quota: 72, share: 2}}")
    assert waits(held) == {"a": (36_000 - 60) / 2, "b": 0.0}
    table = held.tables["tenants"]
    assert table["quota"].tolist() == [72, -1] and table["share"].tolist() == [2.0, 1.0]
    assert table["jobs"].tolist() == table["finished"].tolist() == [2, 1]
    chip_ms = [72 * 72_000_000, 72 * 3_600_000]
    assert table["chip_ms"].tolist() == pytest.approx(chip_ms, rel=1e-6)
    ratio = table["served"][0] / table["served"][1]  # of the same speed
    assert ratio == pytest.approx(72_000 / (36_000 + 71_940), rel=1e-6)
    assert waits(run(tmp_path, JOBS, "scheduler.others={max_running: 1}")) == waits(held)


@pytest.mark.parametrize("limit", ["max_running: 1", "max_chips: 72", "max_running: 9, max_chips: 143"])
def test_limits_of_all_campaigns(tmp_path: Path, limit: str) -> None:
    """Two racks, one campaign at a time: a's second follows its first at 36,000, b's that at 72,000."""
    held = run(tmp_path, JOBS, f"scheduler.limits={{campaigns: {{{limit}}}}}")
    assert waits(held) == {"a": (36_000 - 60) / 2, "b": 72_000 - 120}


def test_a_campaign_above_the_limit_runs_on_fewer_chips(tmp_path: Path) -> None:
    """144 chips for an hour become 72 chips for two."""
    result = run(tmp_path, "1,0,144,3600,a\n", "scheduler.limits={campaigns: {max_chips: 72}}")
    assert result.tables["tenants"]["chip_ms"].tolist() == pytest.approx([72 * 7_200_000], rel=1e-6)


def test_limits_of_named_runs_and_bursts(root: Path) -> None:
    """One gang of named runs at a time, and one burst: never more of each were begun and not over."""
    bursts = "{every: 6 h, jobs: 64, chips: 8, duration: 8 h, priority: 60, wait_target: 30 min}"
    sets = (
        "scheduler.limits={runs: {max_running: 1}, bursts: {max_running: 1}}",
        f"demand.research.evaluation={bursts}",
        "horizon.end=2026-10-01",
    )
    loaded = load_study(root / "configs" / "quickstart.yaml", sets=list(sets))
    built, _, _ = simulate_built(prepare(loaded, "big-cloud"), 0)
    cluster: Any = built.ctx.cluster
    assert cluster.check() == []
    own = np.array([job for jobs in built.evaluations.jobs.values() for job in jobs])
    runs = cluster.runs[own]
    began = runs[runs["start"] >= 0]
    ends = np.where(began["state"] == DONE, began["end"], built.ctx.end)
    order = np.argsort(began["start"], kind="stable")
    assert len(began) > 10 and np.all(began["start"][order][1:] >= ends[order][:-1])


def test_a_campaign_above_the_quota_runs_on_what_its_tenant_may_have(tmp_path: Path) -> None:
    """144 chips for an hour become 72 chips for two."""
    result = run(tmp_path, "1,0,144,3600,a\n", "scheduler.tenants={a: {quota: 72}}")
    assert result.tables["tenants"]["chip_ms"].tolist() == pytest.approx([72 * 7_200_000], rel=1e-6)


OLD = """  old: {provider: own, kind: cloud, status: live, chips: {h100_hgx: 100%}, quantity: {min: 64, max: 64, lot: 64},
        tranches: [{at: 2025-06-01, share: 100%, delivery: existing}], term: 5y, price: {per_chip_hour: $2/h},
        reliability: {failures_per_1000_chip_days: 0}}
"""
TWO = (
    STUDY.replace("strategies: {s: {hold: {own: 144}}}", OLD + "strategies: {s: {hold: {own: 144, old: 64}}}")
    .replace("systems: [gb200_nvl72]", "systems: [gb200_nvl72, h100_hgx]")
)  # fmt: skip


def test_quotas_by_system(tmp_path: Path) -> None:
    """a may have one of two racks, and 64 older chips: its second campaign starts there at once; without them, when
    its first is over, though a rack is free until b comes. Quotas of chips that nobody holds let nobody start."""
    jobs = "1,0,64,36000,a\n2,60,64,36000,a\n3,120,72,3600,b\n"
    found = run(tmp_path, jobs, "scheduler.tenants={a: {quota: {gb200_nvl72: 72, h100_hgx: 64}}}", text=TWO)
    assert waits(found) == {"a": 0.0, "b": 0.0}
    table = found.tables["quotas"]
    assert table["tenant"] == ["a", "a"] and table["system"] == ["gb200_nvl72", "h100_hgx"]
    assert table["quota"].tolist() == [72, 64]
    assert table["chip_ms"].sum() == found.tables["tenants"]["chip_ms"][0]
    assert (table["chip_ms"] > 0).all()
    assert found.tables["tenants"]["quota"].tolist() == [136, -1]
    one = run(tmp_path, jobs, "scheduler.tenants={a: {quota: {gb200_nvl72: 72}}}", text=TWO)
    assert waits(one) == {"a": pytest.approx((36_000 - 60) / 2, abs=0.01), "b": 0.0}
    gone = run(tmp_path, jobs, "scheduler.tenants={a: {quota: {h100_hgx: 64}}}")
    assert gone.tables["tenants"]["started"].tolist() == [0, 1]
    assert gone.tables["quotas"]["chip_ms"].tolist() == [0]


TRAINED = """  training_runs:
    - {name: RUN, tenant: lab, model: llama-3.1-70b, flops: 2e21, precision: bf16, chips: {min: 32, max: 64},
       systems: [gb200_nvl72, h100_hgx], earliest: 2026-01-01, target: 2026-01-07, priority: 100, slip_cost: $1/d,
       checkpoint: {stall: 1 s, restart: 1 min}}
"""


@pytest.mark.parametrize(
    ("quota", "chips"),
    [
        ("{gb200_nvl72: 144, h100_hgx: 64}", {"first": (0, 64), "second": (0, 61)}),
        ("{gb200_nvl72: 72, h100_hgx: 64}", {"first": (0, 64), "second": (1, 62)}),
        ("{gb200_nvl72: 31, h100_hgx: 40}", {"first": (1, 40), "second": (1, 40)}),
        ("{gb200_nvl72: 72}", {"first": (0, 64), "second": (0, 61)}),
    ],
)
def test_named_runs_go_where_their_quota_lets_them_in(
    tmp_path: Path, quota: str, chips: dict[str, tuple[int, int]]
) -> None:
    """Two racks of 72, of which a gang uses 64 each, and 64 older chips; a plan counts on 98 % of them. Both runs would
    rather be on the racks: the second goes to the older chips where the quota has no more of the racks, both do where it
    has too few for the least gang, and it waits for the first where the quota has racks alone."""
    first, second = (TRAINED.replace("RUN", name) for name in ("first", "second"))
    both = first + second.split("\n", 1)[1]
    path, table = tmp_path / "study.yaml", tmp_path / "jobs.csv"
    path.write_text(TWO.replace("  research:\n", both + "  research:\n"))
    table.write_text("job,submit,size,run,tenant\n1,0,8,1,a\n")
    sets = [
        f"scheduler.tenants={{lab: {{quota: {quota}}}}}",
        "scheduler.training_share=100%",
        "horizon.end=2026-02-01",
    ]
    built, _, _ = simulate_built(prepare(load_study(path, sets=sets), "s"), 0)
    jobs, runs = built.ctx.cluster.jobs, built.ctx.cluster.runs
    found = {name: state.jobs[0] for name, state in built.training.runs.items()}
    assert {name: (runs["pool"][job], runs["chips"][job]) for name, job in found.items()} == chips
    alone = chips["first"][0] != chips["second"][0] or "144" in quota
    assert (runs["start"][found["second"]] == runs["start"][found["first"]]) == alone
    assert jobs["tenant"][found["first"]] == jobs["tenant"][found["second"]]


def test_fair_share_between_tenants(tmp_path: Path) -> None:
    """One rack until 36,000 to a; then b goes first, which has used nothing. By priority it is a's turn."""
    jobs = "1,0,72,36000,a\n2,60,72,3600,a\n3,120,72,3600,b\n"
    one = "strategies.s.hold={own: 72}"
    fair = ("scheduler.order=fair-share", "scheduler.options={half_life: 0 s, recalculate: 0 s}")
    assert waits(run(tmp_path, jobs, one, *fair)) == {"a": (39_600 - 60) / 2, "b": 36_000 - 120}
    plain = run(tmp_path, jobs, one, "scheduler.tenants={}")
    assert waits(plain) == {"a": (36_000 - 60) / 2, "b": 39_600 - 120}
    sjf = run(tmp_path, jobs.replace("3,120,72,3600", "3,120,72,60"), one, "scheduler.order=sjf")
    assert sjf.tables["tenants"]["tenant"] == []


def test_a_rack_reserved_for_a_tenant(tmp_path: Path) -> None:
    """On 2 January, known from the start. a's first campaign (200,000 s) takes the other rack, its second
    would not be gone by then and starts when the day is over, at 172,800; b's, submitted at 80,000, starts when
    the day begins."""
    jobs = "1,0,72,200000,a\n2,60,72,100000,a\n3,80000,72,10000,b\n"
    day = "{offer: own, from: 2026-01-02, until: 2026-01-03, chips: 72, tenants: [b]}"
    found = run(tmp_path, jobs, f"scheduler.reservations=[{day}]")
    assert waits(found) == {"a": (172_800 - 60) / 2, "b": 86_400 - 80_000}
    table = found.tables["reservations"]
    assert (table["offer"], table["chips"].tolist()) == (["own"], [72])
    assert table["start_ms"].tolist() == [86_400_000] and table["end_ms"].tolist() == [172_800_000]
    assert table["reserved_chip_ms"].tolist() == [72 * 86_400_000]
    assert table["used_chip_ms"].tolist() == pytest.approx([72 * 10_000_000], rel=1e-6)
    assert run(tmp_path, jobs).tables["reservations"]["offer"] == []


def test_a_reservation_where_services_run(root: Path) -> None:
    """A rack of own-cluster is kept for a tenant; no replica is on it, and none is lost for it."""
    sets = (
        "scheduler.reservations=[{offer: own-cluster, from: 2026-03-01, until: 2026-03-15, chips: 72}]",
        "horizon.end=2026-06-01",
    )
    study = root / "configs" / "quickstart.yaml"
    built, _, _ = simulate_built(prepare(load_study(study, sets=list(sets)), "big-cloud"), 0)
    (kept,) = built.ctx.cluster.reservations()
    fortnight = 14 * 86_400_000
    assert len(kept.domains) == 1
    assert kept.used < 0.01 * kept.reserved, "only jobs that ran on past their estimates"
    assert 0.9 * 72 * fortnight < kept.idle <= kept.reserved == 72 * fortnight
    assert built.ctx.cluster.check() == []


def test_services_go_elsewhere_while_their_place_is_reserved(root: Path) -> None:
    """In the first fortnight of March all of own-cluster, where they would be, is kept for nobody."""
    sets = (
        "scheduler.reservations=[{offer: own-cluster, from: 2026-03-01, until: 2026-03-15, chips: 4608}]",
        "horizon.end=2026-04-01",
    )
    study = root / "configs" / "quickstart.yaml"
    held = []
    for some in (sets[1:], sets):
        built, _, _ = simulate_built(prepare(load_study(study, sets=list(some)), "big-cloud"), 0)
        assert [place.offer for place in built.ctx.places()] == ["own-cluster", "big-cloud"]
        replica_ms = built.autoscaler.held[73 * 4] - built.autoscaler.held[59 * 4]  # 1 to 15 March, by 6 h
        held.append(replica_ms[0].tolist())
    assert held[0][0] > 0 and held[0][1] == 0
    assert held[1] == [0, held[0][0]]


def test_without_the_section_nothing_is_different(tmp_path: Path) -> None:
    """The table has no rows, and rows alone change the digest."""
    plain, asked = run(tmp_path, JOBS), run(tmp_path, JOBS, "scheduler.tenants={}")
    assert plain.tables["tenants"]["tenant"] == []
    assert run_digest(plain) != run_digest(asked)
    asked.tables["tenants"] = plain.tables["tenants"]
    assert run_digest(plain) == run_digest(asked)


def test_a_governed_run_is_the_same_again(root: Path) -> None:
    loaded = load_study(root / "configs" / "quickstart.yaml", sets=[*RUNS, "scheduler.order=fair-share"])
    prepared = prepare(loaded, "big-cloud")
    first, again, other = (run_digest(canonical(simulate(prepared, number))) for number in (1, 1, 2))
    assert first == again != other


RUNS = (
    "scheduler.tenants={base-model: {quota: 9216, cohort: lab}, deep: {quota: 1024, cohort: lab},"
    " '2': {quota: 512, max_running: 20}}",
    "demand.research.tenants={count: 3, zipf: 1, names: [deep]}",
    "demand.research.campaigns=600",
    "scheduler.retries=2",
    "horizon.end=2027-01-01",
)


@pytest.mark.parametrize("order", ["priority", "drf", "las", "themis", "edf"])
def test_named_runs_and_research_share_a_cluster(root: Path, order: str) -> None:
    """Quotas are kept, campaigns that fail run three times, and the books agree."""
    loaded = load_study(root / "configs" / "quickstart.yaml", sets=[*RUNS, f"scheduler.order={order}"])
    built, recorder, _ = simulate_built(prepare(loaded, "big-cloud"), 0)
    cluster: Any = built.ctx.cluster
    assert cluster.check() == []
    jobs, runs = cluster.jobs, cluster.runs
    (gang,) = built.training.runs["base-model"].jobs[:1]
    assert jobs["tenant"][gang] == 3
    fates, campaigns = built.ctx.demand.campaigns["fate"], built.campaigns  # type: ignore[index]
    done = runs["state"][:campaigns] == DONE
    stopped = (runs["preemptions"][:campaigns] > 0) | (runs["restarts"][:campaigns] > 0)
    plain = np.flatnonzero(done & ~stopped & (jobs["size_max"][:campaigns] <= 64))
    one = jobs["run"][plain] * jobs["size_max"][plain] / runs["rate"][plain]
    attempts = runs["chip_time"][plain] / one
    assert attempts[fates[plain] == 1].mean() == pytest.approx(3.0, rel=0.02)
    assert attempts[fates[plain] != 1].mean() == pytest.approx(1.0, rel=0.02)
    # the ladder has what failed attempts did, but the last ones, as redone; those that are under way are in it too
    retried, work = cluster.pool_time()["retried"].sum(), recorder.work[-1].sum(axis=(0, 1))
    assert cluster.failed_time().sum() * 0.95 < retried < cluster.failed_time().sum() * 1.1
    assert ladder(built, recorder).totals()["redone"] == retried + work[1] + work[2]
