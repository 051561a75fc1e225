"""Demand of a world: levels, shapes, fates, estimates; keyed, so common to all strategies."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import numpy as np
import pytest

from capsim.compile.calendar import Calendar
from capsim.control.world import draw_demand
from capsim.spec.demand import Research
from capsim.spec.loader import load_study
from capsim.spec.study import Study
from capsim.spec.values import Value
from capsim.workload.demand import (
    MS_HOUR,
    expected_sizes,
    log_linear,
    lognormal_sigma,
    research_campaigns,
)


@pytest.fixture(scope="module")
def lab(root) -> Study:  # type: ignore[no-untyped-def]
    return load_study(root / "configs" / "frontier-lab.yaml").study


@pytest.fixture(scope="module")
def calendar(lab: Study) -> Calendar:
    return Calendar(lab.horizon.start, lab.horizon.end, float(lab.money.discount_rate))


def test_log_linear_is_geometric_between_dates() -> None:
    points = {date(2026, 1, 1): 100.0, date(2026, 1, 3): 400.0}
    at = np.array([-1, 0, 24, 48, 100]) * MS_HOUR
    assert log_linear(points, date(2026, 1, 1), at) == pytest.approx([100, 100, 200, 400, 400])


def test_lognormal_sigma_from_p99(lab: Study) -> None:
    # p99 / median = exp(2.3263 sigma): 24 h over 1 h gives 1.3661
    from capsim.spec.demand import Lognormal

    spec = Lognormal.model_validate({"median": "1 h", "p99": "24 h"})
    assert lognormal_sigma(spec) == pytest.approx(1.3661, abs=1e-4)


def test_offered_research_follows_the_capacity_of_the_study(lab: Study, calendar: Calendar) -> None:
    research = lab.demand.research
    assert research is not None
    quiet = lab.model_copy(update={"uncertainty": lab.uncertainty.model_copy(update={"demand": None})})
    offered = np.zeros(5)
    worlds = 3
    years = np.array([calendar.ms(date(y, 1, 1)) for y in range(2026, 2031)] + [calendar.end_ms])
    for run in range(worlds):
        c = draw_demand(quiet, calendar, run).campaigns
        assert c is not None
        work = c["chips"].astype(float) * c["run"] / MS_HOUR
        offered += np.histogram(c["submit"], bins=years, weights=work)[0] / worlds
    hours = np.diff(years) / MS_HOUR
    middle = years[:-1] + np.diff(years) // 2
    wanted = (
        log_linear(research.capacity, calendar.start, middle)
        * (1 - float(research.sub_node))
        * float(lab.demand.scale)
    )
    assert offered / hours == pytest.approx(wanted, rel=0.15)


def test_expected_sizes_are_those_that_are_drawn(lab: Study, calendar: Calendar) -> None:
    research = lab.demand.research
    assert isinstance(research, Research)
    hours = calendar.end_ms // MS_HOUR
    sizes, work = expected_sizes(research, calendar.start, hours, 1.0)
    assert work.sum() == pytest.approx(1.0) and sizes.shape == work.shape == (len(research.chips), hours)
    drawn = research_campaigns(research, calendar.start, hours, 1.0, np.ones(hours), ("a world",))
    for hour in (100, hours // 2, hours - 100):  # the largest that is drawn is the table's largest, as scaled
        near = np.abs(drawn["submit"] // MS_HOUR - hour) < 300
        assert drawn["chips"][near].max() == pytest.approx(sizes[-1, hour], rel=0.1)


@pytest.mark.parametrize("start", [date(2026, 1, 1), date(2026, 1, 3), date(2026, 1, 5)])
@pytest.mark.parametrize("hours", [24, 96, 169, 170, 800])
def test_sizes_follow_the_submissions_of_the_week_about_an_hour(lab: Study, start: date, hours: int) -> None:
    """Work per campaign = capacity over the mean submissions of the week about it that is inside the horizon."""
    assert isinstance(lab.demand.research, Research)
    capacity = {start: Value(9e6), start + timedelta(days=40): Value(15e6)}
    spec = lab.demand.research.model_copy(update={"capacity": capacity, "campaigns": hours})
    submitted = []
    for hour in range(hours):
        now = datetime.combine(start, time()) + timedelta(hours=hour)
        rate = float(spec.campaigns_growth) ** (hour / (hours - 1))
        rate *= 1.0 + float(spec.weekend) if now.weekday() in (5, 6) else 1.0
        rate *= 1.0 if 8 <= now.hour < 20 else 1.0 + float(spec.night)
        submitted.append(rate)
    submitted = [rate * hours / sum(submitted) for rate in submitted]
    sizes, _ = expected_sizes(spec, start, hours, 1.0)
    scaled = sizes[-1] / max(spec.chips)
    for hour in range(hours):
        first = min(max(hour - 84, 0), max(hours - 169, 0))
        mean = sum(submitted[first : first + 169]) / len(submitted[first : first + 169])
        wanted = 9e6 * (15 / 9) ** (hour / 960)
        if hour == 0:
            unit = scaled[0] / (wanted / mean)
        assert scaled[hour] == pytest.approx(unit * wanted / mean, rel=1e-4)


def test_fewer_campaigns_are_larger_ones(lab: Study, calendar: Calendar) -> None:
    research = lab.demand.research
    assert isinstance(research, Research)
    fewer = research.model_copy(update={"campaigns": int(research.campaigns) // 10})
    sizes, fewer_sizes = (expected_sizes(r, calendar.start, 1000, 0.5)[0] for r in (research, fewer))
    assert fewer_sizes[-1] == pytest.approx(10 * sizes[-1], abs=44)  # both are rounded to 8 chips


def test_fates_take_their_share_of_campaigns_and_chip_time(lab: Study, calendar: Calendar) -> None:
    research = lab.demand.research
    c = draw_demand(lab, calendar, 1).campaigns
    assert research is not None and c is not None
    work = c["chips"].astype(float) * c["run"]
    failed, cancelled = c["fate"] == 1, c["fate"] == 2
    assert failed.mean() == pytest.approx(float(research.fates.failed), abs=0.01)
    assert cancelled.mean() == pytest.approx(float(research.fates.cancelled), abs=0.01)
    # run times are cut at 30 days, which takes most from the long cancelled ones
    assert work[failed].sum() / work.sum() == pytest.approx(float(research.fates.failed_chip_time), abs=0.08)
    assert work[cancelled].sum() / work.sum() > 0.35


def test_estimates_are_upper_bounds_and_submissions_sorted(lab: Study, calendar: Calendar) -> None:
    c = draw_demand(lab, calendar, 0).campaigns
    assert c is not None
    assert len(c["submit"]) == 300_000
    assert (c["requested"] >= c["run"]).all()
    assert (np.diff(c["submit"]) >= 0).all()
    assert (c["chips"] % 8 == 0).all() and c["chips"].min() >= 8
    assert c["tenant"].max() == 23


def test_a_service_has_its_daily_peak_and_its_weekend(lab: Study, calendar: Calendar) -> None:
    quiet = lab.model_copy(update={"uncertainty": lab.uncertainty.model_copy(update={"demand": None})})
    chat = draw_demand(quiet, calendar, 0).tokens[0]
    days = chat[: len(chat) // 24 * 24].reshape(-1, 24)
    ratio = np.median(days.max(axis=1) / days.mean(axis=1))
    assert ratio == pytest.approx(float(lab.demand.inference[0].shape.peak), rel=0.01)
    weekday = (calendar.start.weekday() + np.arange(len(days))) % 7
    first = days[:365].mean(axis=1)
    weekend, work = first[weekday[:365] >= 5].mean(), first[weekday[:365] < 5].mean()
    assert weekend / work == pytest.approx(0.88, abs=0.02)


def test_the_same_run_is_the_same_world_and_another_is_not(lab: Study, calendar: Calendar) -> None:
    a, b, other = (draw_demand(lab, calendar, run) for run in (4, 4, 5))
    assert np.array_equal(a.tokens, b.tokens) and a.run_shift == b.run_shift
    assert not np.array_equal(a.tokens, other.tokens)
