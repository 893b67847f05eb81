"""The balance and its transactions."""

from typing import Any

from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.storage.transaction import Transaction

DAY = 86400
PAYOUT_DELAY_SECONDS = 7 * DAY
CATEGORIES = {"adjustment": "dispute", "charge": "charge", "payment": "charge", "refund": "refund"}


def fee_of(amount: int) -> int:
    """Return 2.9 % + 30, Stripe's list price in the United States."""
    return min(amount, round(amount * 0.029) + 30)


def record(
    tx: Transaction, kind: str, source: StripeObject, amount: int, *, fee: int | None = None
) -> StripeObject:
    """Store a balance transaction; outgoing money has a negative amount."""
    charged = (fee_of(amount) if kind in ("charge", "payment") else 0) if fee is None else fee
    detail = {
        "amount": charged,
        "application": None,
        "currency": source["currency"],
        "description": "Dispute fee" if kind == "adjustment" else "Processing fees",
        "type": "stripe_fee",
    }
    return tx.add(
        {
            "id": new_id("balance_transaction"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": tx.seconds + (PAYOUT_DELAY_SECONDS if amount > 0 else 0),
            "balance_type": "payments",
            "created": tx.seconds,
            "currency": source["currency"],
            "description": source.get("description"),
            "exchange_rate": None,
            "fee": charged,
            "fee_details": [detail] if charged else [],
            "net": amount - charged,
            "reporting_category": CATEGORIES[kind],
            "source": source["id"],
            "status": "pending" if amount > 0 else "available",
            "type": kind,
        }
    )


def retrieve(tx: Transaction) -> StripeObject:
    """Retrieve the balance (GET /v1/balance)."""
    rows = tx.connection.execute(
        "SELECT json_extract(body, '$.currency') AS currency,"
        " sum(CASE WHEN json_extract(body, '$.available_on') <= ?"
        " THEN json_extract(body, '$.net') ELSE 0 END) AS ready,"
        " sum(CASE WHEN json_extract(body, '$.available_on') > ?"
        " THEN json_extract(body, '$.net') ELSE 0 END) AS waiting"
        " FROM objects WHERE kind = 'balance_transaction' GROUP BY 1 ORDER BY 1",
        (tx.seconds, tx.seconds),
    ).fetchall()
    sums = [(row["currency"], row["ready"], row["waiting"]) for row in rows] or [("usd", 0, 0)]
    return {
        "object": "balance",
        "available": [_amount(currency, ready) for currency, ready, _ in sums],
        "livemode": False,
        "pending": [_amount(currency, waiting) for currency, _, waiting in sums],
    }


def _amount(currency: str, amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}
