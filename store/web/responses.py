"""Pages without Streamlit, and the sentences for errors."""

import logging
import secrets
from http import HTTPStatus

from starlette.responses import HTMLResponse

from store.core import errors
from store.web import rendering

log = logging.getLogger(__name__)

PLAIN_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; font-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def plain_page(sentence: str, status: int, links: dict[str, str] | None = None) -> HTMLResponse:
    links = links or {"Back to the shop": "/"}
    heading = "Not found" if status == HTTPStatus.NOT_FOUND else "That did not work"
    body = rendering.render(
        "plain_page", "plain_page", heading=heading, sentence=sentence, links=links
    )
    return HTMLResponse(body, status, headers=PLAIN_HEADERS)


def error_text(error: errors.StoreError) -> str:
    """The sentence of an expected error; with status 500 or above it also quotes its log line."""
    if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return str(error)
    name = secrets.token_hex(4)
    log.warning("Shown to a buyer as %s: %s", name, error, extra={"incident": name})
    return f"{error} If it stays, quote {name}."


def log_unexpected(error: Exception) -> str:
    """Log an unexpected error under a short id, and return the sentence that quotes the id."""
    name = secrets.token_hex(4)
    log.error("Unexpected error %s", name, exc_info=error, extra={"incident": name})
    return f"Something went wrong here. Reload the page; if it stays, quote error {name}."
