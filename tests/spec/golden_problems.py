"""Texts of the rich study that are replaced, and every problem that loading then finds."""

from __future__ import annotations

# (old text, new text, [(the text that the problem points at, what is said)])
GOLDEN = [
    (
        "horizon: {start",
        "horizn: {start",
        [
            ("capsim:", "`horizon` is missing; add `horizon:` a mapping with start, end"),
            ("horizn:", "unknown key `horizn`; did you mean `horizon`?"),
        ],
    ),
    (
        "flops: 2e25, ",
        "",
        [
            (
                "{name: first",
                "`flops` is missing in `demand.training_runs.0`; add `flops:` a number of FLOP such as 5e26",
            )
        ],
    ),
    (
        "systems: [box, rack]",
        "systems: box",
        [("box, priority: 50", "`box` is not right for `demand.inference.0.systems`; write [box]")],
    ),
    (
        "horizon: {start: 2026-01-01, end: 2028-Q1}",
        "horizon: [2026, 2028]",
        [("[2026, 2028]", "a list is not right for `horizon`; write a mapping with start, end")],
    ),
    ("precision: bf16\n", "precision: fp16\n", [("fp16", "`fp16` is not known here; did you mean `bf16`?")]),
    ("tflops: {bf16", "tflops: {bf61", [("bf61", "`bf61` is not known here; did you mean `bf16`?")]),
    (
        "    term: 5y\n",
        "    term: 5\n",
        [
            (
                "5\n",
                "`5` lacks its unit; "
                "write a length of time such as 50 ms, 2 s, 40 min, 6 h, 5 d, 26w, 6mo, 1q or 7y",
            )
        ],
    ),
    (
        "price: {total: $1.0B}",
        "price: {total: 1.0B}",
        [("1.0B}", "`1.0B` is money without `$`; write money such as $1.5M or $38B")],
    ),
    (
        "price: {total: $1.0B}",
        "price: {total: $1.0B, per_chip_hour: $2/h}",
        [
            (
                "{total: $1.0B, per",
                "a price states total and per_chip_hour; "
                "write exactly one of total, per_chip_hour, per_chip_month, per_kw_month, per_chip",
            )
        ],
    ),
    (
        "lot: 72}\n    default: 7200",
        "lots: 72}\n    default: 7200",
        [
            (
                "{min: 72, max: 14400, lots",
                '`lot` is missing in `offers."cloud.v1".quantity`; '
                "add `lot:` a whole number such as 72, 500k or 1.2M",
            ),
            ("lots: 72}", 'unknown key `lots` in `offers."cloud.v1".quantity`; did you mean `lot`?'),
        ],
    ),
    ("p: 30%}", "p: 130%}", [("130%", "`130%` is out of bounds; write at least 0 and at most 1")]),
    (
        "hold: {cloud.v1: 7200}",
        "hold: {cloud.v1: most}",
        [
            (
                "most",
                "`most` is not a number; write min, max, a list of orders or a number of chips such as 230k",
            )
        ],
    ),
    (
        "hold: {cloud.v1: 7200}",
        "hold: {cloud: 7200}",
        [("cloud: 7200", "there is no offer `cloud`; did you mean `cloud.v1`?")],
    ),
    (
        "hold: {cloud.v1: 7200}",
        "hold: {later: 7200}",
        [
            (
                "later: 7200",
                "the offer `later` was announced on 2026-06-01, after the decision date 2026-02-01; "
                "leave it out, or move the date: --as-of 2026-06-01",
            )
        ],
    ),
    (
        "[cloud.v1.more]",
        "[cloud.v1.mor]",
        [("cloud.v1.mor", "there is no option `mor`; did you mean `more`?")],
    ),
    (
        'when: "backlog > 2w or',
        'when: "backlogs > 2w or',
        [('"backlogs', "a strategy cannot watch `backlogs`; did you mean `backlog`?")],
    ),
    (
        "model: moe, flops",
        "model: deepseek, flops",
        [("deepseek, f", "there is no model `deepseek`; write `moe`")],
    ),
    ("reference: rack", "reference: rak", [("rak\n", "there is no system `rak`; did you mean `rack`?")]),
    ("factor: grid", "factor: grids", [("grids", "there is no factor `grids`; did you mean `grid`?")]),
    (
        "against: cloud",
        "against: clouds",
        [("clouds", "there is no strategy `clouds`; did you mean `cloud`?")],
    ),
    ("cases: [base, late]", "cases: [base, lat]", [("lat]", "there is no case `lat`; did you mean `late`?")]),
    (
        "exercise: {leased.swap:",
        "exercise: {leased.swop:",
        [('"utilisation > 80%"', "there is no option `swop`; did you mean `swap`?")],
    ),
    (
        'renew: {leased: "backlog > 1w"}',
        'renew: {leased: "sometimes"}',
        [
            (
                '"sometimes"',
                "`sometimes` is no condition; "
                "write `always`, `never`, `backlog > 2w`, `utilisation > 85% for 30d`, or several joined"
                " by `and`, `or`",
            )
        ],
    ),
    (
        'renew: {leased: "backlog > 1w"}',
        'renew: {leased: "backlog >"}, colour: red, share: half',
        [
            (
                '"backlog >"',
                "`backlog >` is no condition; write `always`, `never`, `backlog > 2w`,"
                " `utilisation > 85% for 30d`, or several joined by `and`, `or`",
            ),
            (
                "colour",
                "unknown key `colour` in `strategies.managed`; write one of dispatch, exercise, hold, note,"
                " options, python, ramp, renew, resell, rules, share, terminate and 1 more",
            ),
            ("half", "`half` is not a number; write a share such as 35% or 0.35"),
        ],
    ),
    (
        "compare: {against: cloud, ",
        "compare: {",
        [("{runs: ", "`against` is missing in `compare`; add `against:` the name of a strategy")],
    ),
    (
        "resell: [{offer: leased",
        "resell: [{offer: least",
        [("least,", "there is no offer `least`; did you mean `leased`?")],
    ),
    (
        "suppliers: {cloud-b:",
        "suppliers: {cloud-bb:",
        [("cloud-bb", "there is no provider `cloud-bb`; did you mean `cloud-b`?")],
    ),
    (
        "dedicated: {workloads: [first, research",
        "dedicated: {workloads: [frist, research",
        [("frist", "there is no workload `frist`; did you mean `first`?")],
    ),
    (
        "exclusive: {workloads: training,",
        "exclusive: {workloads: trainings,",
        [("trainings", "there is no workload `trainings`; did you mean `training`?")],
    ),
    (
        "exclusive: {workloads: training, until: 2026-02-01}",
        "exclusive: [chat, frist]",
        [("frist]", "there is no workload `frist`; did you mean `first`?")],
    ),
    (
        "exclusive: {workloads: training, until: 2026-02-01}",
        "exclusive: []",
        [("[]", "exclusive for no work; name workloads, or leave `exclusive` out")],
    ),
    (
        "kind: swap, replaces: [rack], chip: box,",
        "kind: swap, replaces: [rack], chip: box, quantity: 72,",
        [
            (
                "{name: swap",
                "a swap with a quantity; "
                "write the quantity of an expand or a refresh; a swap takes what it replaces",
            )
        ],
    ),
    (
        "capsim: 1",
        "capsim: 2",
        [("2\n", "`2` is not a version of the study language that this capsim reads; write capsim: 1")],
    ),
    (
        "2026-01: 100G/d, 2027-12",
        "2026-01: 100G/d, 2026-13",
        [
            (
                "2026-13",
                "`2026-13` is not a day of the calendar; write a date such as 2026-04-01, 2026-04 or 2026-Q3",
            )
        ],
    ),
    (
        "    kind: cloud\n    status: live",
        "    kind: clod\n    status: alive",
        [
            ("clod", "`clod` is not known here; did you mean `cloud`?"),
            ("alive", "`alive` is not known here; did you mean `live`?"),
        ],
    ),
]
