"""The catalog's data: every number has its provenance, names are unique, shapes and books hold together."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator

import pytest

from capsim.catalog.library import Catalog, folded, load_catalog, names
from capsim.spec.offers import Offer
from capsim.spec.provenance import Sourced, values_of

HOUR_MS = 3_600_000
MONTHS_A_YEAR, HOURS_A_YEAR = 12, 8766
TOLERANCE = 0.02


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def test_what_is_built_in(catalog: Catalog) -> None:
    wanted = "a100_80g h100_sxm h200_sxm b200_sxm b300_sxm gb200 gb300 rubin mi300x mi325x mi355x mi455x"
    wanted += " tpu_v4 tpu_v5e tpu_v5p tpu_v6e tpu_v7 trainium1 trainium2 trainium3 inferentia1 inferentia2"
    wanted += " maia100 maia200"
    assert set(wanted.split()) <= set(catalog.chips)
    sizes = {name: (int(s.node), int(s.domain)) for name, s in catalog.systems.items()}
    assert sizes["h100_hgx"] == (8, 8)
    assert sizes["gb300_nvl72"] == (4, 72)
    assert sizes["trn2_node16"] == (16, 16)
    assert sizes["trn2_ultraserver"] == (16, 64)
    assert sizes["trn3_ultraserver64"][1] == 64
    assert sizes["trn3_ultraserver144"][1] == 144
    assert sizes["inf2_node12"] == (12, 12)
    assert sizes["mi455x_helios"][1] == 72
    pod = catalog.systems["tpu_v7_pod"]
    assert int(pod.domain) * int(pod.block_domains) == 9216
    assert set(catalog.porting) >= {"cuda", "rocm", "neuron", "xla"}


@pytest.mark.parametrize("kind", ["chips", "systems", "models", "porting", "markets"])
def test_every_number_says_where_it_comes_from(catalog: Catalog, kind: str) -> None:
    bare = [
        f"{name}.{'.'.join(map(str, item.path))}"
        for name, entry in catalog.entries(kind).items()
        for item in values_of(entry)
        if not (item.value.source and item.value.as_of and item.value.confidence)
    ]
    assert bare == []


def _bare(offer: Offer) -> Iterator[Sourced]:
    """Numbers of an offer without a tag, except units of trade, whole shares and nothing."""
    for item in values_of(offer):
        last = item.path[-1]
        structural = last in ("lot", "by") or float(item.value) in (0.0, 1.0) if not _is_date(item) else True
        smallest = item.path[-2:] == ("quantity", "min") and float(item.value) <= 144
        if item.value.confidence is None and not structural and not smallest:
            yield item


def _is_date(item: Sourced) -> bool:
    return isinstance(item.value, datetime.date)


def test_every_number_of_an_offer_is_tagged_and_every_offer_sourced(catalog: Catalog) -> None:
    for name, offer in catalog.offers.items():
        assert offer.source, name
    shares = [
        f"{name}.{'.'.join(map(str, item.path))}"
        for name, offer in catalog.offers.items()
        for item in _bare(offer)
        if item.path[0] != "chips"
    ]
    assert shares == []


def test_assumed_numbers_carry_a_reason(catalog: Catalog) -> None:
    for kind in ("chips", "systems", "models", "porting", "offers", "markets"):
        for name, entry in catalog.entries(kind).items():
            for item in values_of(entry):
                if item.value.confidence is not None:
                    assert item.value.source, (kind, name, item.path)


def test_values_of_later_sources_do_not_pose_as_early_ones(catalog: Catalog) -> None:
    """No number of an offer known before 2026 is dated after the decision date of the built-in study."""
    decided = datetime.date(2025, 12, 31)
    for name, offer in catalog.offers.items():
        if offer.announced is None or offer.announced <= decided:
            late = [item.path for item in values_of(offer) if item.value.as_of and item.value.as_of > decided]
            assert late == [], name


@pytest.mark.parametrize("kind", ["chips", "models"])
def test_names_and_aliases_are_unique(catalog: Catalog, kind: str) -> None:
    entries = catalog.entries(kind).items()
    counts = Counter(
        name for key, entry in entries for name in {folded(other) for other in names(key, entry)}
    )
    assert [name for name, count in counts.items() if count > 1] == []


def test_systems_name_chips_and_fit_together(catalog: Catalog) -> None:
    for name, system in catalog.systems.items():
        assert system.chip in catalog.chips, name
        assert int(system.domain) % int(system.node) == 0, name
        assert system.segment is None or int(system.segment) % int(system.node) == 0, name
        assert 0.1 <= float(system.kw_per_chip) <= 4, name


def test_the_failure_rate_is_llama_3s(catalog: Catalog) -> None:
    """419 unplanned interruptions in 54 days on 16,384 chips."""
    rate = catalog.systems["h100_hgx"].reliability.failures_per_1000_chip_days
    assert rate == pytest.approx(419 / 54 / 16.384, rel=1e-3)
    for name, system in catalog.systems.items():
        given = system.reliability.failures_per_1000_chip_days
        assert given is not None
        assert given.confidence == ("derived" if name == "h100_hgx" else "assumed")
        assert given == rate


def test_power_of_a_gb300_is_irens(catalog: Catalog) -> None:
    assert catalog.systems["gb300_nvl72"].kw_per_chip == pytest.approx(200e3 / 76e3, abs=0.005)


def test_peaks_grow_with_narrower_formats(catalog: Catalog) -> None:
    for name, chip in catalog.chips.items():
        ladder = [float(chip.tflops[kind]) for kind in ("bf16", "fp8", "fp4") if kind in chip.tflops]
        assert ladder == sorted(ladder), name
        assert all(0 < float(share) <= 1 for share in chip.matmul_ceiling.values()), name


def test_key_value_bytes_follow_from_the_shape(catalog: Catalog) -> None:
    """2 x layers x kv_heads x head_dim x 2 bytes, but for cards that say otherwise."""
    other = {"deepseek-v3", "deepseek-v4-flash", "kimi-k2", "gemma-4-31b", "moe-2t-a110b", "moe-6t-a300b"}
    for name, card in catalog.models.items():
        if name in other or card.kind == "hybrid-moe":
            assert card.note, name
            continue
        assert card.kv_heads is not None and card.head_dim is not None
        expected = 4 * int(card.layers) * int(card.kv_heads) * int(card.head_dim)
        assert card.kv_bytes_per_token == expected, name


def test_parameters_of_experts_explain_what_is_active(catalog: Catalog) -> None:
    for name, card in catalog.models.items():
        assert float(card.params_b_active) <= float(card.params_b_total), name
        if card.params_b_experts is None:
            assert card.kind == "dense", name
            continue
        assert card.experts is not None and card.experts_active is not None
        idle = float(card.params_b_experts) * (1 - int(card.experts_active) / int(card.experts))
        active = float(card.params_b_total) - idle
        # Published numbers round, and leave embeddings out or count extra heads in.
        tolerance = 0.55 if name == "kimi-k2" else 0.005 if card.hidden.confidence == "assumed" else 0.2
        assert active == pytest.approx(float(card.params_b_active), rel=tolerance), name


def _parts(offer: Offer) -> Iterator[tuple[str, float, float]]:
    """System, share of the quantity and years of each part of an offer."""
    for tranche in offer.tranches:
        for system, share in (tranche.chips or offer.chips).items():
            years = int(offer.term) / HOUR_MS / HOURS_A_YEAR if offer.term is not None else 0.0
            if offer.ends is not None:
                years = (offer.ends - tranche.at).days * 24 / HOURS_A_YEAR
            yield system, float(tranche.share) * float(share), years


def _unit(price: object, system: str) -> float:
    return float(price[system] if isinstance(price, dict) else price)  # type: ignore[arg-type, index]


def _value(offer: Offer, chips: float) -> float:
    """What a quantity costs over the term, USD."""
    price = offer.price
    assert price is not None
    if price.total is not None:
        return float(price.total)
    if price.per_kw_month is not None:
        assert offer.power is not None and offer.power.it is not None and offer.term is not None
        years = int(offer.term) / HOUR_MS / HOURS_A_YEAR
        return float(offer.power.it) * float(price.per_kw_month) * MONTHS_A_YEAR * years
    if price.per_chip is not None:
        return sum(chips * share * _unit(price.per_chip, system) for system, share, _ in _parts(offer))
    return sum(
        chips * share * years * HOURS_A_YEAR * _unit(price.per_chip_hour, system)
        for system, share, years in _parts(offer)
    )


def _sizes(offer: Offer) -> list[float]:
    sizes = [float(offer.default)] if offer.default is not None else []
    return sizes + ([float(offer.quantity.max)] if offer.quantity is not None else [1.0])


HEADLINES = [
    "openai-aws-2025",
    "openai-amazon-2026",
    "openai-microsoft-2025",
    "openai-oracle-2025",
    "iren-like",
    "openai-coreweave-2025",
    "nebius-like",
    "openai-nvidia-2025",
    "openai-amd-2025",
    "openai-amd-milestones-2025",
    "cipher-like-shell",
    "anthropic-azure-nvidia-2025",
]


def test_all_headlines_are_checked(catalog: Catalog) -> None:
    assert {name for name, offer in catalog.offers.items() if offer.headline is not None} == set(HEADLINES)


@pytest.mark.parametrize("name", HEADLINES)
def test_books_close(catalog: Catalog, name: str) -> None:
    """Chips x price x hours = the published value within 2 %, at the default or at the most there is."""
    offer = catalog.offers[name]
    assert offer.headline is not None
    off = [abs(_value(offer, size) / float(offer.headline) - 1) for size in _sizes(offer)]
    assert min(off) <= TOLERANCE


def test_power_closes(catalog: Catalog) -> None:
    """Chips x kW = MW within 2 %."""
    checked = 0
    for name, offer in catalog.offers.items():
        if offer.power is None or offer.power.it is None or offer.kind in ("powered_shell", "colocation"):
            continue
        kw = sum(share * float(catalog.systems[system].kw_per_chip) for system, share, _ in _parts(offer))
        off = [abs(size * kw / float(offer.power.it) - 1) for size in _sizes(offer)]
        assert min(off) <= TOLERANCE, name
        checked += 1
    assert checked >= 12


@pytest.mark.parametrize(
    ("chips", "price"), [(200_016, 3.35), (230_040, 2.92), (320_040, 2.10), (500_040, 1.34)]
)
def test_the_38_billion_at_other_sizes(catalog: Catalog, chips: int, price: float) -> None:
    offer = catalog.offers["openai-aws-2025"]
    hours = sum(chips * share * years * HOURS_A_YEAR for _, share, years in _parts(offer))
    assert _value(offer, chips) / hours == pytest.approx(price, rel=0.005)


def test_deals_without_numbers_say_why(catalog: Catalog) -> None:
    for name in ("openai-google-2025", "openai-broadcom-2025", "openai-cerebras-2026"):
        assert catalog.offers[name].unavailable, name
    for name in ("iren-like", "nebius-like", "cipher-like-shell"):
        assert catalog.offers[name].terms_transplanted, name


def test_exclusivity_and_right_of_first_refusal_are_two_states(catalog: Catalog) -> None:
    offer = catalog.offers["openai-microsoft-2025"]
    assert offer.exclusive is not None and offer.right_of_first_refusal is not None
    assert offer.exclusive.until == datetime.date(2025, 1, 21)
    assert offer.right_of_first_refusal.until == datetime.date(2025, 10, 28)
