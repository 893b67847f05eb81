"""Everything a buyer can do on the payment page, as one service."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from stripe_emulator.account.account import Account
from stripe_emulator.base.errors import InvalidRequest, NotFound
from stripe_emulator.base.models import Challenge, PaymentResult, StripeObject
from stripe_emulator.checkout import (
    adjustments,
    bank_debits,
    card_payments,
    card_validation,
    challenges,
    collected_fields,
)
from stripe_emulator.resources import intents, listing
from stripe_emulator.resources.payment_method_object import PaymentDetails
from stripe_emulator.storage.transaction import Transaction
from stripe_emulator.webhooks.dispatcher import WebhookDispatcher

COMPLETED = "checkout.session.completed"


class CheckoutService:
    """Takes payments for the open sessions of an account."""

    def __init__(self, account: Account, dispatcher: WebhookDispatcher) -> None:
        self.account = account
        self.dispatcher = dispatcher

    def session(self, session_id: str) -> StripeObject | None:
        """Return the Checkout Session with `line_items` expanded; None if there is none.

        A session past its expiry is already `expired`.
        """
        with self.account.reading() as tx:
            session = tx.find(session_id, "checkout.session")
            if session:
                session["line_items"] = listing.line_items(tx, session_id, {"limit": 100})
        return session

    def pay_with_card(  # noqa: PLR0913 - one argument per field of the form
        self,
        session_id: str,
        *,
        number: str,
        expiry: str,
        cvc: str,
        name: str,
        email: str,
        answers: Mapping[str, str] | None = None,
    ) -> PaymentResult:
        """Pay an open session. `number` may contain spaces, `expiry` is `MM / YY` or `MM/YYYY`.

        `answers` are the values of `collected_fields.fields_of(session)`, by field name.

        The payment is committed first; then, like Stripe, this waits up to 10 seconds for the
        response to `checkout.session.completed` before it returns the redirect.
        """
        payment_details = card_validation.read_card(
            number=number, expiry=expiry, cvc=cvc, name=name, email=email, now=self.account.now()
        )
        return self._pay(session_id, payment_details, card_payments.pay, answers or {})

    def confirm(
        self, session_id: str, *, email: str, name: str = "", answers: Mapping[str, str]
    ) -> PaymentResult:
        """Complete a session with a total of 0; returns `invalid` for any other."""
        payment_details = card_validation.no_method(name=name, email=email)
        refusal = PaymentResult("invalid", "This session has something to pay.")
        return self._pay(session_id, payment_details, lambda *_: refusal, answers)

    def _pay(
        self,
        session_id: str,
        payment_details: PaymentDetails | PaymentResult,
        attempt: Callable[[Transaction, StripeObject, PaymentDetails], PaymentResult],
        answers: Mapping[str, str] | None,
    ) -> PaymentResult:
        """Make one attempt in one transaction, then wait before the redirect.

        `answers` None means that the payment details already hold them.
        """
        if isinstance(payment_details, PaymentResult):
            return payment_details
        with self.account.writing() as tx:
            session = card_payments.payable_session(tx, session_id)
            if isinstance(session, PaymentResult):
                return session
            if answers is not None:
                read = collected_fields.read_answers(session, answers)
                if isinstance(read, PaymentResult):
                    return read
                payment_details = replace(payment_details, answers=read)
            pay = attempt if session["amount_total"] else card_payments.confirm
            result = pay(tx, session, payment_details)
            completed = [name for kind, name in tx.emitted if kind == COMPLETED]
        if completed:
            self.dispatcher.wait_for(completed, self.account.config.redirect_wait_seconds)
        return result

    def choose_shipping(self, session_id: str, rate_id: str) -> PaymentResult | None:
        """Choose a shipping option of an open session; returns None, or why it cannot be chosen."""
        return self._adjust(session_id, adjustments.choose_shipping, rate_id)

    def apply_promotion_code(self, session_id: str, code: str) -> PaymentResult | None:
        """Apply or remove a promotion code of an open session; returns None, or why it cannot be
        applied."""
        return self._adjust(session_id, adjustments.apply_code, code)

    def _adjust(
        self, session_id: str, adjust: Callable[[Transaction, StripeObject, str], None], value: str
    ) -> PaymentResult | None:
        try:
            with self.account.writing() as tx:
                session = card_payments.payable_session(tx, session_id)
                if isinstance(session, PaymentResult):
                    return session
                adjust(tx, session, value)
        except NotFound:
            return None  # the page reports the missing session
        except InvalidRequest as problem:
            param = problem.param or ""
            field = "promotion_code" if param.startswith("discounts") else param
            return PaymentResult("invalid", problem.message, field=field or None)
        return None

    def challenge(self, challenge_id: str) -> Challenge | None:
        """Return the open 3-D Secure challenge with this id; None once it was answered."""
        with self.account.reading() as tx:
            return challenges.open_challenge(tx, challenge_id)

    def answer_challenge(self, challenge_id: str, passed: bool) -> PaymentResult:
        """Pass or fail a challenge. Failing declines the payment; the session stays open."""
        with self.account.writing() as tx:
            challenge = challenges.take_challenge(tx, challenge_id)
            if challenge is None:
                raise NotFound.resource("challenge", challenge_id)
            subject, payment_details = challenge
            if subject["object"] != challenges.SESSION:
                return challenges.answer_intent(tx, subject, payment_details, passed=passed)
        return self._pay(
            subject["id"],
            payment_details,
            lambda tx, session, payment_details: card_payments.answer_challenge(
                tx, session, payment_details, passed=passed
            ),
            None,
        )

    def pay_later(
        self,
        session_id: str,
        *,
        outcome: Literal["succeeds", "fails"],
        email: str,
        name: str = "",
        answers: Mapping[str, str] | None = None,
    ) -> PaymentResult:
        """Pay by bank debit: the session is `complete` but `unpaid` (result `processing`).

        It settles as `outcome` says a few minutes later on the emulator's clock, or at once by
        `Emulator.settle_debit`.
        """
        succeeds = outcome == "succeeds"

        def attempt(tx: Transaction, session: StripeObject, payer: PaymentDetails) -> PaymentResult:
            method = intents.DELAYED_METHODS.get(session["currency"])
            if method is None or method not in session["payment_method_types"]:
                return PaymentResult("invalid", "This session does not take bank debits.")
            payment_details = replace(payer, type=method, last4="6789" if succeeds else "2227")
            return bank_debits.pay_later(tx, session, payment_details, succeeds=succeeds)

        payer = card_validation.no_method(name=name, email=email)
        return self._pay(session_id, payer, attempt, answers or {})
