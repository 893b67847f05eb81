"""The fields that a session collects besides the card: addresses, phone, consent, custom fields.

`fields_of` lists the form's fields, `read_answers` validates the answers, and these become part of
the session, the payment and the charge (`card_payments.py`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from babel import Locale

from stripe_emulator.base.models import PaymentResult, StripeObject
from stripe_emulator.base.object_defaults import ADDRESS
from stripe_emulator.parameters.parameters import TABLE

COUNTRIES: tuple[str, ...] = tuple(
    TABLE["POST /v1/checkout/sessions"]["fields"]["shipping_address_collection"]["fields"][
        "allowed_countries"
    ]["list"]["enum"]
)
LINES = (
    ("line1", "Address", True, "address-line1"),
    ("line2", "Address, second line", False, "address-line2"),
    ("postal_code", "Postal code", False, "postal-code"),
    ("city", "City", True, "address-level2"),
    ("state", "State", False, "address-level1"),
)
"""(field, label, required, autocomplete) of every address, before its country."""

LONGEST = 500
Answers = dict[str, Any]


@dataclass(frozen=True)
class CollectedField:
    """One field of the form; `group` is the heading above it."""

    name: str
    label: str
    kind: Literal["text", "tel", "digits", "choice", "tick"] = "text"
    required: bool = True
    group: str = ""
    autocomplete: str = "off"
    choices: tuple[tuple[str, str], ...] = ()
    value: str = ""
    least: int = 0
    most: int = LONGEST

    @property
    def missing(self) -> str:
        """Return the message for a required field that is empty."""
        return "Tick this box to go on." if self.kind == "tick" else "This is required."

    @property
    def is_half_width(self) -> bool:
        """Return whether the field shares its row with another."""
        return self.name.endswith(("_postal_code", "_city", "_state", "_country"))

    def problem(self, answer: str) -> str:
        """Return what is wrong with an answer; "" if it is valid."""
        if not answer:
            return self.missing if self.required else ""
        if not self.least <= len(answer) <= self.most:
            return f"Use {self.least} to {self.most} characters."
        if self.kind == "choice" and answer not in dict(self.choices):
            return "Choose one of the list."
        if self.kind == "digits" and not (answer.isascii() and answer.isdigit()):
            return "Use digits only."
        if self.kind == "tel" and not 7 <= len(re.sub(r"[^0-9]", "", answer)) <= 15:
            return "Your phone number is incomplete."
        return "" if answer.isprintable() else "Use printable characters only."


def fields_of(session: StripeObject, locale: str = "en_US") -> list[CollectedField]:
    """Return every field of a session in the order of the page."""
    names = Locale.parse(locale).territories
    shipping = session["shipping_address_collection"]
    questions: list[CollectedField] = []
    if (session["phone_number_collection"] or {}).get("enabled"):
        questions.append(CollectedField("phone", "Phone", "tel", autocomplete="tel"))
    questions += _names(session["name_collection"] or {})
    if shipping:
        group = "Shipping address"
        questions.append(
            CollectedField("shipping_name", "Name", group=group, autocomplete="shipping name")
        )
        questions += _address("shipping", group, shipping["allowed_countries"], names)
    if session["billing_address_collection"] == "required":
        questions += _address("billing", "Billing address", COUNTRIES, names)
    questions += map(_custom, session["custom_fields"])
    return questions + list(_consent(session))


def beside_card(session: StripeObject, locale: str = "en_US") -> list[CollectedField]:
    """Return country and postal code below the card, unless a full billing address is collected.

    Stripe's page has them there, and requires the postal code in some countries; here both may be
    empty.
    """
    if session["billing_address_collection"] == "required" or not session["amount_total"]:
        return []
    if "card" not in session["payment_method_types"]:
        return []
    wanted = ("billing_country", "billing_postal_code")
    names = Locale.parse(locale).territories
    address = {field.name: field for field in _address("billing", "", COUNTRIES, names)}
    return [replace(address[name], required=False) for name in wanted]


def _names(collection: Mapping[str, Any]) -> Iterator[CollectedField]:
    for kind, label, autocomplete in (
        ("individual", "Full name", "name"),
        ("business", "Business name", "organization"),
    ):
        wanted = collection.get(kind) or {}
        if wanted.get("enabled"):
            required = not wanted["optional"]
            yield CollectedField(
                f"{kind}_name", label, required=required, autocomplete=autocomplete, most=150
            )


def _address(
    prefix: str, group: str, countries: tuple[str, ...] | list[str], names: Mapping[str, str]
) -> Iterator[CollectedField]:
    for field, label, required, autocomplete in LINES:
        yield CollectedField(
            f"{prefix}_{field}",
            label,
            required=required,
            group=group,
            autocomplete=f"{prefix} {autocomplete}",
        )
    choices = sorted(
        ((code, names.get(code, code)) for code in countries), key=lambda choice: choice[1]
    )
    yield CollectedField(
        f"{prefix}_country",
        "Country",
        "choice",
        group=group,
        autocomplete=f"{prefix} country",
        choices=tuple(choices),
        value=choices[0][0] if len(choices) == 1 else "",
    )


def _custom(field: Mapping[str, Any]) -> CollectedField:
    settings = field[field["type"]]
    return CollectedField(
        f"custom_{field['key']}",
        field["label"]["custom"],
        {"dropdown": "choice", "numeric": "digits", "text": "text"}[field["type"]],  # type: ignore[arg-type]
        required=not field["optional"],
        choices=tuple(
            (option["value"], option["label"]) for option in settings.get("options") or ()
        ),
        value=settings["default_value"] or "",
        least=settings.get("minimum_length") or 0,
        most=settings.get("maximum_length") or 255,
    )


def _consent(session: StripeObject) -> Iterator[CollectedField]:
    collection = session["consent_collection"] or {}
    if collection.get("promotions") == "auto":
        yield CollectedField("promotions", "Send me news and offers", "tick", required=False)
    if collection.get("terms_of_service") == "required":
        agreement = session["custom_text"]["terms_of_service_acceptance"] or {}
        yield CollectedField(
            "terms", agreement.get("message", "I agree to the terms of service"), "tick"
        )


def read_answers(session: StripeObject, form: Mapping[str, str]) -> Answers | PaymentResult:
    """Return the answers, or the result for the first invalid one. Unknown fields are dropped."""
    values: dict[str, str] = {}
    for field in [*fields_of(session), *beside_card(session)]:
        values[field.name] = str(form.get(field.name, "")).strip()
        problem = field.problem(values[field.name])
        if problem:
            return PaymentResult("invalid", problem, field=field.name)
    answers: Answers = {
        name: values[name] or None
        for name in ("phone", "individual_name", "business_name")
        if name in values
    }
    if any(name.startswith("billing_") and answer for name, answer in values.items()):
        answers["billing"] = _given_address("billing", values)
    if "shipping_country" in values:
        address = _given_address("shipping", values)
        answers["shipping"] = {"address": address, "name": values["shipping_name"]}
    answers["custom"] = {
        name.removeprefix("custom_"): answer or None
        for name, answer in values.items()
        if name.startswith("custom_")
    }
    if "promotions" in values:
        answers["promotions"] = "opt_in" if values["promotions"] else "opt_out"
    if "terms" in values:
        answers["terms_of_service"] = "accepted"
    return answers


def _given_address(prefix: str, values: Mapping[str, str]) -> dict[str, str | None]:
    return {field: values.get(f"{prefix}_{field}") or None for field in ADDRESS}


def store_answers(session: StripeObject, answers: Answers) -> None:
    """Store the answers where a completed session shows them."""
    for field in session["custom_fields"]:
        field[field["type"]]["value"] = answers.get("custom", {}).get(field["key"])
    collected = {
        "business_name": answers.get("business_name"),
        "individual_name": answers.get("individual_name"),
        "shipping_details": answers.get("shipping"),
    }
    if any(collected.values()):
        session["collected_information"] = collected
    if "promotions" in answers or "terms_of_service" in answers:
        session["consent"] = {
            name: answers.get(name) for name in ("promotions", "terms_of_service")
        }
