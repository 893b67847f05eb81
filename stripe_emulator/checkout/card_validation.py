"""Validation of the card form: returns payment details, or the field that is wrong."""

import re
import time

from stripe_emulator.base.models import PaymentResult
from stripe_emulator.base.test_cards import BY_NUMBER, TestCard, is_luhn
from stripe_emulator.resources.payment_method_object import PaymentDetails

NUMBER = re.compile(r"\d{12,19}", re.ASCII)
EXPIRY = re.compile(r"(\d{1,2})\s*[/ -]\s*(\d{4}|\d{2})|(\d{2})(\d{2})", re.ASCII)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
LONGEST = 500


def invalid(field: str, message: str) -> PaymentResult:
    """Return the result for an invalid field; nothing was attempted."""
    return PaymentResult("invalid", message, field=field)


def read_card(
    *, number: str, expiry: str, cvc: str, name: str, email: str, now: float
) -> PaymentDetails | PaymentResult:
    """Return the card's details, or which field is wrong. Only test cards are accepted.

    The number is looked up in the table of test cards, so a real one is never stored: only the
    brand and the last four digits are kept.
    """
    card = _card(re.sub(r"[\s-]", "", number[:100]))
    if isinstance(card, PaymentResult):
        return card
    valid_until = _expiry(expiry, now)
    if isinstance(valid_until, str):
        return invalid("expiry", valid_until)
    digits = 4 if card.brand == "amex" else 3
    if not re.fullmatch(rf"\d{{{digits}}}", cvc.strip(), re.ASCII):
        return invalid("cvc", "Your card's security code is incomplete.")
    problem = email_problem(email)
    if problem:
        return problem
    return PaymentDetails(
        type="card",
        email=email.strip(),
        name=name.strip()[:LONGEST],
        brand=card.brand,
        last4=card.last4,
        exp_month=valid_until[0],
        exp_year=valid_until[1],
    )


def no_method(*, name: str, email: str) -> PaymentDetails | PaymentResult:
    """Return the payer's details without a payment method, for a session with a total of 0."""
    problem = email_problem(email)
    return problem or PaymentDetails(type="none", email=email.strip(), name=name.strip()[:LONGEST])


def _card(digits: str) -> TestCard | PaymentResult:
    if not NUMBER.fullmatch(digits):
        return invalid("number", "Your card number is incomplete.")
    if not is_luhn(digits):
        return invalid("number", "Your card number is incorrect.")
    unknown = "This emulator takes test cards only, and kept nothing of this number."
    return BY_NUMBER.get(digits) or invalid("number", unknown)


def email_problem(email: str) -> PaymentResult | None:
    """Return the result for an invalid email address; None if it is valid."""
    text = email.strip()
    if not text:
        return invalid("email", "Your email is missing.")
    if len(text) > LONGEST or not EMAIL.fullmatch(text) or not text.isprintable():
        return invalid("email", "Your email is incomplete.")
    return None


def _expiry(expiry: str, now: float) -> tuple[int, int] | str:
    """Return (month, year) of the card's last valid day, or what is wrong with it."""
    match = EXPIRY.fullmatch(expiry.strip()[:20])
    if not match:
        return "Your card's expiration date is incomplete."
    month, year = int(match[1] or match[3]), int(match[2] or match[4])
    year += 2000 if year < 100 else 0
    if not 1 <= month <= 12:
        return "Your card's expiration date is invalid."
    today = time.gmtime(now)
    if (year, month) < (today.tm_year, today.tm_mon):
        return "Your card's expiration date is in the past."
    if year > today.tm_year + 50:
        return "Your card's expiration year is invalid."
    return month, year
