"""Sites of more domains than are looked at one by one for the remainder of a head's gang.

Random small cases (``test_oracle_cluster.py``) have a few domains only.
"""

from __future__ import annotations

import numpy as np
import pytest

from capsim.kernel.layout import Layout
from capsim.kernel.reservation import NEAR
from tests.kernel.driving import drive
from tests.kernel.test_oracle_cluster import agree
from tests.oracles.case import Case, Command, Failure, Job, JobClass

CHIPS, LAST = 4, 24
"""Chips of a domain; domains after the ``NEAR`` first ones, which one gang takes for the whole time."""


def crowded_end(seed: int) -> Case:
    """Small jobs and gangs share the last domains; then gangs that wait for some of them, and a remainder."""
    rng = np.random.default_rng(seed)
    layout = Layout()
    site = layout.site(layout.pool(CHIPS, 1))
    layout.tranche(site, NEAR + LAST, 8)
    jobs = [Job(0, 900, 900, NEAR * CHIPS, NEAR * CHIPS, NEAR * CHIPS)]
    for submit in np.sort(rng.integers(1, 60, 60)).tolist():
        size = int(rng.choice([1, 2, 3, 5, 6, 7, 9, 14, 27, 41, 58], p=[0.15, 0.15, 0.15] + 8 * [0.55 / 8]))
        run = int(rng.integers(3, 60))
        jobs.append(Job(submit, run, run + int(rng.integers(0, 20)), size, size, size))
    failures = tuple(
        Failure(int(time), int(NEAR + rng.integers(0, LAST)), int(rng.integers(0, CHIPS)), False, 25)
        for time in np.sort(rng.integers(20, 120, 4))
    )
    return Case(
        layout=layout,
        classes=(JobClass(interval=10, restart=2),),
        jobs=tuple(jobs),
        horizon=1_500,
        commands=(Command(0, "activate", (0,)),),
        failures=failures if seed % 2 else (),
    )


@pytest.mark.parametrize("seed", range(4))
def test_heads_with_a_remainder_on_a_large_site(seed: int) -> None:
    case = crowded_end(seed)
    cluster = drive(case)
    agree(case, cluster)
    assert cluster.counters()["shadows"] > 20


@pytest.mark.parametrize("broken", [0, 1])
def test_a_remainder_in_a_domain_whose_spare_chip_took_over(broken: int) -> None:
    """3 of 4 chips of each domain: a chip breaks in one of a gang's two domains, and the gang goes on there.

    The next one needs a domain and 2 chips. Both are there when the first ends at 100: the other domain, and
    of the 3 chips that are left in this one 2.
    """
    layout = Layout()
    site = layout.site(layout.pool(CHIPS, 1, CHIPS - 1))
    layout.tranche(site, NEAR + 3, 1)
    long = [Job(0, 900, 900, n, n, n) for n in (NEAR * 3, CHIPS - 1)]
    gangs = [Job(1, 99, 99, 6, 6, 6), Job(2, 50, 50, 5, 5, 5)]
    case = Case(
        layout=layout,
        classes=(JobClass(),),
        jobs=(*long, *gangs, Job(20, 150, 150, 1, 1, 1)),
        horizon=50,
        commands=(Command(0, "activate", (0,)),),
        failures=(Failure(10, NEAR + 1 + broken, CHIPS - 1, False, 500),),
    )
    cluster = drive(case)
    agree(case, cluster)
    clock = cluster._s.clock[0]
    assert (clock["shadow"], clock["resv_domain"], clock["resv_extra"]) == (100, NEAR + 1 + broken, 1)
