"""The way into the back office and out of it, over HTTP; and who may send it anything."""

import logging
import secrets
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from store import door, markup, office, settings
from store.cookies import over_https
from store.errors import StoreError
from store.office import OFFICE, NotSignedIn, TooManyTries
from store.shell import Shell

log = logging.getLogger(__name__)

HOME = "/back-office"
ENTRANCE = "/back-office/sign-in"
LARGEST_SIGN_IN = 8 * 1024
NOT_KEPT = {"Cache-Control": "no-store"}


class NotFromHere(StoreError):
    sentence = "This did not come from a page of this shop. Nothing was changed."
    status = HTTPStatus.FORBIDDEN


class FormTooLarge(StoreError):
    sentence = "That is too much at once: a picture may have 1 MB. Nothing was changed."
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def cookie_of(request: Request) -> str:
    return request.cookies.get(office.COOKIE, "")


def from_here(request: Request) -> None:
    """Refuse what another site made the browser send.

    Raises:
        NotFromHere
    """
    headers = request.headers
    if site := headers.get("sec-fetch-site"):
        if site != "same-origin":
            raise NotFromHere
        return
    # Browsers that do not send the other header (over plain HTTP, say) send this one.
    origin = urlsplit(headers.get("origin", "")).netloc
    ours = urlsplit(settings.current().store_url or "").netloc
    if not origin or origin not in (headers.get("host"), ours):
        raise NotFromHere


def fits(request: Request, largest: int) -> None:
    """Refuse a body before it is read.

    Raises:
        FormTooLarge: or its length is not said.
    """
    said = request.headers.get("content-length", "")
    if not said.isdecimal() or int(said[:12]) > largest:
        raise FormTooLarge


def enter(shell: Shell) -> Callable[[Request], Response]:
    """The page for operators; for everybody else the way to sign in."""

    def open_page(request: Request) -> Response:
        try:
            OFFICE.visit(cookie_of(request))
        except NotSignedIn:
            return RedirectResponse(ENTRANCE, 303, headers=NOT_KEPT)
        return shell.page(
            {"Cache-Control": "no-store", "Content-Security-Policy": "frame-ancestors 'none'"}
        )

    return open_page


def sign_in_page(sentence: str = "", status: int = 200) -> HTMLResponse:
    """A page without Streamlit, whose one script moves the password out of the address."""
    nonce = secrets.token_urlsafe(16)
    body = markup.office_piece("sign_in", shop=settings.SHOP, sentence=sentence, nonce=nonce)
    return HTMLResponse(
        body,
        status,
        headers=door.PLAIN_HEADERS
        | {
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
            f"script-src 'nonce-{nonce}'; form-action 'self'; frame-ancestors 'none'; "
            "base-uri 'none'",
            "Referrer-Policy": "same-origin",  # with less the form would have no Origin
        },
    )


def show_sign_in(_request: Request) -> Response:
    return sign_in_page()


async def sign_in(request: Request) -> Response:
    """A password in, a session cookie out."""
    try:
        from_here(request)
        fits(request, LARGEST_SIGN_IN)
        form = await request.form(max_files=0, max_fields=8)
        given, name = (str(form.get(field, "")) for field in ("password", "name"))
        client = request.client.host if request.client else ""
        cookie = await run_in_threadpool(OFFICE.sign_in, given, name, client)
    except StoreError as error:
        answer = sign_in_page(str(error), error.status)
        if isinstance(error, TooManyTries):
            answer.headers["Retry-After"] = str(error.seconds)
        log.warning("Sign-in refused: %s", error)
        return answer
    there = RedirectResponse(HOME, 303, headers=NOT_KEPT)
    there.set_cookie(
        office.COOKIE,
        cookie,
        httponly=True,
        samesite="strict",
        secure=over_https(request.scope),
    )
    return there


async def sign_out(request: Request) -> Response:
    try:
        from_here(request)
    except StoreError as error:
        return door.plain_page(str(error), error.status)
    OFFICE.sign_out(cookie_of(request))
    away = RedirectResponse(ENTRANCE, 303, headers=NOT_KEPT)
    away.delete_cookie(office.COOKIE, httponly=True, samesite="strict")
    return away
