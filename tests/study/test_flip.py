"""Where two strategies swap: known roots, intervals that hold them, no flip, jumps; and a real study."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsim.errors import CapsimError, InputError
from capsim.spec.knobs import knob
from capsim.spec.provenance import with_values
from capsim.study.flip import Flip, Point, ask_flip, find_flip, interval
from capsim.study.setup import Request, set_up
from capsim.study.trials import Trial, Trials
from capsim.study.valid_range import ValidRange, why_invalid

NOISE = np.random.default_rng(3).normal(0.0, 1.0, 16)


def paired(mean: Callable[[float], float], spread: float = 1.0) -> Callable[[Sequence[float]], list[Any]]:
    """Differences in the same 16 worlds at every value: a mean that moves, a world's own part that does not."""
    own = spread * (NOISE - NOISE.mean())
    return lambda values: [mean(value) + own for value in values]


@pytest.mark.parametrize("root", [0.7, 1.0, 1.9, 3.6])
def test_a_line_is_found_at_its_root(root: float) -> None:
    found = find_flip(paired(lambda x: 5 * (x - root), 0.01), 1.0, None, None)
    assert found.root == pytest.approx(root, rel=1e-9)
    assert found.low < root < found.high
    assert not found.jumps


def test_a_curve_is_followed_until_the_noise_hides_it() -> None:
    fine = find_flip(paired(lambda x: x**3 - 8, 1e-6), 1.0, None, None)
    coarse = find_flip(paired(lambda x: x**3 - 8, 2.0), 1.0, None, None)
    assert fine.root == pytest.approx(2.0, rel=1e-3)
    assert coarse.low < 2.0 < coarse.high
    assert len(coarse.points) < len(fine.points)


def test_the_interval_is_the_inverted_band() -> None:
    # the band of 5 (x - 2) with a half width of 1 holds 0 from 1.8 to 2.2
    points = [Point(x, 5 * (x - 2), 1.0) for x in (1.0, 2.0, 3.0)]
    assert interval(points, 2.0) == pytest.approx((1.8, 2.2))
    wide = [Point(x, 0.1 * (x - 2), 1.0) for x in (1.0, 2.0, 3.0)]
    assert interval(wide, 2.0) == (-np.inf, np.inf)


def test_the_interval_of_a_noisy_line_covers_what_student_says() -> None:
    from capsim.study.statistics import mean

    found = find_flip(paired(lambda x: 5 * (x - 2.0), 1.0), 1.0, None, None)
    half = mean(NOISE).half / 5
    assert (found.low, found.high) == pytest.approx((2.0 - half, 2.0 + half), rel=1e-6)


def test_noise_that_nothing_bounds_does_not_lead_to_absurd_values() -> None:
    found = find_flip(paired(lambda x: 0.01 * (x - 2.0), 5.0), 1.0, None, None)
    assert (found.low, found.high) == (-np.inf, np.inf)
    assert 0.25 <= found.points[0].value < found.points[-1].value <= 4.0


def test_no_flip_in_the_bracket_is_said() -> None:
    found = find_flip(paired(lambda x: x + 10), 1.0, 0.5, 2.0)
    assert found.root is None
    assert found.bracket == (0.5, 2.0)
    assert found.matters
    assert not find_flip(paired(lambda x: 10.0), 1.0, None, None).matters


def test_a_jump_over_zero_is_told_from_a_root() -> None:
    found = find_flip(paired(lambda x: -5.0 if x < 1.6 else 5.0, 0.01), 1.0, None, None)
    assert found.jumps
    assert found.bracket[0] < 1.6 <= found.bracket[1]
    assert found.bracket[1] - found.bracket[0] < 0.01


def test_one_run_has_a_root_and_no_interval() -> None:
    found = find_flip(lambda values: [np.array([x - 2.0]) for x in values], 1.0, None, None)
    assert found.root == pytest.approx(2.0)
    assert np.isnan(found.low)


@pytest.fixture(scope="module")
def setup() -> Any:
    return set_up(Request("quickstart", strategies=("big-cloud", "new-cloud"), runs=2))


def trials_of(setup: Any, folder: Path | None) -> Trials:
    import contextlib

    from capsim.engine.simulate import simulate

    quiet = lambda count: contextlib.nullcontext(lambda done: None)  # noqa: E731
    return Trials(setup.loaded["base"], simulate, 1, quiet, folder)


def test_the_price_found_by_simulation_is_the_exact_one(setup: Any, tmp_path: Path) -> None:
    trials = trials_of(setup, tmp_path)
    answer = ask_flip(setup, trials, "offers.big-cloud.price", (), "$1.5/h", "$2.92/h")
    flip: Flip = answer.flip
    assert flip.root is not None
    # TOTAL is linear in a price: the line through any two trials is exact everywhere
    first, last = flip.points[0], flip.points[-1]
    slope = (last.difference - first.difference) / (last.value - first.value)
    assert flip.root == pytest.approx(first.value - first.difference / slope, rel=1e-6)
    at_root = next(point for point in flip.points if point.value == flip.root)
    assert abs(at_root.difference) < 1e-3 * abs(first.difference)
    again = trials_of(setup, tmp_path)
    assert ask_flip(setup, again, "offers.big-cloud.price", (), "$1.5/h", "$2.92/h").flip == flip
    assert again.simulated == 0 < trials.simulated


