"""Reading typed columns: what Arrow's threads may hold on to."""

from __future__ import annotations

import sys

from capsim.workload.traces.columns import arrow_reader


def test_arrow_keeps_no_memory_of_python() -> None:
    """A thread of Arrow's that gave back Python's memory at exit would abort the process."""
    data = b"job,submit\n1,0\n" * 100
    before = sys.getrefcount(data)
    reader = arrow_reader(data)
    assert sys.getrefcount(data) == before
    assert reader.read() == data
