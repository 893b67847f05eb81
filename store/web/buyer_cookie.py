"""The buyer's identity: a private random cookie, of which the database keeps only the hash.

Browsers keep cookies per host, not per port, so the cookie's name carries the port: two shops on
one host would otherwise replace each other's cookies.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from store.core import addresses
from store.web.request_origin import over_https

COOKIE_NAME = "store_buyer"
COOKIE_MAX_AGE = 365 * 24 * 60 * 60
_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}")


def new_cookie() -> str:
    """256 random bits, as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def is_cookie(text: str) -> bool:
    """True for the shape of `new_cookie`; any other value is replaced, never trusted."""
    return _SHAPE.fullmatch(text) is not None


def buyer_hash(cookie: str) -> str:
    """The SHA-256 of the cookie in hex, which identifies the buyer in the database."""
    return hashlib.sha256(cookie.encode()).hexdigest()


def cookie_name(base: str, host_header: str) -> str:
    """`base` at the default ports, else with the port: `store_buyer_8501`."""
    host = addresses.Host.parse(host_header)
    if host is None or host.port in (None, *addresses.DEFAULT_PORTS.values()):
        return base
    return f"{base}_{host.port}"


def read_cookie(cookies: Mapping[str, str], host_header: str) -> str | None:
    """This shop's valid buyer cookie, or None.

    Falls back to the name without a port, which earlier versions set; the next page response sets
    it again under this shop's name.
    """
    for name in (cookie_name(COOKIE_NAME, host_header), COOKIE_NAME):
        if is_cookie(cookies.get(name, "")):
            return cookies[name]
    return None


def buyer_of(request: Request) -> str | None:
    """The hash of the request's buyer cookie; None without a valid one."""
    cookie = read_cookie(request.cookies, request.headers.get("host", ""))
    return buyer_hash(cookie) if cookie else None


def set_buyer_cookie(request: Request, response: Response) -> None:
    """Give a browser that opens a page its cookie, which then comes with the page's WebSocket."""
    host = request.headers.get("host", "")
    name = cookie_name(COOKIE_NAME, host)
    if opens_a_page(request) and not is_cookie(request.cookies.get(name, "")):
        response.set_cookie(
            name,
            read_cookie(request.cookies, host) or new_cookie(),
            max_age=COOKIE_MAX_AGE,
            httponly=True,
            secure=over_https(request.scope),
            samesite="Lax",  # type: ignore[arg-type]  # as RFC 6265 writes it
        )


def opens_a_page(request: Request) -> bool:
    """True for a navigation; scripts, images and health checks get no cookie."""
    if request.method != "GET":
        return False
    if destination := request.headers.get("sec-fetch-dest"):
        return destination in ("document", "iframe")
    return "text/html" in request.headers.get("accept", "")
