"""Stripe's test cards in one table. Any other number is refused and never stored.

Numbers and outcomes: docs.stripe.com/testing. The decline messages are third parties' copies of
that page (unverified against Stripe today).
"""

from dataclasses import dataclass
from typing import Literal

CardOutcome = Literal["succeeds", "declines", "challenge", "challenge_then_declines"]
Aftermath = Literal[
    "none",
    "dispute_fraudulent",
    "dispute_product_not_received",
    "inquiry",
    "refund_pending",
    "refund_fails",
    "fraud_warning",
]


@dataclass(frozen=True)
class DeclineReason:
    """Why a payment or set-up failed, as the API and the payment page report it."""

    code: str
    decline_code: str | None
    """None if no bank declined it, such as a failed authentication."""
    message: str


@dataclass(frozen=True)
class TestCard:
    """One row of the table; `aftermath` is what happens after a successful payment."""

    number: str
    brand: str
    label: str
    outcome: CardOutcome = "succeeds"
    decline: DeclineReason | None = None
    """Set for the outcomes `declines` and `challenge_then_declines`."""
    aftermath: Aftermath = "none"
    funding: Literal["credit", "debit", "prepaid"] = "credit"
    can_be_saved: bool = False
    """Whether it can be attached to a Customer although its charges are declined."""

    __test__ = False  # pytest would collect it as a test class

    @property
    def last4(self) -> str:
        """Return the last four digits, the only part of a number that may be stored."""
        return self.number[-4:]

    @property
    def cannot_be_saved(self) -> DeclineReason | None:
        """Return why the bank refuses to save the card; None if it does not."""
        return self.decline if self.outcome == "declines" and not self.can_be_saved else None

    def must_authenticate(self, *, saved: bool) -> bool:
        """Return whether the bank requires 3-D Secure; one card needs it only until it is saved."""
        return "challenge" in self.outcome and not (saved and self.number == UNLESS_SAVED)


UNLESS_SAVED = "4000002500003155"


def _declined(number: str, label: str, code: str, message: str, decline_code: str) -> TestCard:
    reason = DeclineReason(code, decline_code, message)
    return TestCard(number, "visa", label, "declines", reason)


_PLAIN = "Your card was declined."
_TOO_OFTEN = (
    "Your card was declined for making repeated attempts too frequently or exceeding its "
    "amount limit."
)
_PROCESSING = "An error occurred while processing your card. Try again in a little bit."

TEST_CARDS: tuple[TestCard, ...] = (
    TestCard("4242424242424242", "visa", "Visa, succeeds"),
    TestCard("5555555555554444", "mastercard", "Mastercard, succeeds"),
    TestCard("378282246310005", "amex", "American Express, succeeds"),
    _declined("4000000000000002", "Declined", "card_declined", _PLAIN, "generic_decline"),
    _declined(
        "4000000000009995",
        "Insufficient funds",
        "card_declined",
        "Your card has insufficient funds.",
        "insufficient_funds",
    ),
    _declined("4000000000009987", "Lost card", "card_declined", _PLAIN, "lost_card"),
    _declined("4000000000009979", "Stolen card", "card_declined", _PLAIN, "stolen_card"),
    _declined(
        "4000000000000069",
        "Expired card",
        "expired_card",
        "Your card has expired.",
        "expired_card",
    ),
    _declined(
        "4000000000000127",
        "Incorrect CVC",
        "incorrect_cvc",
        "Your card's security code is incorrect.",
        "incorrect_cvc",
    ),
    _declined(
        "4000000000000119", "Processing error", "processing_error", _PROCESSING, "processing_error"
    ),
    _declined(
        "4000000000006975", "Too many tries", "card_declined", _TOO_OFTEN, "card_velocity_exceeded"
    ),
    TestCard("4000002760003184", "visa", "3-D Secure, always asked", "challenge"),
    TestCard(UNLESS_SAVED, "visa", "3-D Secure, unless saved", "challenge"),
    TestCard(
        "4000008400001629",
        "visa",
        "3-D Secure, then declined",
        "challenge_then_declines",
        DeclineReason("card_declined", "generic_decline", _PLAIN),
    ),
    TestCard("4000000000000259", "visa", "Disputed as fraudulent", aftermath="dispute_fraudulent"),
    TestCard(
        "4000000000002685",
        "visa",
        "Disputed as not received",
        aftermath="dispute_product_not_received",
    ),
    TestCard("4000000000001976", "visa", "Inquiry before a dispute", aftermath="inquiry"),
    TestCard("4000000000005423", "visa", "Early fraud warning", aftermath="fraud_warning"),
    TestCard(
        "4000000000007726", "visa", "Refund pending, then succeeds", aftermath="refund_pending"
    ),
    TestCard("4000000000005126", "visa", "Refund succeeds, then fails", aftermath="refund_fails"),
)

MORE_CARDS: tuple[TestCard, ...] = (
    TestCard("4000056655665556", "visa", "Visa debit", funding="debit"),
    TestCard("5200828282828210", "mastercard", "Mastercard debit", funding="debit"),
    TestCard("5105105105105100", "mastercard", "Mastercard prepaid", funding="prepaid"),
    TestCard("6011111111111117", "discover", "Discover"),
    TestCard("3056930009020004", "diners", "Diners Club"),
    TestCard("3566002020360505", "jcb", "JCB"),
    TestCard("6200000000000047", "unionpay", "UnionPay"),
    TestCard("4000000000000077", "visa", "Available in the balance at once"),
    TestCard(
        "4000000000000341",
        "visa",
        "Declined after it was saved",
        "declines",
        DeclineReason("card_declined", "generic_decline", _PLAIN),
        can_be_saved=True,
    ),
    TestCard("4000000000003220", "visa", "3-D Secure 2, required", "challenge"),
    TestCard(
        "4000008260003178",
        "visa",
        "3-D Secure, then insufficient funds",
        "challenge_then_declines",
        DeclineReason("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    ),
)
"""Cards that are accepted everywhere but not listed on the payment page."""

BY_NUMBER = {card.number: card for card in TEST_CARDS + MORE_CARDS}
BY_LAST4 = {card.last4: card for card in BY_NUMBER.values()}
"""The last four digits identify a test card, so nothing else of a number is stored."""


def is_luhn(number: str) -> bool:
    """Return whether the check digit of a card number is right."""
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(number))]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0
