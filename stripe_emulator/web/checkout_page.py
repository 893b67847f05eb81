"""The buyer's pages: the payment page, the 3-D Secure challenge, and the result of a session.

Each names the emulator at its top, so that nobody mistakes it for Stripe's own page. Everything
works without JavaScript: forms are posted, payments answer 303, and refusals are shown on the page.
"""

from contextlib import suppress
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from stripe_emulator.admin.control_api import Running
from stripe_emulator.base.errors import NotFound, StripeError
from stripe_emulator.base.models import PaymentResult, StripeObject
from stripe_emulator.emulator import Emulator
from stripe_emulator.web import dashboard_lists, receipts
from stripe_emulator.web.checkout_view import (
    PayForm,
    ended_page,
    form_page,
    last_refusal,
    pays_by_bank,
    return_address,
)
from stripe_emulator.web.rendering import (
    SECURITY_HEADERS,
    locale_of,
    money,
    page,
    require_same_origin,
    static,
    web_link,
)

router = APIRouter(include_in_schema=False)
router.include_router(dashboard_lists.router)
router.include_router(receipts.router)
router.add_api_route("/static/{name}", static)

SameSite = Depends(require_same_origin)
NO_CODE = PaymentResult("invalid", "Enter a code.", field="promotion_code")
TOTAL_CHANGED = PaymentResult("invalid", "The total has changed. Look at it, then pay again.")


@router.get("/c/pay/{session_id}")
def pay_page(
    request: Request, emulator: Running, session_id: str, declined: str | None = None
) -> Response:
    """Return the form of an open session, or the result of any other."""
    session = emulator.checkout.session(session_id)
    if session is None:
        return _session_not_found()
    locale = locale_of(request, session.get("locale"))
    if session["status"] != "open":
        return ended_page(emulator, session, locale)
    if declined is None:
        return form_page(emulator, session, locale)
    refusal = PaymentResult("declined", last_refusal(emulator, session))
    return form_page(emulator, session, locale, result=refusal)


@router.post("/c/pay/{session_id}", dependencies=[SameSite])
def pay(
    request: Request, emulator: Running, session_id: str, form: Annotated[PayForm, Form()]
) -> Response:
    """Pay the session. A second click redirects to the same place as the first."""
    session = emulator.checkout.session(session_id)
    if session is None:
        return _session_not_found()
    if session["status"] != "open":
        return _redirect_after_payment(session, return_address(session), form.stays)
    if form.shown_total not in ("", str(session["amount_total"])):
        locale = locale_of(request, session.get("locale"))
        return form_page(emulator, session, locale, result=TOTAL_CHANGED, form=form)
    result = _result(emulator, session, form)
    return _answer(request, emulator, session, result, form)


def _result(emulator: Emulator, session: StripeObject, form: PayForm) -> PaymentResult:
    """Return the result of the form: nothing to pay, a bank debit, or a card."""
    fields = form.model_dump(include={"name", "email"}) | {"answers": form.answers}
    if session["amount_total"] == 0:
        return emulator.checkout.confirm(session["id"], **fields)
    if pays_by_bank(session, form):
        outcome: Literal["succeeds", "fails"] = "fails" if form.later == "fails" else "succeeds"
        return emulator.checkout.pay_later(session["id"], outcome=outcome, **fields)
    card = form.model_dump(include={"number", "expiry", "cvc"})
    return emulator.checkout.pay_with_card(session["id"], **card, **fields)


@router.post("/c/pay/{session_id}/shipping", dependencies=[SameSite])
def choose_shipping(
    request: Request, emulator: Running, session_id: str, shipping_rate: Annotated[str, Form()] = ""
) -> Response:
    """Choose one of the shipping options; the page shows the new total."""
    problem = emulator.checkout.choose_shipping(session_id, shipping_rate)
    return _adjusted(request, emulator, session_id, problem)


@router.post("/c/pay/{session_id}/promotion", dependencies=[SameSite])
def apply_promotion_code(
    request: Request,
    emulator: Running,
    session_id: str,
    promotion_code: Annotated[str, Form()] = "",
    remove: Annotated[str, Form()] = "",
) -> Response:
    """Apply or remove a promotion code."""
    typed = promotion_code.strip()[:200]
    problem: PaymentResult | None = NO_CODE
    if typed or remove:
        problem = emulator.checkout.apply_promotion_code(session_id, "" if remove else typed)
    return _adjusted(request, emulator, session_id, problem, promotion_code)


