"""What a contract says about lateness, in milliseconds and USD."""

from __future__ import annotations

from capsim.compile.calendar import DAYS_YEAR, MS_DAY, Calendar
from capsim.spec.contract_delivery import Acceptance, MakeGood, Remedy


def leaves_at(remedy: Remedy | None, planned: int, calendar: Calendar) -> int | None:
    """When the buyer leaves a tranche that is still missing, ms; None where the contract has no such right.

    The earlier of the missed date plus cure period plus `terminate_after`, and the long-stop date.
    """
    if remedy is None:
        return None
    days = []
    if remedy.terminate_after is not None:
        days.append(planned + int(remedy.cure or 0) + int(remedy.terminate_after))
    if remedy.long_stop is not None:
        days.append(max(calendar.ms(remedy.long_stop), planned))
    return min(days, default=None)


def delay_credit(remedy: Remedy | None, daily_rent: float, delay: int) -> float:
    """Credit for a tranche that came `delay` ms late, USD: days after the cure period, up to the cap."""
    if remedy is None or remedy.credit_per_day is None:
        return 0.0
    late_days = max(delay - int(remedy.cure or 0), 0) / MS_DAY
    credit = float(remedy.credit_per_day) * daily_rent * late_days
    if remedy.credit_cap is None:
        return credit
    return min(credit, float(remedy.credit_cap) * daily_rent * DAYS_YEAR)


def acceptance_ms(spec: Acceptance | None, failures: int) -> int:
    """From delivery to acceptance when `failures` tests fail first, ms."""
    if spec is None:
        return 0
    repeat = spec.duration if spec.repeat is None else spec.repeat
    return int(spec.duration) + failures * int(repeat)


def made_good_ms(spec: MakeGood | None, delay: int, outages: list[int]) -> int:
    """Time free of rent at the end of the term, ms, for a delay and outages of these lengths (ms)."""
    if spec is None:
        return 0
    lost = 0
    if spec.delays_over is not None and delay > int(spec.delays_over):
        lost += delay
    if spec.outages_over is not None:
        lost += sum(length for length in outages if length > int(spec.outages_over))
    return int((1.0 if spec.ratio is None else float(spec.ratio)) * lost)
