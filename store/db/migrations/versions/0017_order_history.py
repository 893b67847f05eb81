"""Store what changed in an order's history as JSON instead of sentences.

`order_log` becomes `order_history`. Known sentences are stored as the changes they were made of,
all others as text, so that an entry reads as it did before.

Revision ID: 0017
"""

import json
import re
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

CHUNK = 1000
ORIGINS = {
    "session created",
    "looked up at Stripe",
    "found in Stripe's list",
    "expired at Stripe",
    "refund created",
    "listed at Stripe",
    "looked up after a refusal",
    "brought back from Stripe",
}
CANCEL_REASONS = {
    "replaced by a new cart": "new_cart",
    "asked by the buyer": "buyer",
    "finishing a cancellation": "unfinished",
}
KNOWN = {
    "email known": "email",
    "checkout url known": "checkout_url",
    "receipt url known": "receipt_url",
}
SENTENCES = {
    "attempt": r"attempt (\d+)",
    "checkout_status": r"(?:session|checkout) status (\w+)",
    "payment_status": r"payment status (\w+)",
    "checkout_session_id": r"checkout session id (\S+)",
    "payment_intent_id": r"payment intent id (\S+)",
    "review_reason": r"review reason (.+)",
    "refund_review_reason": r"refund review reason (.+)",
    "paid_although": r"paid although it was (\w+)",
    "inactive_product": r"paid for (.+), which is no longer sold",
}
TEXT_ONLY = {"note", "private note", "refund reason", "attempt failed"}


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "order_history",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    kept = ("id", "order_id", "source", "action")
    old_columns, new_columns = (*kept, "detail", "evidence"), (*kept, "payload")
    old = sa.table("order_log", *map(sa.column, old_columns), sa.column("at", moment))
    new = sa.table("order_history", *map(sa.column, new_columns), sa.column("at", moment))
    connection, last = op.get_bind(), 0
    page = sa.select(old).order_by(old.c.id).limit(CHUNK)
    while rows := connection.execute(page.where(old.c.id > last)).mappings().all():
        entries = [
            {name: row[name] for name in (*kept, "at")}
            | {"payload": payload(row["action"], row["detail"], row["evidence"])}
            for row in rows
        ]
        connection.execute(new.insert(), entries)
        last = rows[-1]["id"]
    if last and connection.dialect.name == "postgresql":
        sequence = sa.text("SELECT setval(pg_get_serial_sequence('order_history', 'id'), :last)")
        connection.execute(sequence, {"last": last})
    op.drop_table("order_log")
    op.create_index("history_of_an_order", "order_history", ["order_id", "id"])


def payload(action: str, detail: str, evidence: str) -> str:
    """An entry's JSON: its changes, and where Stripe reported them."""
    call = json.loads(evidence) if evidence else {}
    parts = detail.split(" · ") if detail else []
    origin = ""
    if parts and (parts[-1] in ORIGINS or parts[-1] == call.get("event_id")):
        origin = parts.pop()
    content: dict[str, Any] = {"changes": [change(action, part) for part in parts]}
    if origin:
        content["origin"] = origin
    if call:
        content["call"] = call
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def change(action: str, sentence: str) -> dict[str, Any]:
    """The change that a sentence was made of; the sentence itself where that is not known."""
    if action not in TEXT_ONLY:
        if sentence in KNOWN:
            return {"known": KNOWN[sentence]}
        if action == "cancel asked" and sentence in CANCEL_REASONS:
            return {"cancel": CANCEL_REASONS[sentence]}
        for kind, pattern in SENTENCES.items():
            if match := re.fullmatch(pattern, sentence):
                return {kind: int(match[1]) if kind == "attempt" else match[1]}
    return {"text": sentence}
