"""Finding entries by name and alias, and reading prices."""

from __future__ import annotations

import datetime

import pytest

from capsim.catalog.library import load_catalog
from capsim.catalog.prices import Summary, matching, price_history, prices, summarise
from capsim.errors import InputError
from capsim.spec.hardware import Price


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        ("chips", "h100_sxm", "h100_sxm"),
        ("chips", "H100", "h100_sxm"),
        ("chips", "trn2", "trainium2"),
        ("chips", "TPU-v7", "tpu_v7"),
        ("chips", "tpu_v7_ironwood", "tpu_v7"),
        ("models", "Llama-3.1-8B", "llama-3.1-8b"),
        ("models", "llama3.3 70b", "llama-3.1-70b"),
        ("models", "deepseek-r1", "deepseek-v3"),
        ("systems", "GB200_NVL72", "gb200_nvl72"),
        ("offers", "openai-aws-2025", "openai-aws-2025"),
        ("porting", "ROCm", "rocm"),
        ("chips", "h1000", None),
        ("models", "", None),
    ],
)
def test_names(kind: str, name: str, found: str | None) -> None:
    assert load_catalog().resolve(kind, name) == found


def test_a_wrong_name_gets_the_closest() -> None:
    with pytest.raises(
        InputError, match=r"there is no chip `tranium2` in the catalog; did you mean `trainium2`\?"
    ):
        load_catalog().find("chips", "tranium2")
    with pytest.raises(InputError, match="there is no stack `neurons`"):
        load_catalog().find("porting", "neurons")


def test_prices_are_complete() -> None:
    rows = prices()
    chips = load_catalog().chips
    assert len(rows) == 257
    assert {row.chip for row in rows} <= set(chips)
    assert all(0.1 < float(row.usd_per_chip_hour) < 60 for row in rows)
    assert all(row.source for row in rows)
    on_azure = [float(r.usd_per_chip_hour) for r in rows if r.provider == "azure" and r.chip == "gb200"]
    assert min(on_azure) == pytest.approx(27.04)


def test_the_history_has_its_one_large_step() -> None:
    """List prices of H100 and H200 at AWS fell in June 2025."""
    rows = [row for row in price_history() if row.instance == "p5.48xlarge"]
    first, last = rows[0], rows[-1]
    assert first.as_of < datetime.date(2025, 6, 1) <= last.as_of
    assert last.usd_per_chip_hour < 0.6 * first.usd_per_chip_hour
    assert {row.chip for row in price_history()} <= set(load_catalog().chips)
    assert all(row.source.startswith("github:") for row in price_history())


def test_prices_by_chip_or_provider() -> None:
    catalog = load_catalog()
    assert {row.chip for row in matching(prices(), catalog, "inf2")} == {"inferentia2"}
    assert {row.provider for row in matching(prices(), catalog, "CoreWeave")} == {"coreweave"}
    assert matching(prices(), catalog, None) == list(prices())
    with pytest.raises(InputError, match="did you mean `coreweave`"):
        matching(prices(), catalog, "corewave")
    with pytest.raises(InputError, match="no price of the chip or provider `rubin`"):
        matching(prices(), catalog, "rubin")


def test_a_summary_is_worked_out_by_hand() -> None:
    day = datetime.date(2025, 1, 1)

    def price(usd: float, later: int, kind: str = "spot") -> Price:
        row = {"provider": "p", "chip": "c", "kind": kind, "usd_per_chip_hour": usd, "source": "s"}
        return Price.model_validate(row | {"as_of": day + datetime.timedelta(later), "confidence": "assumed"})

    rows = [price(3, 0), price(1, 5), price(2, 1), price(8, 2), price(7, 3, "on_demand")]
    assert summarise(rows) == [
        Summary("c", "spot", 4, 1.0, 2.5, 8.0, day + datetime.timedelta(5)),
        Summary("c", "on_demand", 1, 7.0, 7.0, 7.0, day + datetime.timedelta(3)),
    ]