def test_trials_are_extended_not_repeated(setup: Any, tmp_path: Path) -> None:
    trial = Trial.of("new-cloud", {"demand.scale": 1.2})
    first = trials_of(setup, tmp_path)
    one = first.totals([trial], 1)[trial]
    more = trials_of(setup, tmp_path)
    two = more.totals([trial], 2)[trial]
    assert (first.simulated, more.simulated) == (1, 1)
    assert two[0] == one[0] != two[1]


def test_an_interrupted_search_goes_on_where_it_was(
    setup: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("capsim.study.trials.AT_ONCE", 1)
    wanted = [
        Trial.of("new-cloud", {}),
        Trial.of("big-cloud", {}),
        Trial.of("big-cloud", {"demand.scale": 2.0}),
    ]
    first = trials_of(setup, tmp_path)
    real, seen = first.simulate, []

    def until_the_third(prepared: Any, run: int) -> Any:
        seen.append(run)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(prepared, run)

    first.simulate = until_the_third
    with pytest.raises(CapsimError, match="interrupted: 2 of 3 trials are kept in"):
        first.totals(wanted, 1)
    again = trials_of(setup, tmp_path)
    assert again.lacking(wanted, 1) == 1
    assert len(again.totals(wanted, 1)) == 3
    assert again.simulated == 1


def test_a_damaged_trial_is_simulated_again(setup: Any, tmp_path: Path) -> None:
    trial = Trial.of("new-cloud", {})
    known = trials_of(setup, tmp_path).totals([trial], 1)[trial]
    next(tmp_path.glob("*.json")).write_text("{")
    assert trials_of(setup, tmp_path).totals([trial], 1)[trial] == known


@pytest.mark.parametrize(
    ("path", "between", "low", "high", "message"),
    [
        ("offers.big-cloud.prise", (), None, None, "no number there; did you mean"),
        ("offers.big-cloud", (), None, None, "numbers there; write one of"),
        ("offers.big-cloud.price", (), "cheap", None, "--low 'cheap'"),
        ("offers.big-cloud.price", (), "$4/h", "$2/h", "leave no range"),
        ("offers.big-cloud.price", ("big-cloud",), None, None, "write two strategies"),
        ("offers..price", (), None, None, "no name at character"),
        ("horizon.start", (), None, None, "all strategies are compared over; move a date of a contract"),
        ("offers.big-cloud.delivery.shift", (), None, None, "states none there; state it with --set"),
        ("offers.big-cloud.kind", (), None, None, "'cloud' is no number"),
        ("offers.big-cloud.chips.gb200_nvl72", (), None, None, "the only share"),
        ("offers.new-cloud.tranches.0.at", (), "soon", None, "--low 'soon'"),
    ],
)
def test_wrong_input(
    setup: Any, path: str, between: tuple[str, ...], low: str | None, high: str | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ask_flip(setup, trials_of(setup, None), path, between, low, high)


def test_prices_by_system_move_together(setup: Any) -> None:
    from capsim.spec.loader import read_study

    change = "offers.big-cloud.price={per_chip_hour: {gb200_nvl72: $2/h, gb300_nvl72: $3/h}}"
    study = read_study("quickstart", sets=(change,)).resolve("base").study
    assert list(knob(study, 'offers."big-cloud".price').changes(4.0).values()) == [4.0, 6.0]


def test_dates_are_searched_by_the_day_and_shown_as_dates(setup: Any) -> None:
    moved = knob(setup.loaded["base"].study, "offers.new-cloud.tranches.0.at")
    planned = datetime.date.fromordinal(int(moved.value))
    flips = planned + datetime.timedelta(days=70)
    evaluate = paired(lambda day: 0.3 * (day - flips.toordinal()), 1e-6)
    found = find_flip(evaluate, moved.value, None, None, moved.within, moved.around, moved.finest)
    assert moved.show(found.root or 0.0) == flips.isoformat()
    assert all(point.value == int(point.value) for point in found.points)
    # 45 days around the plan, then 91
    tried = {int(point.value - moved.value) for point in found.points}
    assert {0, -45, 45, -91, 91} <= tried
    assert moved.read("2026-Q3", "--low") == datetime.date(2026, 7, 1).toordinal()


def test_a_study_with_another_date(setup: Any) -> None:
    study = setup.loaded["base"].study
    moved = knob(study, "offers.new-cloud.tranches.1.at")
    day = datetime.date(2026, 11, 17)
    changed = with_values(study, moved.changes(float(day.toordinal())))
    assert changed.offers["new-cloud"].tranches[1].at == day
    assert changed.offers["new-cloud"].tranches[0] is study.offers["new-cloud"].tranches[0]


def test_shares_make_room_for_each_other(setup: Any) -> None:
    moved = knob(setup.loaded["base"].study, "offers.new-cloud.tranches.0.share")
    changed = with_values(setup.loaded["base"].study, moved.changes(0.8))
    shares = [float(tranche.share) for tranche in changed.offers["new-cloud"].tranches]
    assert shares == pytest.approx([0.8, 0.2])


def test_a_price_path_moves_as_a_whole_and_solved_chips_follow_their_price() -> None:
    from capsim.spec.loader import read_study

    market = (
        "markets={m: {start: $2/h, state: f, volatility: 0%, mean: {2026-06: $2.2/h, 2026-12: $1.8/h}, "
        "regimes: {f: {drift: 0%/y, leave: 0%/q}}}}"
    )
    solve = (
        "offers.big-cloud={provider: p, kind: cloud, status: signed, chips: {gb300_nvl72: 100%}, term: 5y, "
        "tranches: [{at: 2026-06, share: 100%}], price: {per_chip_hour: $2/h}, "
        "solve: {unknown: chips, value: $1B, lot: 72}}"
    )
    study = read_study("quickstart", sets=(market, solve)).resolve("base").study
    assert list(knob(study, "markets.m.mean").changes(4.4).values()) == pytest.approx([4.4, 3.6])
    # $1B over 43,830 h at $2: 11,408 chips, 158 lots of 72; at $4 half of them, 79 lots
    limits = study.offers["big-cloud"].quantity
    dearer = with_values(study, knob(study, "offers.big-cloud.price").changes(4.0)).offers["big-cloud"]
    assert limits is not None and dearer.quantity is not None and dearer.default is not None
    assert (limits.max, dearer.quantity.max, dearer.default) == (158 * 72, 79 * 72, 79 * 72)
    with pytest.raises(InputError, match="solves for it; move"):
        knob(study, "offers.big-cloud.default")
    with pytest.raises(InputError, match="does not pay for one lot"):
        with_values(study, {"offers.big-cloud.solve.value": 1e6})


def test_a_moved_date_is_checked_before_it_is_simulated(setup: Any, tmp_path: Path) -> None:
    """The run starts on 2026-07-01 at the earliest: 07-02 is the first day that its target may have."""
    path, trials = "demand.training_runs.base-model.target", trials_of(setup, tmp_path)
    answer = ask_flip(setup, trials, path, ("big-cloud", "new-cloud"), "2026-05-01", "2026-10-15")
    days = [answer.knob.show(point.value) for point in answer.flip.points]
    assert (days[0], days[-1]) == ("2026-07-02", "2026-10-15")
    (limit,) = answer.limits
    assert (answer.knob.show(limit.value), limit.above) == ("2026-07-02", False)
    assert limit.why == "base-model: the target 2026-07-01 is not after the earliest start 2026-07-01"
    with pytest.raises(InputError, match="is not after the earliest start"):
        ask_flip(setup, trials, path, ("big-cloud", "new-cloud"), "2026-05-01", "2026-06-01")


def test_a_search_stays_where_the_study_is_valid() -> None:
    """A price of $2.55 in a collar of $2 to $3: outside it there is no such contract, and nothing is tried."""
    from capsim.spec.loader import read_study

    sets = (
        "markets.m={start: $2/h, state: f, volatility: 0%, regimes: {f: {drift: 0%/y, leave: 0%/q}}}",
        "offers.new-cloud.market=m",
        "offers.new-cloud.price_reset={every: 1y, share: 50%}",
        "offers.new-cloud.collar={floor: $2/h, cap: $3/h}",
    )
    loaded = read_study("quickstart", sets=sets).resolve("base")
    assert why_invalid(loaded, {}) is None
    assert "the signed price of $3.01 is outside its collar $2.00 to $3.00" in str(
        why_invalid(loaded, {"offers.new-cloud.price.per_chip_hour": 3.01})
    )
    moved = knob(loaded.study, "offers.new-cloud.price")
    valid = ValidRange(loaded, moved)
    found = find_flip(
        paired(lambda price: 3.5 - price, 1e-6),
        moved.value,
        None,
        None,
        lambda value: valid.clamp(moved.within(value)),
        lambda factor: tuple(map(valid.clamp, moved.around(factor))),  # type: ignore[arg-type,return-value]
    )
    # it would flip at $3.50; from $2 to $3 it does not
    assert found.root is None and found.bracket == pytest.approx((2.0, 3.0), rel=1e-5)
    assert {limit.above: limit.value for limit in valid.limits.values()} == pytest.approx(
        {False: 2.0, True: 3.0}, rel=1e-5
    )


def test_what_the_schema_or_a_solved_offer_refuses_is_invalid(setup: Any) -> None:
    loaded = setup.loaded["base"]
    wrong = why_invalid(loaded, {"offers.new-cloud.prepay.share": 1.2})
    assert wrong is not None and wrong.startswith("prepay.share: ")
    moved = knob(loaded.study, "offers.new-cloud.tranches.0.share")
    assert why_invalid(loaded, moved.changes(0.8)) is None
    assert "sum to 1.3" in str(why_invalid(loaded, {"offers.new-cloud.tranches.0.share": 0.8}))
