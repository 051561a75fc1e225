"""Random shells and chips bought for them: the ledger equals the obvious account of `naive_shell`."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from capsim.compile.calendar import MS_DAY
from capsim.compile.lots import Lot, Shell
from capsim.compile.prepare import Prepared
from capsim.control.world import Draws
from capsim.engine.billing import Ledger, book
from capsim.results.schema import CASH_LINES
from capsim.spec.contract_delivery import SupplierDefault
from capsim.spec.offers import Offer
from capsim.spec.strategies import Strategy
from capsim.spec.study import Study
from tests.engine.billing.deal_terms import date
from tests.engine.billing.naive_deal import DECAY, OPERATION
from tests.engine.billing.naive_shell import KW, PER_CHIP, PER_KW_MONTH, Site, site_account
from tests.studies import contract_only, lived, small_study

MS_TICK = MS_DAY // 4
FRAME = f"""
markets: {{m: {{start: $2/h, state: flat, volatility: 0%, regimes: {{flat: {{drift: 0%/y, leave: 0%/q}}}}}}}}
power_markets: {{here: {{mean: $50/MWh, volatility: 0%, reversion: 1/y}}}}
systems: {{gb300_nvl72: {{kw_per_chip: {KW}}}}}
strategies: {{s: {{}}}}
"""


@cache
def plain() -> Study:
    with TemporaryDirectory() as folder:
        return small_study(Path(folder), FRAME)


class World(Draws):
    """A world in which what happens to a site is what it says."""

    def __init__(self, prepared: Prepared, site: Site) -> None:
        super().__init__(prepared.study, prepared.calendar, 0)
        self.site = site

    def delay(self, item: Lot | Shell) -> int:
        return (self.site.late if isinstance(item, Shell) else self.site.chips_late) * MS_DAY

    def default(self, provider: str) -> float:
        at = self.site.default if provider == "landlord" else None
        return math.inf if at is None else at * MS_TICK

    def market(self, name: str) -> NDArray[np.float64]:
        return np.array(self.site.market)

    def power(self, name: str) -> NDArray[np.float64]:
        return np.array(self.site.power_price)


def passed(terms: tuple[float, float, float, bool] | None, kw: float | None = None) -> dict[str, Any]:
    """Keys of an offer that passes its power through, of a shell of so many kilowatts."""
    power: dict[str, Any] = {"site": "here"} | ({} if kw is None else {"it": f"{kw} kW"})
    if terms is None:
        return {"power": power}
    strike, load, pue, refund = terms
    through = {"strike": f"${strike}/MWh", "market": "here", "load": load, "refund": refund}
    return {"power": power | {"pue": pue}, "power_pass_through": through}


def shell_offer(site: Site) -> dict[str, Any]:
    """The shell in the words of a study."""
    found: dict[str, Any] = {
        "provider": "landlord",
        "kind": "powered_shell",
        "status": "signed",
        "hosts": ["gb300_nvl72"],
        "term": f"{site.term} d",
        "tranches": [{"at": date(0), "share": 1.0}],
        "price": {"per_kw_month": f"${PER_KW_MONTH}/kW-mo"},
        "termination": {"fee": site.fee, "notice": f"{site.notice * 6} h"},
        **passed(site.passed, site.kw),
    }
    if site.escalator is not None:
        found["escalator"] = {"rate": f"{site.escalator}/y"}
    least = {"share": site.least_share} if site.least_share else {"total": f"${site.least}"}
    return found | {"min_spend": {"per_year": f"${site.least_a_year}"} | least}


def chips_offer(site: Site) -> dict[str, Any]:
    """The chips in the words of a study."""
    count = sum(chips for _, chips in site.chips)
    return {
        "provider": "maker",
        "kind": "purchase",
        "status": "signed",
        "chips": {"gb300_nvl72": 1.0},
        "quantity": {"min": count, "max": count, "lot": 72},
        "tranches": [{"at": date(day), "share": chips / count} for day, chips in site.chips],
        "price": {"per_chip": f"${PER_CHIP}"},
        "market": "m",
        "needs_shell": True,
        "operating_share": OPERATION,
        "residual_per_year": DECAY,
        **passed(site.drawn),
    }


def ledger_of(site: Site) -> tuple[Ledger, Any]:
    """The ledger of a strategy that holds both, after their lives."""
    study = plain()
    held: dict[str, Any] = {"hold": {"shell": 1, "chips": "max"}}
    if site.exit is not None:
        held["terminate"] = {"shell": date(site.exit)}
    if site.sale is not None:
        day, share, discount, haircut = site.sale
        held["resell"] = [
            {"offer": "chips", "from": date(day), "share": share, "discount": discount, "haircut": haircut}
        ]
    offers = {
        "shell": Offer.model_validate(shell_offer(site)),
        "chips": Offer.model_validate(chips_offer(site)),
    }
    landlord = SupplierDefault.model_validate({"hazard": "1%/y"})
    update = {
        "offers": offers,
        "strategies": {"s": Strategy.model_validate(held)},
        "uncertainty": study.uncertainty.model_copy(update={"suppliers": {"landlord": landlord}}),
    }
    prepared = contract_only(study.model_copy(update=update))
    ctx = lived(prepared, draws=World(prepared, site))
    return book(ctx, {place.name: np.ones(24) for place in prepared.places}), ctx


POWER = st.none() | st.sampled_from([(0.0, 0.9, 1.3, False), (60.0, 1.0, 1.1, False), (60.0, 0.7, 1.0, True)])


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Any combination; what is decided by the day falls on no tick on which anything else happens."""
    ends = draw(st.sampled_from(["never", "never", "left", "defaulted"]))
    first, second = draw(st.integers(0, 300)), draw(st.integers(301, 690))
    sale = draw(st.none() | st.tuples(st.integers(20, 700), st.sampled_from([0.25, 0.5, 1.0])))
    late, chips_late = draw(st.sampled_from([0, 0, 45, 200])), draw(st.sampled_from([0, 0, 31, 150]))
    term = draw(st.sampled_from([150, 400, 731, 1000]))
    busy = {first + chips_late, second + chips_late, late, late + term}
    if sale is not None and sale[0] in busy:
        sale = None
    return Site(
        kw=draw(st.sampled_from([400.0, 905.5, 1800.0, 5000.0])),
        term=term,
        late=late,
        escalator=draw(st.none() | st.sampled_from([0.03, -0.05])),
        exit=draw(st.integers(5, 700)) if ends == "left" else None,
        notice=draw(st.sampled_from([2, 242])),
        fee=draw(st.sampled_from([0.0, 0.35, 1.0])),
        default=4 * draw(st.integers(5, 700)) + 1 if ends == "defaulted" else None,
        least_a_year=draw(st.sampled_from([0.0, 1e6])),
        least=draw(st.sampled_from([0.0, 4e6])),
        least_share=draw(st.sampled_from([0.0, 0.0, 0.6, 1.0])),
        passed=draw(POWER),
        chips=((first, draw(st.sampled_from([144, 288, 360]))), (second, draw(st.sampled_from([144, 360])))),
        chips_late=chips_late,
        drawn=draw(POWER),
        sale=None
        if sale is None
        else (*sale, draw(st.sampled_from([0.0, 0.2])), draw(st.sampled_from([0.0, 0.1]))),
        market=tuple(draw(st.lists(st.sampled_from([0.6, 0.9, 1.0, 1.3]), min_size=24, max_size=24))),
        power_price=tuple(
            draw(st.lists(st.sampled_from([-10.0, 30.0, 60.0, 95.0]), min_size=24, max_size=24))
        ),
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(site=sites())
def test_a_shell_and_its_chips_pay_the_obvious_account(site: Site) -> None:
    ledger, _ = ledger_of(site)
    for offer, expected in zip(("shell", "chips"), site_account(site), strict=True):
        for line in CASH_LINES:
            found = ledger.usd.get((offer, line), np.zeros(24))
            wanted = expected.lines.get(line, [0.0] * 24)
            assert found == pytest.approx(wanted, rel=1e-9, abs=1e-2), (offer, line)
        assert set(expected.lines) <= set(CASH_LINES)
