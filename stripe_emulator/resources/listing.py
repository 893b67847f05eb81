"""Lists with cursors, newest first, and their filters."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import events
from stripe_emulator.storage.transaction import Transaction

COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
COLUMNS = ("status", "payment_intent", "charge")
JSON_FILTERS = {
    "active": "$.active",
    "allow_redisplay": "$.allow_redisplay",
    "attach_to_self": "$.attach_to_self",
    "code": "$.code",
    "coupon": "$.promotion.coupon",
    "currency": "$.currency",
    "customer": "$.customer",
    "customer_account": "$.customer_account",
    "customer_details": "$.customer_details.email",
    "email": "$.email",
    "fixed_amount": "$.fixed_amount.currency",
    "payment_link": "$.payment_link",
    "payment_method": "$.payment_method",
    "product": "$.product",
    "setup_intent": "$.setup_intent",
    "shippable": "$.shippable",
    "source": "$.source",
    "subscription": "$.subscription",
    "transfer_group": "$.transfer_group",
    "type": "$.type",
    "url": "$.url",
}
DELETABLE = ("coupon", "customer", "product", "webhook_endpoint")
NOT_GONE = (
    "NOT EXISTS (SELECT 1 FROM troubles AS gone WHERE gone.kind = 'gone' AND gone.match <> '*'"
    " AND {table}.id GLOB gone.match)"
)
"""Hides objects with a `gone` fault at their own address from lists too."""
PAGING = ("limit", "starting_after", "ending_before", "expand", "created", "client_secret")


@dataclass(frozen=True)
class Query:
    """The rows of a table that a list shows."""

    table: str
    kind: str
    url: str
    conditions: list[str]
    values: list[Any]
    oldest_first: bool = False


def objects(tx: Transaction, kind: str, params: Parameters, url: str) -> StripeObject:
    """Return one page of stored objects of a kind."""
    conditions, values = ["kind = ?"], [kind]
    if kind in DELETABLE:
        conditions.append("json_extract(body, '$.deleted') IS NULL")
    for name, value in params.items():
        if name in PAGING:
            continue
        condition, compared = _condition(name, value)
        conditions.append(condition)
        values += compared
    return _page(tx, Query("objects", kind, url, conditions, values), params)


def _condition(name: str, value: Any) -> tuple[str, list[Any]]:
    if name in ("ids", "lookup_keys"):
        path = "id" if name == "ids" else "json_extract(body, '$.lookup_key')"
        return f"{path} IN ({','.join('?' * len(value))})", list(value)
    if name == "recurring":
        parts = [f"json_extract(body, '$.recurring.{field}') = ?" for field in value]
        return " AND ".join(parts) or "1", list(value.values())
    if name in COLUMNS:
        return f"{name} = ?", [value]
    if name == "customer_details":
        value = value.get("email")
    return f"json_extract(body, '{JSON_FILTERS[name]}') = ?", [
        int(value) if value in (True, False) else value
    ]


def of_events(tx: Transaction, params: Parameters, url: str) -> StripeObject:
    """Return one page of events."""
    conditions, values = events.filters(tx, params)
    return _page(tx, Query("events", "event", url, conditions, values), params)


def line_items(tx: Transaction, session_id: str, params: Parameters) -> StripeObject:
    """Return one page of a session's line items, in the order of the cart."""
    conditions, values = ["parent = ?", "kind = 'item'"], [session_id]
    url = f"/v1/checkout/sessions/{session_id}/line_items"
    return _page(tx, Query("objects", "item", url, conditions, values, oldest_first=True), params)


def _page(tx: Transaction, query: Query, params: Parameters) -> StripeObject:
    limit = params.get("limit", 10)
    created, times = _created(params.get("created"))
    after, cursor = _cursor_condition(tx.connection, query, params)
    ascending = query.oldest_first != ("ending_before" in params)
    not_gone = NOT_GONE.format(table=query.table)
    rows = tx.connection.execute(
        f"SELECT body FROM {query.table}"  # noqa: S608
        f" WHERE {' AND '.join([*query.conditions, *created, *after, not_gone])}"
        f" ORDER BY seq {'ASC' if ascending else 'DESC'} LIMIT ?",
        [*query.values, *times, *cursor, limit + 1],
    ).fetchall()
    bodies = [row["body"] for row in rows[:limit]]
    if "ending_before" in params:
        bodies.reverse()
    return {
        "object": "list",
        "data": [_render(tx.connection, query.kind, body) for body in bodies],
        "has_more": len(rows) > limit,
        "url": query.url,
    }


def _render(connection: sqlite3.Connection, kind: str, body: str) -> StripeObject:
    if kind == "event":
        return events.render(connection, body)
    stripe_object: StripeObject = json.loads(body)
    return stripe_object


def _cursor_condition(
    connection: sqlite3.Connection, query: Query, params: Parameters
) -> tuple[list[str], list[int]]:
    """Return the SQL condition of a cursor; cursors are exclusive."""
    if "ending_before" in params and "starting_after" in params:
        raise InvalidRequest("You can only specify one of starting_after and ending_before.")
    for param in ("starting_after", "ending_before"):
        if param in params:
            newer = (param == "ending_before") != query.oldest_first
            seq = _position(connection, query, params[param], param)
            return [f"seq {'>' if newer else '<'} ?"], [seq]
    return [], []


def _created(params: Any) -> tuple[list[str], list[int]]:
    if params is None:
        return [], []
    if isinstance(params, int):
        return ["created = ?"], [params]
    return [f"created {COMPARISONS[name]} ?" for name in params], list(params.values())


def _position(connection: sqlite3.Connection, query: Query, cursor: str, param: str) -> int:
    """Return the row number of a cursor. Raises InvalidRequest (400, not 404) for an unknown
    one."""
    of_kind = " AND kind = ?" if query.table == "objects" else ""
    row = connection.execute(
        f"SELECT seq FROM {query.table} WHERE id = ?{of_kind}",  # noqa: S608
        [cursor, query.kind] if of_kind else [cursor],
    ).fetchone()
    if row is None:
        raise InvalidRequest(
            f"No such {query.kind}: '{cursor}'", code="resource_missing", param=param
        )
    return int(row["seq"])