def _adjusted(
    request: Request,
    emulator: Emulator,
    session_id: str,
    problem: PaymentResult | None,
    typed_code: str = "",
) -> Response:
    session = emulator.checkout.session(session_id)
    if session is None:
        return _session_not_found()
    if problem is None or session["status"] != "open":
        return _see_other(f"/c/pay/{session_id}")
    locale = locale_of(request, session.get("locale"))
    return form_page(emulator, session, locale, result=problem, typed_code=typed_code)


@router.post("/c/pay/{session_id}/expire", dependencies=[SameSite])
def expire(emulator: Running, session_id: str) -> Response:
    """Expire the session now; one that is no longer open stays as it is."""
    with suppress(StripeError):
        emulator.expire(session_id)
    return _see_other(f"/c/pay/{session_id}")


@router.get("/c/pay/{session_id}/left-here")
def paid_no_redirect(request: Request, emulator: Running, session_id: str) -> Response:
    """Return the page that replaces the redirect for "Pay, but do not come back"."""
    session = emulator.checkout.session(session_id)
    if session is None or session["status"] != "complete":
        return _see_other(f"/c/pay/{session_id}")
    return ended_page(emulator, session, locale_of(request, session.get("locale")), left=True)


@router.get("/c/challenge/{challenge_id}")
def challenge_page(
    request: Request, emulator: Running, challenge_id: str, then: str = "return"
) -> Response:
    """Return the page of the bank's 3-D Secure challenge."""
    question = emulator.checkout.challenge(challenge_id)
    if question is None:
        return page("challenge_done.html", {}, status=404)
    session = emulator.checkout.session(question.session_id) if question.session_id else None
    locale = locale_of(request, session.get("locale") if session else None)
    amount = ""
    if question.amount and question.currency:
        amount = money(question.amount, question.currency, locale)
    return page("challenge.html", {"question": question, "amount": amount, "then": then})


@router.post("/c/challenge/{challenge_id}", dependencies=[SameSite])
def answer_challenge(
    emulator: Running,
    challenge_id: str,
    answer: Annotated[str, Form()] = "fail",
    then: Annotated[str, Form()] = "return",
) -> Response:
    """Pass or fail the challenge, once."""
    question = emulator.checkout.challenge(challenge_id)
    if question is None:
        return page("challenge_done.html", {}, status=404)
    try:
        result = emulator.checkout.answer_challenge(challenge_id, answer == "complete")
    except NotFound:  # Another click was faster.
        return page("challenge_done.html", {}, status=404)
    session = emulator.checkout.session(question.session_id) if question.session_id else None
    if session is None:
        address = web_link(result.redirect_url)
        return _see_other(address) if address else page("challenge_done.html", {})
    if result.outcome == "declined":
        return _see_other(f"/c/pay/{session['id']}?declined=1")
    return _redirect_after_payment(session, result.redirect_url, then == "stay")


def _answer(
    request: Request,
    emulator: Emulator,
    session: StripeObject,
    result: PaymentResult,
    form: PayForm,
) -> Response:
    """Return the response for the result of a payment."""
    if result.outcome in ("succeeded", "processing"):
        return _redirect_after_payment(session, result.redirect_url, form.stays)
    if result.outcome == "challenge":
        then = "?then=stay" if form.stays else ""
        return _see_other(f"/c/challenge/{result.challenge_id}{then}")
    now = emulator.checkout.session(session["id"]) or session
    if now["status"] != "open":
        return _redirect_after_payment(now, return_address(now), form.stays)
    locale = locale_of(request, session.get("locale"))
    return form_page(emulator, now, locale, result=result, form=form)


def _session_not_found() -> Response:
    return page("session_not_found.html", {}, status=404)


def _redirect_after_payment(session: StripeObject, address: str | None, stays: bool) -> Response:
    """Redirect to the shop, or to our own page if there is no address or the browser stays here."""
    ours = f"/c/pay/{session['id']}"
    if stays:
        return _see_other(f"{ours}/left-here")
    return _see_other(web_link(address) or ours)


def _see_other(address: str) -> Response:
    return RedirectResponse(address, status_code=303, headers=SECURITY_HEADERS)
