"""Run by ``test_conservative``: the kernel's own source, not compiled, with blocks of 4 breakpoints.

Blocks then split, join and vanish all the time, which compiled blocks of 32 do only in large profiles.
Prints the number of cases that were equal to the obvious scheduler; fails on the first that is not.
"""

from __future__ import annotations

import sys

import numpy as np

from capsim.kernel import profile
from capsim.kernel.conservative import conservative
from tests.kernel.queues_of_jobs import columns, crowded
from tests.oracles.conservative import conservative as obvious


def main(cases: int) -> int:
    """Compare ``cases`` random cases; returns how many were equal, all of them or an assertion fails."""
    profile.BLOCK, profile.HALF, profile.SMALL = profile.Index(4), profile.Index(2), profile.Index(2)
    for seed in range(cases):
        rng = np.random.default_rng(seed)
        chips = int(rng.integers(8, 64))
        rows = crowded(seed, int(rng.integers(20, 300)), chips, float(rng.choice([0.3, 1.5, 4.0])), 1.3)
        depth = int(rng.choice([0, 0, 0, 0, 1, 5]))
        assert conservative(*columns(rows), chips, depth).tolist() == obvious(rows, chips, depth), seed
    return cases


if __name__ == "__main__":
    print(main(int(sys.argv[1])))
