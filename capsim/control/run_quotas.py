"""What quotas by system leave a named run: where it may ever run, and where it need not wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RunQuota:
    """The quotas of a named run whose tenant has them by system.

    ``ever``: chips of the largest gang that may ever be admitted, by system. ``flavor``: the kernel's flavor
    of each system.
    """

    tenant: int
    ever: Mapping[str, int]
    flavor: Mapping[str, int]

    def room(self, use: np.ndarray) -> dict[str, int]:
        """Chips that could be charged now, by system; ``use``: ALLOWANCE rows [tenant, flavor].

        Within the tenant's own quota chips lent to others count as there: it has a right to them.
        """
        found = {}
        for system, flavor in self.flavor.items():
            mine = use[self.tenant, flavor]
            left = int(mine["quota"] - mine["admitted"])
            if mine["cohort"] >= 0:
                together = use[use["cohort"] == mine["cohort"]]
                lent = int(together["quota"].sum() - together["admitted"].sum())
                left = max(left, min(int(mine["ceiling"] - mine["admitted"]), lent))
            found[system] = left
        return found
