"""Signing in and out over HTTP, and the checks of requests to the back office."""

import logging
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Scope

from store.backoffice import auth
from store.backoffice.state import BACK_OFFICE
from store.core import settings
from store.core.errors import StoreError
from store.web import index_page, rendering, request_origin, responses
from store.web.buyer_cookie import cookie_name

STATIC = Path(__file__).parent / "static"
STYLE, PAGE_STYLE = STATIC / "sign_in.css", STATIC / "back_office.css"
log = logging.getLogger(__name__)

HOME = "/back-office"
SIGN_IN = "/back-office/sign-in"
PRESENTER = "presenter"
ADDRESSES = {  # of the pages, by the names that `page=` has in the sign-in page's address
    "": HOME,
    **{name: f"{HOME}-{name}" for name in ("orders", "products", "webhooks", "reconciliation")},
    "rehearsal": "/rehearsal",
}
OLD_VIEWS = {"books": "reconciliation", "figures": ""}  # in addresses of earlier versions
MAX_SIGN_IN_BYTES = 8 * 1024
MAX_PARAMETER_LENGTH = 200
PARAMETERS = ("order", "q", "status", "from", "until", "before", "days", "event")
# Following a link on another site, a browser leaves the operator's `SameSite=Strict` cookie out;
# when this page then opens the same address again, the cookie comes along.
OPEN_AGAIN = '<!doctype html><meta http-equiv="refresh" content="0"><title>Back office</title>'
NO_STORE = {"Cache-Control": "no-store"}


class CrossOriginRequest(StoreError):
    sentence = "This did not come from a page of this shop. Nothing was changed."
    status = HTTPStatus.FORBIDDEN


class FormTooLarge(StoreError):
    sentence = "That is too much at once. Nothing was changed."
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def operator_cookie_name(request: Request) -> str:
    return cookie_name(auth.COOKIE, request.headers.get("host", ""))


def operator_cookie(request: Request) -> str:
    return request.cookies.get(operator_cookie_name(request), "")


def is_operator(request: Request) -> bool:
    try:
        BACK_OFFICE.sessions.session(operator_cookie(request))
    except auth.NotSignedIn:
        return False
    return True


def address_after_sign_in(query: Mapping[str, str]) -> str:
    """Where an operator goes after signing in: a page of ours by its name, never a given path."""
    return with_parameters(ADDRESSES.get(query.get("page", ""), HOME), query)


def with_parameters(path: str, query: Mapping[str, str], page: str = "") -> str:
    """The path with those parameters that the pages of the back office have.

    `page` is for the sign-in page, and names the page that it leads to.
    """
    parameters = {"page": page} | {name: query.get(name, "") for name in PARAMETERS}
    kept = {name: value[:MAX_PARAMETER_LENGTH] for name, value in parameters.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def require_same_origin(request: Request) -> None:
    """Refuse a request that another site made the browser send. Raises CrossOriginRequest."""
    if not is_same_origin(request):
        raise CrossOriginRequest


def is_same_origin(request: Request) -> bool:
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    # Browsers that do not send this header (over plain HTTP, say) send `Origin`.
    return request_origin.own_origin(request.scope) is not None


def backoffice_page(page: str) -> Callable[[Request], Response]:
    """A page for operators; everybody else is redirected to the sign-in page."""

    def open_page(request: Request) -> Response:
        query = request.query_params
        if not page and ("view" in query or "order" in query):
            view = "orders" if "order" in query else query["view"]  # in earlier versions
            name = OLD_VIEWS.get(view, view)
            path = ADDRESSES[name] if name in ADDRESSES and name != "rehearsal" else HOME
            return RedirectResponse(with_parameters(path, query), 303, headers=NO_STORE)
        if is_operator(request):
            headers = {**NO_STORE, "Content-Security-Policy": "frame-ancestors 'none'"}
            html = rendering.render("first_page", "page")
            return index_page.render(request, headers, html, PAGE_STYLE)
        if request.headers.get("sec-fetch-site") == "cross-site":
            return HTMLResponse(OPEN_AGAIN, headers=responses.PLAIN_HEADERS)
        return RedirectResponse(with_parameters(SIGN_IN, query, page), 303, headers=NO_STORE)

    return open_page


def sign_in_page(message: str = "", status: int = 200, tone: str = "bad") -> HTMLResponse:
    """A page without Streamlit, whose one script moves the password out of the address."""
    nonce = secrets.token_urlsafe(16)
    body = rendering.render(
        "back_office", "sign_in", style=STYLE, message=message, tone=tone, nonce=nonce
    )
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
        f"font-src 'self'; script-src 'nonce-{nonce}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'",
        "Referrer-Policy": "same-origin",  # with less the form would have no Origin
    }
    return HTMLResponse(body, status, headers=responses.PLAIN_HEADERS | headers)


