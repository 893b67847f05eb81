"""What all pages share: templates, formats of money and time, headers.

Pages are rendered on the server with autoescaping, run no inline script, and load nothing from
other hosts, except pictures that a Checkout Session names by URL.
"""

import re
from collections.abc import Mapping
from copy import copy
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from babel import Locale
from babel.core import UnknownLocaleError, negotiate_locale
from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stripe_emulator.base.currencies import exponent, step

HERE = Path(__file__).parent
STATIC_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

SECURITY_HEADERS = {
    # `form-action` names no host: browsers apply it to the redirect after a payment and to the
    # shop's own redirects after that, and the shop may be at any address.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data: http: https:; form-action 'self' http: https:; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

# CLDR separates a currency that ends in a letter from its number; Babel does not.
LETTER_BEFORE_DIGIT = re.compile(r"(?<=[^\W\d_])(?=\d)")

GOOD, BAD, WAIT, QUIET = "good", "bad", "wait", "quiet"
BADGES = {
    "succeeded": ("●", GOOD),
    "complete": ("●", GOOD),
    "paid": ("●", GOOD),
    "won": ("●", GOOD),
    "active": ("●", GOOD),
    "no_payment_required": ("●", GOOD),
    "open": ("○", WAIT),
    "processing": ("◐", WAIT),
    "pending": ("◐", WAIT),
    "requires_action": ("◐", WAIT),
    "needs_response": ("◐", WAIT),
    "under_review": ("◐", WAIT),
    "warning_needs_response": ("◐", WAIT),
    "warning_under_review": ("◐", WAIT),
    "partially refunded": ("◑", WAIT),
    "refunded": ("↩", QUIET),
    "disputed": ("!", BAD),
    "failed": ("✕", BAD),
    "lost": ("✕", BAD),
    "declined": ("✕", BAD),
    "requires_payment_method": ("○", QUIET),
    "expired": ("–", QUIET),
    "canceled": ("–", QUIET),
    "warning_closed": ("–", QUIET),
    "dropped": ("–", QUIET),
    "unpaid": ("○", QUIET),
}


def badge(status: str) -> dict[str, str]:
    """Return the symbol and word of a status, so that it does not depend on colour alone."""
    glyph, tone = BADGES.get(status, ("·", QUIET))
    return {"glyph": glyph, "tone": tone, "word": status.replace("_", " ")}


def money(amount: int, currency: str, locale: str = "en_US") -> str:
    """Format minor units for a locale: 3998, `usd` → `$39.98`.

    The digits are those that Stripe charges, whatever the locale uses (RSD 19.99), so an amount is
    never rounded. Currencies with whole units only (ISK) have none.
    """
    units, digits = Decimal(amount).scaleb(-exponent(currency)), exponent(currency)
    if step(currency) == 10**digits and not amount % step(currency):
        digits = 0
    pattern = copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    text = pattern.apply(units, locale, currency=currency.upper(), currency_digits=False)
    text = text.replace("\N{RIGHT-TO-LEFT MARK}", "")  # the pages are in English
    return LETTER_BEFORE_DIGIT.sub("\N{NO-BREAK SPACE}", text)


def grouped(number: str) -> str:
    """Return a card number as printed: 4-6-5 for American Express, else in groups of four."""
    cuts = (0, 4, 10) if number.startswith(("34", "37")) else range(0, len(number), 4)
    ends = [*list(cuts)[1:], len(number)]
    return " ".join(number[start:end] for start, end in zip(cuts, ends, strict=True))


def iso_time(at: float | None) -> str:
    """Return Unix seconds as an ISO time in UTC, for `<time datetime>`; "" for None."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at is not None else ""


def display_time(at: float | None) -> str:
    """Return Unix seconds as text; scripts convert it to the browser's time zone."""
    return f"{datetime.fromtimestamp(at, UTC):%d %b %H:%M:%S} UTC" if at is not None else "–"


def web_link(address: str | None) -> str | None:
    """Return the address if a browser may open it, else None (`javascript:` is not)."""
    return address if address and urlsplit(address).scheme in {"http", "https"} else None


def locale_of(request: Request, preferred: str | None = None) -> str:
    """Return the locale of amounts: the session's own, else the browser's, else en_US."""
    header = request.headers.get("accept-language", "")
    ranked = [part.partition(";q=") for part in header.replace(" ", "").split(",") if part]
    ranked.sort(key=lambda part: -_quality(part[2]))
    names = [tag for tag, _, _ in ranked]
    if preferred and preferred != "auto":
        names.insert(0, preferred)
    for name in names:
        if name == "root" or len(name) > 35:  # no person's locale; the longest tag of RFC 5646
            continue
        try:
            return str(Locale.parse(name, sep="-" if "-" in name else "_"))
        except (UnknownLocaleError, ValueError):
            continue
    return negotiate_locale([], ["en_US"]) or "en_US"


def _quality(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError:
        return 0.0


TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters.update(
    grouped=grouped, iso_time=iso_time, display_time=display_time, badge=badge, web_link=web_link
)
TEMPLATES.globals["money"] = money


def page(
    name: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
) -> Response:
    """Return a rendered template with the headers that every page has."""
    html = TEMPLATES.get_template(name).render(**context)
    return HTMLResponse(html, status_code=status, headers=SECURITY_HEADERS)


def require_same_origin(request: Request) -> None:
    """Raise HTTPException (403) for a request that another site's page makes in the visitor's name.

    Browsers report the origin in `Sec-Fetch-Site`, older ones only in `Origin`. A client that sends
    neither is not a browser, so no page can make it send requests.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        ours = site in {"same-origin", "none"}
    else:
        ours = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not ours:
        raise HTTPException(403, "This was sent from another site, so nothing was done.")


def static(name: str) -> Response:
    """Return a style sheet, script or picture of the pages; 404 for anything else."""
    file = HERE / "static" / name
    kind = STATIC_TYPES.get(file.suffix)
    if kind is None or file.parent != HERE / "static" or not file.is_file():
        raise HTTPException(404, "No such file.")
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return Response(file.read_bytes(), media_type=kind, headers=headers)
