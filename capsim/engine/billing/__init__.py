"""Who is paid what, when.

`book` fills the `Ledger` of a run; each kind of payment has its room: rent (with take-or-pay), prepayment,
purchase, shell, power passed through, termination, minimum spend, adjustments. `obligations` says what the
contracts are worth and what stays payable. `vest_equity` fills a ledger of its own.
"""

from capsim.engine.billing.book import book
from capsim.engine.billing.equity import vest_equity
from capsim.engine.billing.ledger import Ledger, overlap
from capsim.engine.billing.obligations import contract_values, owed_after
from capsim.engine.billing.rent import Rent, rents
from capsim.engine.billing.spans import let_ms, lot_span

__all__ = [
    "Ledger",
    "Rent",
    "book",
    "contract_values",
    "let_ms",
    "lot_span",
    "overlap",
    "owed_after",
    "rents",
    "vest_equity",
]