def show_sign_in(request: Request) -> Response:
    if "signed_out" in request.query_params:
        return sign_in_page("You are signed out.", tone="good")
    return sign_in_page()


async def post_sign_in(request: Request) -> Response:
    """A password in, a session cookie out."""
    try:
        require_same_origin(request)
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or int(length[:12]) > MAX_SIGN_IN_BYTES:
            raise FormTooLarge  # before the body is read
        form = await request.form(max_files=0, max_fields=8)
        password, name = (str(form.get(field, "")) for field in ("password", "name"))
        client = request.client.host if request.client else ""
        cookie = await run_in_threadpool(BACK_OFFICE.sessions.sign_in, password, name, client)
    except StoreError as error:
        answer = sign_in_page(str(error), error.status)
        if isinstance(error, auth.TooManyAttempts):
            answer.headers["Retry-After"] = str(error.seconds)
        log.warning("Sign-in refused: %s", error)
        return answer
    return signed_in(request, cookie)


def signed_in(request: Request, cookie: str) -> Response:
    """Set the session's cookie and redirect to the page that was requested."""
    there = RedirectResponse(address_after_sign_in(request.query_params), 303, headers=NO_STORE)
    there.set_cookie(
        operator_cookie_name(request),
        cookie,
        httponly=True,
        samesite="strict",
        secure=request_origin.over_https(request.scope),
    )
    return there


async def post_sign_out(request: Request) -> Response:
    require_same_origin(request)
    BACK_OFFICE.sessions.sign_out(operator_cookie(request))
    away = RedirectResponse(f"{SIGN_IN}?signed_out=yes", 303, headers=NO_STORE)
    away.delete_cookie(operator_cookie_name(request), httponly=True, samesite="strict")
    return away


def needs_no_password(scope: Scope) -> bool:
    """True where a session gives nothing that the client cannot do anyway, by all of this:

    - the emulator serves as Stripe, so there is no money and no real buyer;
    - the client runs on the shop's own computer, without a proxy and under one of its names, so it
      could use the emulator's controls and API key as well;
    - the shop is neither published (`STORE_URL`, `ALLOWED_HOSTS`) nor has an `ADMIN_PASSWORD`: on
      a computer with several users, set one.
    """
    current = settings.current()
    guarded = current.admin_password or current.store_url or current.allowed_hosts
    return current.offline and not guarded and request_origin.is_local(scope)


async def post_presenter_sign_in(request: Request) -> Response:
    """Sign a presenter in for the last step of the rehearsal, or redirect to the sign-in page."""
    require_same_origin(request)
    query = request.query_params
    if is_operator(request):
        return RedirectResponse(address_after_sign_in(query), 303, headers=NO_STORE)
    if not needs_no_password(request.scope):
        address = with_parameters(SIGN_IN, query, query.get("page", ""))
        return RedirectResponse(address, 303, headers=NO_STORE)
    secret = await run_in_threadpool(auth.password)
    cookie = await run_in_threadpool(BACK_OFFICE.sessions.sign_in, secret, PRESENTER, "")
    return signed_in(request, cookie)
