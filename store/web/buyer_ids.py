"""Who a buyer is: a private random cookie, of which the database keeps only the hash."""

import hashlib
import re
import secrets

COOKIE = "store_buyer"
COOKIE_SECONDS = 365 * 24 * 60 * 60
_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}")


def new_cookie() -> str:
    """256 random bits, as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def is_cookie(text: str) -> bool:
    """True for what `new_cookie` could have made; anything else is replaced, never trusted."""
    return _SHAPE.fullmatch(text) is not None


def digest(cookie: str) -> str:
    """The SHA-256 of the cookie in hex: the buyer, as the database and the store know them."""
    return hashlib.sha256(cookie.encode()).hexdigest()
