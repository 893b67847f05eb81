"""Log lines as text and as JSON: the order, event and request are fields."""

import json
import logging
import sys

from store.core import logs
from store.core.errors import StripeUnreachable


def a_record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger("store.test").makeRecord(
        "store.test", logging.WARNING, __file__, 1, message, args, None, extra=extra
    )


def test_a_log_line_carries_its_order_event_and_request_as_fields() -> None:
    error = StripeUnreachable()
    error.call = json.dumps({"request_id": "req_1", "status": 500})
    record = a_record("Left %s: %s", "A1", error, order_number="A1", event_id="evt_1")

    entry = json.loads(logs.JsonLines().format(record))

    assert entry["message"].startswith("Left A1: ")
    assert (entry["level"], entry["logger"]) == ("WARNING", "store.test")
    assert (entry["order_number"], entry["event_id"], entry["request_id"]) == (
        "A1",
        "evt_1",
        "req_1",
    )
    assert (
        logs.Text().format(record).endswith("(order_number=A1, event_id=evt_1, request_id=req_1)")
    )


def test_a_traceback_stays_on_its_line() -> None:
    record = a_record("Unexpected")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record.exc_info = sys.exc_info()

    entry = json.loads(logs.JsonLines().format(record))

    assert "ValueError: two\nlines" in entry["exception"]
