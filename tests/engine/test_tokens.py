"""Work that may wait, against an obvious list of requests."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capsim.engine.tokens import deferred, ready


def obvious(requested: list[float], capacity: list[float], deadline: int) -> tuple[list[float], list[float]]:
    queue: list[list[float]] = []
    served = []
    left = {}
    for hour, (r, c) in enumerate(zip(requested, capacity, strict=True)):
        queue.append([hour, r])
        left |= {q[0]: q[1] for q in queue if q[0] < hour - deadline}
        queue = [q for q in queue if q[0] >= hour - deadline]
        done = 0.0
        for q in queue:
            take = min(q[1], c - done)
            q[1] -= take
            done += take
        served.append(done)
    left |= {q[0]: q[1] for q in queue}
    return served, [left[hour] for hour in range(len(requested))]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40), st.integers(0, 6))
def test_deferred_work_equals_the_obvious_queue(pairs: list[tuple[int, int]], deadline: int) -> None:
    requested, capacity = [float(p[0]) for p in pairs], [float(p[1]) for p in pairs]
    found = deferred(np.array(requested), np.array(capacity), deadline)
    served, left = obvious(requested, capacity, deadline)
    assert np.allclose(found[0], served) and np.allclose(found[1], left)
    assert np.isclose(found[0].sum() + found[1].sum(), sum(requested))


def test_a_valley_serves_what_the_peak_left() -> None:
    # 10 an hour wanted, 5 then 20 to give: two hours late is early enough
    wanted, capacity = np.array([10.0, 10.0, 0.0]), np.array([5.0, 5.0, 20.0])
    assert [part.tolist() for part in deferred(wanted, capacity, 2)] == [[5.0, 5.0, 10.0], [0.0, 0.0, 0.0]]
    assert [part.tolist() for part in deferred(wanted, capacity, 0)] == [[5.0, 5.0, 0.0], [5.0, 5.0, 0.0]]


def test_new_replicas_load_before_they_serve() -> None:
    """6 h steps, half an hour to load: 10 new replicas lose 10/12 of a replica, those that stay or leave nothing."""
    held = np.array([10.0, 10.0, 4.0, 16.0]).reshape(4, 1, 1)
    spans = np.full(4, 6 * 3.6e6)
    found = ready(held, np.array([1.8e6]), spans).ravel()
    assert found.tolist() == [10 - 10 / 12, 10.0, 4.0, 15.0]
    assert ready(held, np.array([0.0]), spans) is held
    assert ready(held, np.array([1e9]), spans).ravel().tolist() == [0.0, 10.0, 4.0, 4.0]
