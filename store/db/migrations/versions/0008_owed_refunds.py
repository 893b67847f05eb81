"""Keep a refund owed until Stripe takes it on; find those that are not finished by one index.

Until now, the refund of a second payment that was refused, or that failed at Stripe, was closed
although the money had not gone back. Such a refund is owed again.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

UNFINISHED = sa.text("status IN ('requested', 'pending', 'requires_action')")
KNOW_WHAT_CAME_IN = "UPDATE refunds SET payment_amount = amount WHERE reason = 'duplicate'"
# Unless another refund of the same payment is on its way, or the bank has taken the money.
STILL_OWED = """
    NOT EXISTS (
        SELECT 1 FROM refunds AS other
        WHERE other.payment_intent_id = refunds.payment_intent_id
          AND other.status NOT IN ('failed', 'canceled')
    ) AND NOT EXISTS (
        SELECT 1 FROM disputes
        WHERE disputes.payment_intent_id = refunds.payment_intent_id
          AND disputes.status IN ('lost', 'appeal_needs_response', 'appeal_under_review')
    )
"""
NEVER_SENT = f"""
    UPDATE refunds SET status = 'requested', attempt = attempt + 1
    WHERE reason = 'duplicate' AND status = 'failed' AND stripe_refund_id IS NULL AND {STILL_OWED}
"""  # noqa: S608 - all of it stands here
FAILED_AT_STRIPE = f"""
    INSERT INTO refunds (order_id, payment_intent_id, amount, payment_amount, status, reason,
        idempotency_key, attempt, created_at, updated_at)
    SELECT order_id, payment_intent_id, amount, amount, 'requested', reason,
        idempotency_key || '-2', 1, updated_at, updated_at
    FROM refunds
    WHERE reason = 'duplicate' AND stripe_refund_id IS NOT NULL
      AND status IN ('failed', 'canceled') AND {STILL_OWED}
"""  # noqa: S608 - as above


def upgrade() -> None:
    op.add_column("refunds", sa.Column("payment_amount", sa.Integer(), nullable=True))
    op.add_column("refunds", sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("refunds", sa.Column("refusal", sa.Text(), nullable=True))
    op.drop_index("unsent_refunds", "refunds")
    op.create_index(
        "unfinished_refunds",
        "refunds",
        ["id"],
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    )
    for statement in (KNOW_WHAT_CAME_IN, NEVER_SENT, FAILED_AT_STRIPE):
        op.execute(statement)
