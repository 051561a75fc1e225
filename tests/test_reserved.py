"""What reservations keep together."""

from __future__ import annotations

from datetime import date

from capsim.reserved import reserved_at


def test_what_is_kept_together_counts_from_the_start_to_the_end_exclusive() -> None:
    windows = [(0, 10, 4), (5, 20, 3), (10, 12, 2)]
    assert [reserved_at(at, windows) for at in (-1, 0, 5, 10, 12, 20)] == [0, 4, 7, 5, 3, 0]
    assert reserved_at(date(2026, 3, 1), [(date(2026, 3, 1), date(2026, 3, 2), 8)]) == 8
