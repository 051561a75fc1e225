"""From a loaded study to a strategy that can be simulated."""

from __future__ import annotations

from capsim.compile.prepare import Prepared
from capsim.compile.prepare import prepare as compile_strategy
from capsim.compile.rates import RateBook
from capsim.spec.loader import Loaded

BASE_CASE = "base"


def prepare(loaded: Loaded, strategy: str, rates: RateBook | None = None) -> Prepared:
    """Compile one strategy of a loaded study with its case applied; once a strategy and case, picklable.

    `rates` is shared by the strategies of a case: it keeps what the workload models said.

    Raises:
        StudyError: the strategy cannot be simulated as written.
    """
    return compile_strategy(
        loaded.study, strategy, case=loaded.case or BASE_CASE, token=loaded.digest, rates=rates
    )
