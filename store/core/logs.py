"""The format of log lines in every process: text, or JSON lines (`LOG_FORMAT=json`).

Fields are whatever is passed as `extra=` (`order_number`, `event_id`, `incident`), and Stripe's
request id if a StripeError is among the arguments.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from store.core import settings
from store.core.errors import StripeError

STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message", "taskName"}
OTHERS = ("uvicorn", "streamlit", "websockets")  # bring handlers of their own
CHATTY = ("alembic", "stripe", "httpx", "urllib3", *OTHERS)


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, message, the fields, and a traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= fields(record)
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


class Text(logging.Formatter):
    """`LEVEL logger: message (order_number=…)`; the supervisor adds the time."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        text = super().formatMessage(record)
        shown = ", ".join(f"{name}={value}" for name, value in fields(record).items())
        return f"{text} ({shown})" if shown else text


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What was passed as `extra=`, and the request id of a StripeError."""
    extra = {name: value for name, value in vars(record).items() if name not in STANDARD}
    raised = record.exc_info[1] if record.exc_info else None
    arguments = record.args if isinstance(record.args, tuple) else ()
    for error in (*arguments, raised):
        if isinstance(error, StripeError) and error.request_id:
            extra.setdefault("request_id", error.request_id)
    return extra


def configure() -> None:
    """Log to standard error, in the format of the settings; also for libraries."""
    chosen = settings.current()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if chosen.log_format == "json" else Text())
    plain = [each for each in logging.root.handlers if type(each) is logging.StreamHandler]
    logging.root.handlers[:] = [handler, *(h for h in logging.root.handlers if h not in plain)]
    logging.root.setLevel(chosen.log_level)
    for name in [*CHATTY, *(n for n in logging.root.manager.loggerDict if n.startswith(OTHERS))]:
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True
        other.setLevel(max(logging.WARNING, logging.root.level))
