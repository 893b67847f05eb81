"""API versions: translation of older requests into the newest version and of responses back.

Everything is validated and stored in the newest version. `CHANGES` lists the differences that
concern the calls imitated here, from Stripe's changelog (docs.stripe.com/changelog); they apply to
requests, responses and events for endpoints of an older version. Properties that were added later
are shown in every version, as Stripe does.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stripe_emulator.base.config import API_VERSION
from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.form_encoding import Raw
from stripe_emulator.parameters.parameters import TABLE

KNOWN = frozenset(TABLE["POST /v1/webhook_endpoints"]["fields"]["api_version"]["enum"])
PREVIEW = re.compile(r"\d{4}-\d{2}-\d{2}\.preview", re.ASCII)
LATER = re.compile(r"\d{4}-\d{2}-\d{2}\.[a-z]+", re.ASCII)
CLI_VERSION = "2022-11-15"
SESSIONS = "POST /v1/checkout/sessions"


def _as_given(_raw: Raw) -> None:
    """Leave a request as it is, for changes of names and values only."""


def of_client(user_agent: str) -> str:
    """Return the version of a request without `Stripe-Version`: "" (the account's), except for the
    CLI.

    `stripe trigger` sends requests that fit an account from before 2023-08-16, when intents began
    to use the payment methods of the Dashboard by default.
    """
    return CLI_VERSION if "stripe-cli/" in user_agent else ""


@dataclass(frozen=True)
class Change:
    """The differences of versions before `since`."""

    since: str
    kind: str
    """The kind of object whose responses differ."""
    answer: Callable[[StripeObject], None]
    """Gives an object the older shape, in place."""
    calls: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """Parameters of these calls: older name → newer name."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Parameters of these calls: name → older value → newer value."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of these calls → the value that applies when they are absent, as a request writes
    it."""
    request: Callable[[Raw], None] = _as_given
    """Gives a request of these calls the newer shape, in place."""


def _renamed(newer: str, older: str) -> Callable[[StripeObject], None]:
    def rename(stripe_object: StripeObject) -> None:
        if newer in stripe_object:
            stripe_object[older] = stripe_object.pop(newer)

    return rename


def _no_invoice(stripe_object: StripeObject) -> None:
    stripe_object["invoice"] = None


def _without_allowed_types(stripe_object: StripeObject) -> None:
    stripe_object.pop("allowed_payment_method_types", None)


UI_MODES = {"custom": "elements", "embedded": "embedded_page", "hosted": "hosted_page"}
_OLDER_UI_MODES = {newer: older for older, newer in UI_MODES.items()}


def _older_ui_mode(session: StripeObject) -> None:
    session["ui_mode"] = _OLDER_UI_MODES.get(session["ui_mode"], session["ui_mode"])


def _shipping_details(session: StripeObject) -> None:
    collected = (session["collected_information"] or {}).get("shipping_details")
    blank = dict.fromkeys(("address", "carrier", "name", "phone", "tracking_number"))
    session["shipping_details"] = {**blank, **collected} if collected else None


def _shipping(session: StripeObject) -> None:
    session["shipping"] = session.pop("shipping_details")
    session.pop("shipping_cost", None)
    session["shipping_rate"] = None


def _unchanged(_thing: StripeObject) -> None:
    """Leave a response as it is, for changes of requests only."""


def _without_automatic_methods(intent: StripeObject) -> None:
    if intent["automatic_payment_methods"] == {"enabled": False}:
        intent["automatic_payment_methods"] = None


def _bank_transfer_type(raw: Raw) -> None:
    """Rename the transfer type `jp_bank_account`, which `stripe trigger` sends, to
    `jp_bank_transfer`."""
    options = _raw_object(raw.get("payment_method_options"))
    balance = _raw_object(options.get("customer_balance"))
    transfer = _raw_object(balance.get("bank_transfer"))
    if transfer.get("type") == "jp_bank_account":
        renamed = {**balance, "bank_transfer": {**transfer, "type": "jp_bank_transfer"}}
        raw["payment_method_options"] = {**options, "customer_balance": renamed}


def _raw_object(value: Any) -> Raw:
    return value if isinstance(value, dict) else {}


def _calls_of(kind: str, *names: str) -> tuple[str, ...]:
    path = f"POST /v1/{kind}s"
    return (path, *(f"{path}/{{id}}{name}" for name in names))


def _promotion(raw: Raw) -> None:
    """Translate `coupon` into `promotion`, and expand the coupon in the response."""
    if isinstance(raw.get("coupon"), str):
        raw["promotion"] = {"type": "coupon", "coupon": raw.pop("coupon")}
    _with_coupon(raw)


def _with_coupon(raw: Raw, path: str = "promotion.coupon") -> None:
    expansions = raw.get("expand")
    if isinstance(expansions, dict) or expansions is None:
        raw["expand"] = {**(expansions or {}), str(10**6): path}


def _coupon_itself(stripe_object: StripeObject) -> None:
    stripe_object["coupon"] = stripe_object.pop(
        "promotion" if "promotion" in stripe_object else "source"
    )["coupon"]


CODES = "POST /v1/promotion_codes"

INTENTS = {kind: _calls_of(kind, "", "/confirm") for kind in ("payment_intent", "setup_intent")}

CHANGES: tuple[Change, ...] = (
    *(
        Change(
            "2026-09-30",
            kind,
            _without_allowed_types,
            calls=calls,
            names={"payment_method_types": "allowed_payment_method_types"},
        )
        for kind, calls in {"checkout.session": (SESSIONS,), **INTENTS}.items()
    ),
    Change(
        "2026-03-25",
        "checkout.session",
        _older_ui_mode,
        calls=(SESSIONS,),
        values={"ui_mode": UI_MODES},
    ),
    Change("2025-09-30", "promotion_code", _coupon_itself, calls=(CODES,), request=_promotion),
    Change(
        "2025-09-30",
        "promotion_code",
        _unchanged,
        calls=(f"{CODES}/{{id}}", f"{CODES.replace('POST', 'GET')}/{{id}}"),
        request=_with_coupon,
    ),
    Change(
        "2025-09-30",
        "promotion_code",
        _unchanged,
        calls=(CODES.replace("POST", "GET"),),
        request=lambda raw: _with_coupon(raw, "data.promotion.coupon"),
    ),
    Change("2025-09-30", "discount", _coupon_itself),
    Change("2025-03-31", "checkout.session", _shipping_details),
    Change("2025-03-31", "payment_intent", _no_invoice),
    Change("2025-03-31", "charge", _no_invoice),
    Change(
        "2024-04-10",
        "product",
        _renamed("marketing_features", "features"),
        calls=("POST /v1/products", "POST /v1/products/{id}"),
        names={"features": "marketing_features"},
    ),
    Change(
        "2024-04-10",
        "payment_intent",
        _unchanged,
        calls=("POST /v1/payment_intents",),
        defaults={"capture_method": "automatic"},
    ),
    *(
        Change(
            "2023-08-16",
            kind,
            _without_automatic_methods,
            calls=(calls[0],),
            defaults={"automatic_payment_methods": {"enabled": "false"}},
        )
        for kind, calls in INTENTS.items()
    ),
    Change(
        "2023-08-16",
        "payment_intent",
        _unchanged,
        calls=("POST /v1/payment_intents",),
        request=_bank_transfer_type,
    ),
    Change("2022-08-01", "checkout.session", _shipping),
)
"""Newest first."""


def checked(header: str) -> str:
    """Return a `Stripe-Version` that Stripe knows. Raises InvalidRequest.

    Versions later than the emulator's own are accepted and answered in its own.
    """
    version = header.partition(";")[0].strip()  # `2025-03-31.basil; custom_beta=v1`
    later = LATER.fullmatch(version) and version > API_VERSION
    if version not in KNOWN and not PREVIEW.fullmatch(version) and not later:
        raise InvalidRequest(f"Invalid Stripe API version: {header[:100]}")
    return version


def _before(version: str) -> Sequence[Change]:
    """Return the changes that came after this version, newest first."""
    return [change for change in CHANGES if version[:10] < change.since]


def upgraded(call: str, raw: Raw, version: str) -> Raw:
    """Return the parameters of a call in the newest version. Raises InvalidRequest."""
    newest = dict(raw)
    for change in reversed(_before(version)):
        if call not in change.calls:
            continue
        for older, newer in change.names.items():
            if older in newest:
                newest[newer] = newest.pop(older)
        for name, values in change.values.items():
            if name in newest:
                newest[name] = _newer_value(name, newest[name], values)
        newest = {**change.defaults, **newest}
        change.request(newest)
    return newest


def _newer_value(name: str, value: Any, values: Mapping[str, str]) -> str:
    if not isinstance(value, str) or value not in values:
        *first, last = values
        raise InvalidRequest(
            f"Invalid {name}: must be one of {', '.join(first)}, or {last}", param=name
        )
    return values[value]


def reword(error: InvalidRequest, call: str, version: str) -> None:
    """Change an error to name the parameters and values that the request used."""
    for change in _before(version):
        if call not in change.calls:
            continue
        replacements = {newer: older for older, newer in change.names.items()} | {
            f"{name}={newer}": f"{name}={older}"
            for name, values in change.values.items()
            for older, newer in values.items()
        }
        for newer, older in replacements.items():
            error.message = error.message.replace(newer, older)
            if error.param:
                error.param = error.param.replace(newer, older)


def older(stripe_object: Any, version: str) -> Any:
    """Return an object as a version shows it: a copy where anything differs.

    Events keep the version in which they were created.
    """
    changes = _before(version)
    return _older(stripe_object, changes) if changes else stripe_object


def _older(stripe_object: Any, changes: Sequence[Change]) -> Any:
    if isinstance(stripe_object, list):
        return [_older(element, changes) for element in stripe_object]
    if not isinstance(stripe_object, dict) or stripe_object.get("object") == "event":
        return stripe_object
    copy = {name: _older(value, changes) for name, value in stripe_object.items()}
    if not copy.get("deleted"):
        for change in changes:
            if change.kind == copy.get("object"):
                change.answer(copy)
    return copy


def event(original: StripeObject, version: str) -> StripeObject:
    """Return an event in the version of the endpoint it is delivered to."""
    data = {**original["data"], "object": older(original["data"]["object"], version)}
    if "previous_attributes" in data:
        kind = data["object"]["object"]
        data["previous_attributes"] = _older_part(kind, data["previous_attributes"], version)
    return {**original, "api_version": version, "data": data}


def _older_part(kind: str, part: StripeObject, version: str) -> StripeObject:
    """Return some fields of an object under the names of an older version."""
    names = {
        newer: older
        for change in _before(version)
        if change.kind == kind
        for older, newer in change.names.items()
    }
    return {names.get(name, name): value for name, value in part.items()}
