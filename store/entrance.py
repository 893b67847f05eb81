"""The way into the back office and out of it, over HTTP; and who may send it anything."""

import logging
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from store import door, handshake, markup, office, settings
from store.cookies import cookie_name
from store.errors import StoreError
from store.handshake import over_https
from store.office import OFFICE, NotSignedIn, TooManyTries
from store.shell import Shell

log = logging.getLogger(__name__)

HOME = "/back-office"
ENTRANCE = "/back-office/sign-in"
REHEARSAL = "/rehearsal"
LARGEST_SIGN_IN = 8 * 1024
LONGEST_VALUE = 200
PARAMETERS = ("view", "order", "q", "status", "from", "until", "before", "days", "shown", "outcome")
# Following a link on another site, a browser leaves the operator's `SameSite=Strict` cookie out;
# when this page then opens the same address again, the cookie comes along.
OPEN_AGAIN = '<!doctype html><meta http-equiv="refresh" content="0"><title>Back office</title>'
NOT_KEPT = {"Cache-Control": "no-store"}


class NotFromHere(StoreError):
    sentence = "This did not come from a page of this shop. Nothing was changed."
    status = HTTPStatus.FORBIDDEN


class FormTooLarge(StoreError):
    sentence = "That is too much at once: a picture may have 1 MB. Nothing was changed."
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def office_cookie(request: Request) -> str:
    """The name of the operator's cookie at the address that was asked."""
    return cookie_name(office.COOKIE, request.headers.get("host", ""))


def cookie_of(request: Request) -> str:
    return request.cookies.get(office_cookie(request), "")


def way_in(asked: Mapping[str, str]) -> str:
    """The sign-in page that afterwards leads to what was asked for."""
    query = wanted(asked)
    return f"{ENTRANCE}?{query}" if query else ENTRANCE


def way_on(asked: Mapping[str, str]) -> str:
    """Where an operator goes after signing in.

    The address of the sign-in page carries only parameters of the back office and never a path,
    so nobody can make it lead anywhere else.
    """
    if asked.get("page") == "rehearsal":
        return REHEARSAL
    query = wanted(asked)
    return f"{HOME}?{query}" if query else HOME


def wanted(asked: Mapping[str, str]) -> str:
    """The parameters that the back office knows, encoded again."""
    known = {name: value for name, value in asked.items() if name in PARAMETERS and value}
    return urlencode({name: value[:LONGEST_VALUE] for name, value in known.items()})


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
    # Browsers that do not send the other header (over plain HTTP, say) send `Origin`.
    if handshake.own_origin(request.scope) is None:
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
            if request.headers.get("sec-fetch-site") == "cross-site":
                return HTMLResponse(OPEN_AGAIN, headers=door.PLAIN_HEADERS)
            return RedirectResponse(way_in(request.query_params), 303, headers=NOT_KEPT)
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
    there = RedirectResponse(way_on(request.query_params), 303, headers=NOT_KEPT)
    there.set_cookie(
        office_cookie(request),
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
    away.delete_cookie(office_cookie(request), httponly=True, samesite="strict")
    return away
