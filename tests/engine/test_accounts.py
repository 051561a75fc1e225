"""Chip-time closes in integers: what was paid is productive or in exactly one named loss, offer by offer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from capsim.engine.figures import compute_figures
from capsim.engine.simulate import simulate_built
from capsim.engine.summary import summarise
from capsim.results.columns import column_type
from capsim.results.schema import LADDER
from capsim.study.setup import Request, set_up

STRATEGIES = ("big-cloud", "new-cloud", "wait")


@pytest.fixture(scope="module", params=STRATEGIES)
def finished(request: pytest.FixtureRequest) -> Any:
    setup = set_up(Request("quickstart", strategies=(request.param,), against=request.param))
    run, recorder, events = simulate_built(setup.prepared[request.param, "base"], 2)
    return run, recorder, summarise(run, recorder, 2, events)


def test_the_kernels_own_accounts_close(finished: Any) -> None:
    run, recorder, _ = finished
    last = {name: column[-1] for name, column in recorder.sites.items()}
    allocated, work = recorder.kinds[-1].sum(axis=1), recorder.work[-1].sum(axis=1)
    # active = out + barred + broken + free + spare + allocated; allocated = the parts of WORK
    parts = last["out"] + last["barred"] + last["broken"] + last["free"] + last["spare"] + allocated
    assert last["active"].tolist() == parts.tolist()
    assert allocated.tolist() == work.sum(axis=1).tolist()
    # productive is not what is left over: it is the useful and the unfinished work that the kernel counted
    ladder = compute_figures(run, recorder).ladder
    assert ladder.productive.tolist() == (work[:, 0] + work[:, 3]).tolist()


def test_every_offer_closes_and_the_offers_sum_to_the_run(finished: Any) -> None:
    _, _, result = finished
    table = result.tables["chip_time"]
    assert all(type(value) is int for rung in LADDER for value in table[f"{rung}_ms"])
    assert {column_type(f"{rung}_ms") for rung in LADDER} == {"whole"}
    rungs = np.array([table[f"{rung}_ms"] for rung in LADDER])
    assert (rungs >= 0).all()
    assert rungs[0].tolist() == rungs[1:].sum(axis=0).tolist()
    assert rungs.sum(axis=1).tolist() == [result.ladder[rung] for rung in LADDER]
    assert rungs[0].sum() > 0


def test_what_was_paid_is_the_chips_on_site(finished: Any) -> None:
    run, _, result = finished
    table = result.tables["chip_time"]
    for offer, paid in zip(table["offer"], table["paid_ms"], strict=True):
        lots = [lot for lot in run.ctx.prepared.portfolio.lots if lot.offer == offer]
        states = [run.ctx.lots[lot.key] for lot in lots]
        there = sum(
            lot.chips * ((state.ended if state.ended >= 0 else run.ctx.end) - state.delivered)
            for lot, state in zip(lots, states, strict=True)
            if state.delivered >= 0
        )
        assert paid == there


def test_years_sum_to_the_run(finished: Any) -> None:
    _, _, result = finished
    owed, exposure = result.tables["owed"], result.tables["exposure"]
    late = ("salvage", "undrawn")
    cash = result.tables["cash"]
    paid = sum(u for u, line in zip(cash["usd"], cash["line"], strict=True) if line not in late)
    assert sum(owed["payments"]) == pytest.approx(paid, rel=1e-12)
    for year, usd in zip(owed["year"], owed["owed_if_stopped"], strict=True):
        mine = [o for y, o in zip(exposure["year"], exposure["owed"], strict=True) if y == year]
        assert sum(mine) == pytest.approx(usd)
    # the base fleet of 4,608 is there at every year's end
    own = [c for p, c in zip(exposure["provider"], exposure["chips"], strict=True) if p == "own"]
    assert own == [4608] * len(owed["year"])
