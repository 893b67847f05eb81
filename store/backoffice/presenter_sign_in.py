"""Signing a presenter in from the rehearsal's script, which opens the back office as its last step.

Without the password, so only where all of this is true:
- the emulator serves as Stripe, so there is no money and no real buyer;
- the client runs on the shop's own computer and came without a proxy, under a name of this
  computer (`request_origin.is_local`). It could use the emulator's controls and API key as well,
  so the session gives it nothing new;
- the shop is not published and its password not set: `STORE_URL`, `ALLOWED_HOSTS`
  and `ADMIN_PASSWORD` are not set. On a computer with several users, set the last one;
- the request comes from a page of this shop (same origin), so no other site can cause it.

It is checked when the request comes, not when the page is drawn, and no page holds a secret.
Everybody else is led to the sign-in page. The session is the one that the printed link opens.
"""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from store.backoffice import auth, sign_in
from store.backoffice.auth import NotSignedIn
from store.backoffice.state import BACK_OFFICE
from store.core import settings
from store.core.errors import StoreError
from store.web import request_origin, responses

PRESENTER_SIGN_IN = f"{sign_in.SIGN_IN}/presenter"
NAME = "presenter"


def needs_no_password(scope: Scope) -> bool:
    current = settings.current()
    guarded = current.admin_password or current.store_url or current.allowed_hosts
    return current.offline and not guarded and request_origin.is_local(scope)


async def post_presenter_sign_in(request: Request) -> Response:
    """Sign the presenter in and redirect to the page; without permission, to the sign-in page."""
    query = request.query_params
    try:
        sign_in.require_same_origin(request)
    except StoreError as error:
        return responses.plain_page(str(error), error.status)
    try:
        BACK_OFFICE.sessions.session(sign_in.operator_cookie(request))
    except NotSignedIn:
        if not needs_no_password(request.scope):
            address = sign_in.sign_in_address(query.get("page", ""), query)
            return RedirectResponse(address, 303, headers=sign_in.NO_STORE)
        secret = await run_in_threadpool(auth.password)
        cookie = await run_in_threadpool(BACK_OFFICE.sessions.sign_in, secret, NAME, "")
        return sign_in.signed_in(request, cookie)
    address = sign_in.address_after_sign_in(query)
    return RedirectResponse(address, 303, headers=sign_in.NO_STORE)
