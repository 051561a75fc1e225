"""How settings that a model's shape does not show move a training rate: relative factors inside one series.

Fitted by robust least squares to differences inside the series of published training rows (one model, chip,
precision and sequence of one publisher, 282 rows, 2026-11); refitted without each (group, model) they move by
less than a tenth, and so does the error. Used only between two rows whose settings are both known.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

# Log of the rate with full activation recomputation over without; 3/4 by FLOPs alone would be -0.29.
RECOMPUTE = -0.19
# Log rate per doubling of the micro-batch.
MICRO_BATCH = 0.068
# Log rate per year of software releases on the same hardware.
SOFTWARE_YEAR = 0.20

_RELEASE = re.compile(r"release (\d\d)\.(\d\d)")
_DATE = re.compile(r"software date (\d{4})-(\d\d)")


@dataclass(frozen=True)
class Settings:
    """Settings of a run; None where not known. ``software`` is a date in years."""

    recompute: bool | None = None
    micro_batch: float | None = None
    software: float | None = None

    def factor_over(self, other: Settings) -> float:
        """Expected rate with these settings over the rate with ``other``, all else equal."""
        log = 0.0
        if self.recompute is not None and other.recompute is not None:
            log += RECOMPUTE * (float(self.recompute) - float(other.recompute))
        if self.micro_batch and other.micro_batch:
            log += MICRO_BATCH * math.log2(self.micro_batch / other.micro_batch)
        if self.software is not None and other.software is not None:
            log += SOFTWARE_YEAR * (self.software - other.software)
        return math.exp(log)


def software_date(*texts: str) -> float | None:
    """The date in years that a source or note names (`release 26.04`, `software date 2024-01`), or None."""
    for text in texts:
        found = _RELEASE.search(text)
        if found:
            return 2000 + int(found[1]) + (int(found[2]) - 1) / 12
        found = _DATE.search(text)
        if found:
            return int(found[1]) + (int(found[2]) - 1) / 12
    return None
