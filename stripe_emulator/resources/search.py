"""Search queries, as far as they are imitated: `email:'ada@example.com' AND metadata['a']:'1'`.

docs.stripe.com/search describes the language. Here terms are joined by AND and compare with `:`
(equal, in any case) or `~` (contains); numbers, OR, negation and ranges are refused.
"""

import json
import re
from typing import Any

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.storage.transaction import Transaction

FIELDS = ("email", "name", "phone")
_STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_TERM = re.compile(
    rf"(?:(?P<field>[a-z_]+)|metadata\[(?P<key>{_STRING})\])\s*(?P<sign>[:~])\s*(?P<text>{_STRING})"
)
_AND = re.compile(r"\s+(?:AND\s+)?", re.IGNORECASE)


def objects(tx: Transaction, kind: str, params: Parameters, url: str) -> StripeObject:
    """Return one page of the objects a query matches, newest first; `page` is where the last one
    ended."""
    conditions, values = _conditions(params["query"])
    limit, after = params.get("limit", 10), _offset(params.get("page", "0"))
    rows = tx.connection.execute(
        "SELECT body FROM objects WHERE kind = ? AND json_extract(body, '$.deleted') IS NULL"  # noqa: S608
        f" AND {conditions} ORDER BY seq DESC LIMIT ? OFFSET ?",
        [kind, *values, limit + 1, after],
    ).fetchall()
    more = len(rows) > limit
    return {
        "object": "search_result",
        "data": [json.loads(row["body"]) for row in rows[:limit]],
        "has_more": more,
        "next_page": str(after + limit) if more else None,
        "url": url,
    }


def _offset(page: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", page, re.ASCII):
        raise InvalidRequest(f"Invalid page: {page[:100]}", param="page")
    return int(page)


def _conditions(query: str) -> tuple[str, list[Any]]:
    """Return the SQL of a query. Raises InvalidRequest for one that is not imitated."""
    conditions: list[str] = []
    values: list[Any] = []
    rest = query.strip()
    while rest:
        term = _TERM.match(rest)
        if term is None or (term["field"] or FIELDS[0]) not in FIELDS:
            raise _refused(query)
        path = f"$.{term['field']}" if term["field"] else f'$.metadata."{_text(term["key"])}"'
        text = _text(term["text"])
        held = "coalesce(json_extract(body, ?), '')"
        if term["sign"] == ":":
            conditions.append(f"lower({held}) = lower(?)")
        else:
            conditions.append(f"instr(lower({held}), lower(?)) > 0")
        values += [path, text]
        rest = rest[term.end() :]
        if rest:
            joint = _AND.match(rest)
            if joint is None or joint.end() == len(rest):
                raise _refused(query)
            rest = rest[joint.end() :]
    if not conditions:
        raise _refused(query)
    return " AND ".join(conditions), values


def _text(quoted: str) -> str:
    text = re.sub(r"\\(.)", r"\1", quoted[1:-1])
    if '"' in text:
        raise InvalidRequest("This emulator does not search for quotation marks.", param="query")
    return text


def _refused(query: str) -> InvalidRequest:
    return InvalidRequest(
        "This emulator searches by email, name, phone and metadata, with `:` or `~` and joined by "
        f"AND only; it does not imitate this query: {query[:200]}",
        param="query",
    )
