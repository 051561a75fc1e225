"""Schema of dispatch: in which order work uses the places of a strategy, and what moving its data takes.

Units after loading: gigabytes (10^9 bytes), GB/s, USD per GB.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from capsim.spec.base import Section
from capsim.spec.values import (
    Gigabytes,
    GigabytesPerSecond,
    Text,
    Texts,
    UsdPerGb,
    UsdPerTbMonth,
    Value,
    listed,
    problem,
)

DispatchRule = Literal["advantage", "committed-first", "cheapest", "fastest", "data-gravity"]
"""How work chooses among places; `advantage` is the default."""


class Data(Section):
    """What a workload reads: it runs only where a copy is, and a copy costs money and time."""

    size: Gigabytes
    at: Texts = Field(
        description="regions or offers where copies are at the start; `us` covers `us-east`",
    )
    name: Text | None = Field(
        default=None,
        description="workloads whose data has the same name read the same data and share its copies",
    )
    storage_price: UsdPerTbMonth | None = Field(
        default=None, description="of a copy at a site whose offer does not say; nothing where absent"
    )
    egress: UsdPerGb = Field(
        default=Value(
            0.05,
            source="list price beyond 150 TB a month of AWS and Azure (dev.to, 2025); large buyers negotiate",
            confidence="secondary",
        ),
        description="paid for data that leaves a site whose offer does not say",
    )
    bandwidth: GigabytesPerSecond = Field(
        default=Value(50.0, source="four lines of 100 Gbit/s", confidence="assumed"),
        description="between sites",
    )

    @property
    def homes(self) -> list[str]:
        """The regions and offers where copies are at the start."""
        return listed(self.at)

    @model_validator(mode="after")
    def _somewhere(self) -> Data:
        if not self.homes:
            raise problem("data that is nowhere", "name a region or an offer", "at")
        return self
