"""Many settled orders with their items, history, events and refunds, written by the database.

Every 86 minutes one order, up to now, whatever their number: a longer past, not a busier day. The
shortest past is as long as what the figures of thirty days look at, which is the thirty days before
as well. Each buyer has bought six times, all over that past; one order in a hundred was given back.
"""

from sqlalchemy import Connection, Engine

PER_BUYER = 6
MINUTES = 86.4  # a thousand orders in sixty days

WORDS = {
    "sqlite": {
        "series": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n}) "
        "SELECT i FROM n) AS s",
        "padded": "printf('%09d', {0})",
        "at": "strftime('%Y-%m-%d %H:%M:%f', 'now', "
        "printf('-%d seconds', CAST(({n} - i) * {seconds} AS INTEGER))) || '000'",
    },
    "postgresql": {
        "series": "generate_series(1, {n}) AS s(i)",
        "padded": "lpad(({0})::text, 9, '0')",
        "at": "now() - make_interval(secs => ({n} - i) * {seconds})",
    },
}

STATEMENTS = (
    """
    INSERT INTO orders (number, buyer_hash, currency, total_amount, status, cart_fingerprint,
      attempt, idempotency_key, checkout_parameters, checkout_session_id, checkout_url,
      checkout_expires_at, checkout_status, payment_status, payment_intent_id, refunded_amount,
      email, email_folded, created_at, paid_at, updated_at)
    SELECT 'PAST-' || {place}, {buyer}, 'usd', 3998,
      CASE WHEN i - i / 100 * 100 = 0 THEN 'refunded' ELSE 'paid' END, 'cart-' || {place}, 1,
      'key-' || {place}, '{{}}', 'cs_test_past' || {place}, 'https://x/' || {place},
      {at}, 'complete', 'paid', 'pi_past' || {place},
      CASE WHEN i - i / 100 * 100 = 0 THEN 3998 ELSE 0 END,
      'buyer' || {place} || '@example.com', 'buyer' || {place} || '@example.com', {at}, {at}, {at}
    FROM {series}
    """,
    """
    INSERT INTO order_items (order_id, product_id, name, unit_amount, quantity)
    SELECT id, 1, 'Red T-Shirt', 1999, 2 FROM orders
    """,
    """
    INSERT INTO order_history (order_id, at, source, action, payload)
    SELECT id, created_at, 'buyer', 'placed', '{{"changes":[{{"attempt":1}}]}}' FROM orders
    UNION ALL SELECT id, paid_at, 'webhook', 'paid', '{{"changes":[]}}' FROM orders
    """,
    """
    INSERT INTO stripe_events (id, type, created_at, received_at, deliveries, outcome, order_id)
    SELECT 'evt_' || number, 'checkout.session.completed', created_at, created_at, 1, 'applied', id
    FROM orders
    """,
    """
    INSERT INTO refunds (order_id, payment_intent_id, amount, status, reason, idempotency_key,
      stripe_refund_id, created_at, updated_at)
    SELECT id, payment_intent_id, 3998, 'succeeded', '', 're-' || number, 're_' || number,
      paid_at, paid_at
    FROM orders WHERE status = 'refunded'
    """,
)


def buyer(place: int, count: int) -> str:
    """Whose order that was; the same in Python and in the statements."""
    return f"past-{place % max(count // PER_BUYER, 1):09}"


def write(engine: Engine, count: int) -> None:
    """Fill an empty, migrated database."""
    words = WORDS[engine.dialect.name]
    buyers = max(count // PER_BUYER, 1)
    values = {
        "series": words["series"].format(n=count),
        "at": words["at"].format(n=count, seconds=MINUTES * 60),
        "place": words["padded"].format("i"),
        "buyer": "'past-' || " + words["padded"].format(f"i - i / {buyers} * {buyers}"),
    }
    with engine.execution_options(writes=True).begin() as connection:
        lift_time_limits(connection)
        for statement in STATEMENTS:
            connection.exec_driver_sql(statement.format(**values))
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            lift_time_limits(connection)
            connection.exec_driver_sql("VACUUM ANALYZE")
            connection.exec_driver_sql("CHECKPOINT")  # or it would write during the measurement


def lift_time_limits(connection: Connection) -> None:
    """The shop limits a statement to what a page may wait."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET statement_timeout = 0")
