"""Changes of a case whose effect on the kernel's schedule is known in advance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capsim.kernel.layout import Layout, Site
from capsim.policies.orders import placement
from tests.kernel.driving import drive
from tests.oracles.case import Case
from tests.oracles.cases import cases

SOME = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
RACKS = frozenset({"topology", "sites", "placement", "capacity", "order"})
FAMILIES = frozenset({"topology", "pools", "sites", "elastic"})


def starts(case: Case) -> list[int]:
    """Start of every job, −1 if it never starts."""
    return drive(case).runs["start"][: len(case.jobs)].tolist()


@SOME
@given(case=cases(RACKS), factor=st.sampled_from([2, 60_000]))
def test_time_times_k_gives_starts_times_k(case: Case, factor: int) -> None:
    def longer(options: dict[str, Any]) -> dict[str, Any]:
        times = {name: options[name] for name in ("at", "grace") if isinstance(options.get(name), int)}
        return {**options, **{name: time * factor for name, time in times.items()}}

    scaled = replace(
        case,
        horizon=case.horizon * factor,
        jobs=tuple(
            replace(job, submit=job.submit * factor, run=job.run * factor, requested=job.requested * factor)
            for job in case.jobs
        ),
        commands=tuple(
            replace(command, time=command.time * factor, options=longer(dict(command.options)))
            for command in case.commands
        ),
    )
    assert starts(scaled) == [start * factor if start >= 0 else -1 for start in starts(case)]


@SOME
@given(case=cases(FAMILIES))
def test_relabelled_pools_change_nothing_but_labels(case: Case) -> None:
    pools = len(case.layout.pools)
    new = {pool: pools - 1 - pool for pool in range(pools)}
    layout = Layout(
        list(reversed(case.layout.pools)),
        [Site(new[site.pool], site.rank) for site in case.layout.sites],
        case.layout.tranches,
    )
    classes = tuple(
        replace(
            cls,
            speed=tuple(reversed(cls.speed)),
            preference=tuple(reversed(cls.preference or tuple(range(pools)))),
            cost=tuple(reversed(cls.cost)) if cls.cost else None,
        )
        for cls in case.classes
    )
    relabelled = replace(case, layout=layout, classes=classes)
    before, after = drive(case), drive(relabelled)
    for j in range(len(case.jobs)):
        assert before.runs["start"][j] == after.runs["start"][j]
        assert new.get(int(before.runs["pool"][j]), -1) == int(after.runs["pool"][j])


@placement
def least_free(needed: int, free: int, size: int) -> int:
    return free


@placement
def any_room(needed: int, free: int, size: int) -> int:
    return 0


@placement
def most_free(needed: int, free: int, size: int) -> int:
    return -free


@pytest.mark.parametrize(
    ("name", "own"), [("best-fit", least_free), ("first-fit", any_room), ("spread", most_free)]
)
def test_an_own_placement_with_a_built_in_ones_scores_places_alike(name: str, own: Any) -> None:
    @SOME
    @given(case=cases(frozenset({"topology", "sites", "segments", "elastic", "capacity"})))
    def run(case: Case) -> None:
        built_in, mine = drive(replace(case, placement=name)), drive(replace(case, placement=own))
        for column in ("start", "chips", "blocks", "site"):
            assert np.array_equal(built_in.runs[column], mine.runs[column])

    run()


@SOME
@given(case=cases(RACKS))
def test_a_pool_that_nobody_uses_changes_nothing(case: Case) -> None:
    layout = Layout(list(case.layout.pools), list(case.layout.sites), list(case.layout.tranches))
    unused = layout.pool(8)
    layout.tranche(layout.site(unused), 3)
    classes = tuple(
        replace(
            cls,
            speed=(*cls.speed, 0.0),
            preference=(*cls.preference, 0) if cls.preference else None,
            cost=(*cls.cost, 1.0) if cls.cost else None,
        )
        for cls in case.classes
    )
    assert starts(replace(case, layout=layout, classes=classes)) == starts(case)


@SOME
@given(case=cases(RACKS | {"services"}), data=st.data())
def test_later_jobs_do_not_change_what_started_before_they_came(case: Case, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(case.jobs)))
    head, whole = starts(replace(case, jobs=case.jobs[:cut])), starts(case)
    until = case.jobs[cut].submit if cut < len(case.jobs) else case.horizon
    for alone, together in zip(head, whole, strict=False):
        assert alone == together or not (0 <= alone < until or 0 <= together < until)
