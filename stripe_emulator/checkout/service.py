"""What a buyer does on the pay page: each way to pay, and the question that a bank may ask."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from stripe_emulator.account.account import Account
from stripe_emulator.base.config import Config
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
from stripe_emulator.resources.payment_methods import Means
from stripe_emulator.storage.transaction import Books
from stripe_emulator.webhooks.dispatcher import Courier

COMPLETED = "checkout.session.completed"


class Till:
    """Takes payments for the open sessions of an account."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.account = Account(config)
        self.courier = Courier(self.account)

    def session(self, session_id: str) -> StripeObject | None:
        """The Checkout Session with `line_items` expanded; None where there is none.

        A session whose time is over is already `expired` in the answer.
        """
        with self.account.reading() as books:
            session = books.find(session_id, "checkout.session")
            if session:
                session["line_items"] = listing.line_items(books, session_id, {"limit": 100})
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
        """Pay an open session. `number` may hold spaces, `expiry` is `MM / YY` or `MM/YYYY`.

        `answers` are those to `questions.asked(session)`, by the name of the question.

        The payment is committed first; then, like Stripe, this waits up to 10 seconds for the
        answer to `checkout.session.completed` before it gives the redirect.
        """
        means = card_validation.read(
            number=number, expiry=expiry, cvc=cvc, name=name, email=email, now=self.account.now()
        )
        return self._pay(session_id, means, card_payments.pay, answers or {})

    def confirm(
        self, session_id: str, *, email: str, name: str = "", answers: Mapping[str, str]
    ) -> PaymentResult:
        """Complete a session whose total is nothing; any other one needs a way to pay."""
        means = card_validation.nothing(name=name, email=email)
        refusal = PaymentResult("invalid", "This session has something to pay.")
        return self._pay(session_id, means, lambda *_: refusal, answers)

    def _pay(
        self,
        session_id: str,
        means: Means | PaymentResult,
        attempt: Callable[[Books, StripeObject, Means], PaymentResult],
        answers: Mapping[str, str] | None,
    ) -> PaymentResult:
        """One attempt in one transaction, then the wait before the redirect.

        `answers` None means that they were read before, and are in the means.
        """
        if isinstance(means, PaymentResult):
            return means
        with self.account.writing() as books:
            session = card_payments.open_session(books, session_id)
            if isinstance(session, PaymentResult):
                return session
            if answers is not None:
                told = collected_fields.read(session, answers)
                if isinstance(told, PaymentResult):
                    return told
                means = replace(means, answers=told)
            act = attempt if session["amount_total"] else card_payments.confirm
            result = act(books, session, means)
            completed = [name for kind, name in books.emitted if kind == COMPLETED]
        if completed:
            self.courier.wait_for(completed, self.config.redirect_wait_seconds)
        return result

    def choose_shipping(self, session_id: str, rate_id: str) -> PaymentResult | None:
        """Take a shipping option of an open session; None, or why it cannot be."""
        return self._adjust(session_id, adjustments.choose_shipping, rate_id)

    def apply_promotion_code(self, session_id: str, code: str) -> PaymentResult | None:
        """Redeem a promotion code on an open session, or take it off; None, or why not."""
        return self._adjust(session_id, adjustments.apply_code, code)

    def _adjust(
        self, session_id: str, act: Callable[[Books, StripeObject, str], None], value: str
    ) -> PaymentResult | None:
        try:
            with self.account.writing() as books:
                session = card_payments.open_session(books, session_id)
                if isinstance(session, PaymentResult):
                    return session
                act(books, session, value)
        except NotFound:
            return None  # the page says that there is no such session
        except InvalidRequest as problem:
            param = problem.param or ""
            field = "promotion_code" if param.startswith("discounts") else param
            return PaymentResult("invalid", problem.message, field=field or None)
        return None

    def challenge(self, challenge_id: str) -> Challenge | None:
        """The open 3-D Secure question with this id; None once it is answered."""
        with self.account.reading() as books:
            return challenges.open_challenge(books, challenge_id)

    def answer_challenge(self, challenge_id: str, passed: bool) -> PaymentResult:
        """Complete or fail the question. Failing declines the payment; the session stays open."""
        with self.account.writing() as books:
            taken = challenges.take_challenge(books, challenge_id)
            if taken is None:
                raise NotFound.resource("challenge", challenge_id)
            subject, means = taken
            if subject["object"] != challenges.SESSION:
                return challenges.answer_intent(books, subject, means, passed=passed)
        return self._pay(
            subject["id"],
            means,
            lambda books, session, means: card_payments.answer(
                books, session, means, passed=passed
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

        It settles as `outcome` says a few minutes later on the emulator's clock, or at once
        through `settle`.
        """
        succeeds = outcome == "succeeds"

        def attempt(books: Books, session: StripeObject, who: Means) -> PaymentResult:
            method = intents.DELAYED_METHODS.get(session["currency"])
            if method is None or method not in session["payment_method_types"]:
                return PaymentResult("invalid", "This session does not take bank debits.")
            means = replace(who, type=method, last4="6789" if succeeds else "2227")
            return bank_debits.pay_later(books, session, means, succeeds=succeeds)

        who = card_validation.nothing(name=name, email=email)
        return self._pay(session_id, who, attempt, answers or {})
