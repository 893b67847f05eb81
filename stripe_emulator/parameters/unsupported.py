"""Documented parameters that this emulator refuses, in one table, each with its error.

There are three kinds. Objects of an API that is not imitated (tax rates, accounts, …) do not exist,
so they are refused as Stripe refuses an unknown id. Parameters that a hosted page in payment mode
may not have are refused as Stripe refuses them there. All others would change the amount or need
more than the emulator has; they are refused as not imitated. Paths are written as in `limits.py`.
Messages marked (unverified) were not recorded from Stripe.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.parameters.parameters import TABLE, Parameters

NOTHING: tuple[Any, ...] = (None, False, "", [], {})


@dataclass(frozen=True)
class Refusal:
    """The error of a refused parameter. `{value}` and `{param}` in `words` are filled in."""

    words: str
    code: str | None = None
    accepted: tuple[str, ...] = ()
    """Values that are accepted, besides empty ones."""
    unless: str = ""
    """The parameter that makes it acceptable."""


def _unknown(kind: str) -> Refusal:
    return Refusal(f"No such {kind}: '{{value}}'", "resource_missing")


def _absent(what: str, *accepted: str) -> Refusal:
    """Return the emulator's own error for what it does not imitate."""
    return Refusal(f"This emulator does not imitate {what}.", accepted=accepted)


_NOT_HERE = Refusal("`{param}` cannot be used on a hosted page in `payment` mode.")  # unverified
_ONLY_WITH_CUSTOMER = Refusal("`{param}` can only be used with `customer`.", unless="customer")
_ACCOUNT = _unknown("account")
_FILE = _unknown("file upload")
_BY_METHOD = _absent("`setup_future_usage` of one payment method", "none")
_CONNECT = _absent("Connect")
_RADAR = _absent("Radar")
_TEST_CLOCK = _unknown("test clock")
_TAX = "You must have a valid head office address to enable automatic tax calculation in test mode."
_FEE = (
    "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment"
    " (using an OAuth key or Stripe-Account header) or destination payment (using"
    " `transfer_data[destination]`)."
)
_RECURRING = (
    "You specified `payment` mode but passed a recurring price. Either switch to `subscription` "
    "mode or use only one-time prices."
)
_TIERS = _absent("tiered prices", "per_unit")
_OWN_PRICE = _absent("prices that the buyer names")
_CURRENCIES = _absent("prices in several currencies")

_OF_CUSTOMERS = {
    "cash_balance": _absent("cash balances"),
    "invoice_settings[rendering_options][template]": _unknown("template"),
    "source": _unknown("token"),
    "tax": _absent("automatic tax"),
    "validate": _absent("the validation of sources"),
}

IMITATED_METHODS = ("card", "customer_balance", "sepa_debit", "us_bank_account")
OTHER_METHODS = frozenset(TABLE["POST /v1/payment_methods"]["fields"]["type"]["enum"]).difference(
    IMITATED_METHODS
)


def _other_methods(call: str, prefix: str = "") -> dict[str, Refusal]:
    """Return the refusals of other payment methods: of their type, and of the data of each."""
    fields = TABLE[call]["fields"]
    fields = fields[prefix]["fields"] if prefix else fields
    types = fields["type"]["enum"]
    words = f"payment methods of type {{value}}, only {', '.join(IMITATED_METHODS)}"
    return {
        _below(prefix, "type"): _absent(words, *IMITATED_METHODS),
        **{
            _below(prefix, name): _absent(f"payment methods of type {name}")
            for name in types
            if name not in IMITATED_METHODS and fields.get(name, {}).get("fields")
        },
        _below(prefix, "radar_options"): _RADAR,
    }


def _below(prefix: str, name: str) -> str:
    return f"{prefix}[{name}]" if prefix else name


def _card_options(*names: str) -> dict[str, Refusal]:
    words = {
        "capture_method": "`capture_method` of one payment method; set that of the payment",
        "cvc_token": "CVC tokens",
        "installments": "installments",
        "mandate_options": "mandates of cards",
        "moto": "orders by mail or telephone",
        "require_cvc_recollection": "asking for the CVC again",
        "three_d_secure": "3-D Secure data of other providers",
    }
    return {
        f"payment_method_options[card][{name}]": _absent(what)
        for name, what in words.items()
        if name in names
    }


_OF_CONFIRMATION = {
    "confirmation_token": _unknown("confirmation token"),
    "mandate": _unknown("mandate"),
    "radar_options": _RADAR,
}
_OF_PAYMENT = {
    "amount_details": _absent("amount details"),
    "application_fee_amount": Refusal(_FEE),
    "hooks": _absent("hooks"),
    "transfer_data[destination]": _unknown("destination"),
    "transfer_data": _CONNECT,
}
_OF_INTENTS = {
    "customer_account": _ACCOUNT,
    "on_behalf_of": _ACCOUNT,
    "payment_method_configuration": _unknown("payment method configuration"),
}
_PAYMENT_OPTIONS = {
    **_card_options(
        *("capture_method", "cvc_token", "installments", "mandate_options", "moto"),
        *("require_cvc_recollection", "three_d_secure"),
    ),
    **{
        f"payment_method_options[{method}][setup_future_usage]": _BY_METHOD
        for method in IMITATED_METHODS
    },
}
_SETUP_OPTIONS = _card_options("mandate_options", "moto", "three_d_secure")


def _of_intent(call: str, *tables: dict[str, Refusal]) -> dict[str, Refusal]:
    """Return those refusals of the tables that concern parameters of this call."""
    fields = TABLE[call]["fields"]
    joined = {path: refusal for table in tables for path, refusal in table.items()}
    if "payment_method_data" in fields:
        joined |= _other_methods(call, "payment_method_data")
    return {path: joined[path] for path in joined if path.partition("[")[0] in fields}


def _of_intents() -> dict[str, dict[str, Refusal]]:
    payments, setups = "POST /v1/payment_intents", "POST /v1/setup_intents"
    shared = (_OF_INTENTS, _OF_CONFIRMATION)
    refused = {
        f"{payments}{path}": _of_intent(f"{payments}{path}", _OF_PAYMENT, _PAYMENT_OPTIONS, *shared)
        for path in ("", "/{id}", "/{id}/capture", "/{id}/confirm")
    }
    refused |= {
        f"{setups}{path}": _of_intent(f"{setups}{path}", _SETUP_OPTIONS, *shared)
        for path in ("", "/{id}", "/{id}/confirm")
    }
    refused[setups]["single_use"] = _absent("mandates for one payment")
    refused[f"{payments}/{{id}}/capture"].pop("transfer_data[destination]")
    refused[f"{payments}/{{id}}"].pop("transfer_data[destination]")
    return refused


REFUSED: dict[str, dict[str, Refusal]] = {
    **_of_intents(),
    "POST /v1/payment_methods": {
        **_other_methods("POST /v1/payment_methods"),
        "customer": _absent("PaymentMethods shared with other accounts"),
        "payment_method": _absent("PaymentMethods shared with other accounts"),
        "us_bank_account[financial_connections_account]": _unknown("Financial Connections Account"),
    },
    "POST /v1/payment_methods/{id}": {
        "us_bank_account": _absent("changes of bank accounts"),
    },
    "POST /v1/payment_methods/{id}/attach": {"customer_account": _ACCOUNT},
    "POST /v1/checkout/sessions/{id}": {
        name: _absent("changes of a session beyond its metadata")
        for name in (
            *("collected_information", "line_items", "payment_intent_data", "shipping_options"),
        )
    },
    "POST /v1/checkout/sessions": {
        # `mode` comes first, because it is the reason for the other refusals.
        "mode": _absent("mode={value}, only mode=payment", "payment"),
        "ui_mode": _absent("ui_mode={value}, only hosted_page", "hosted_page"),
        "after_expiration[recovery][enabled]": _absent("recovery of expired sessions"),
        "automatic_tax[enabled]": Refusal(_TAX),
        "automatic_tax[liability][account]": _ACCOUNT,
        "branding_settings[icon][file]": _FILE,
        "branding_settings[logo][file]": _FILE,
        "customer_account": _ACCOUNT,
        "customer_update": _ONLY_WITH_CUSTOMER,
        "invoice_creation[enabled]": _absent("invoices"),
        "invoice_creation[invoice_data][account_tax_ids]": _unknown("tax id"),
        "invoice_creation[invoice_data][issuer][account]": _ACCOUNT,
        "invoice_creation[invoice_data][rendering_options][template]": _unknown("template"),
        "line_items[][price_data][recurring]": Refusal(_RECURRING),
        "line_items[][tax_rates]": _unknown("tax rate"),
        "managed_payments[enabled]": _absent("managed payments"),
        "payment_intent_data[application_fee_amount]": Refusal(_FEE),
        "payment_intent_data[capture_method]": _absent(
            "manual capture", "automatic", "automatic_async"
        ),
        "payment_intent_data[on_behalf_of]": _ACCOUNT,
        "payment_intent_data[transfer_data][destination]": _unknown("destination"),
        "payment_method_collection": Refusal(
            "`payment_method_collection` can only be used in `subscription` mode."  # unverified
        ),
        "payment_method_configuration": _unknown("payment method configuration"),
        "payment_method_options[card][capture_method]": _absent("manual capture"),
        "payment_method_options[customer_balance]": _absent("bank transfers on the payment page"),
        "payment_method_options[card][setup_future_usage]": _BY_METHOD,
        "payment_method_options[sepa_debit][setup_future_usage]": _BY_METHOD,
        "payment_method_options[us_bank_account][setup_future_usage]": _BY_METHOD,
        "permissions": _NOT_HERE,
        "redirect_on_completion": _NOT_HERE,
        "return_url": _NOT_HERE,
        "setup_intent_data": Refusal("You can not pass `setup_intent_data` in `payment` mode."),
        "subscription_data": Refusal("You can not pass `subscription_data` in `payment` mode."),
    },
    "GET /v1/balance_transactions": {"payout": _unknown("payout")},
    "POST /v1/customers": {
        **_OF_CUSTOMERS,
        "tax_id_data": _absent("tax ids of Customers"),
        "test_clock": _TEST_CLOCK,
    },
    "GET /v1/customers": {"test_clock": _TEST_CLOCK},
    "POST /v1/customers/{id}": {**_OF_CUSTOMERS, "default_source": _unknown("source")},
    "POST /v1/products": {
        "default_price_data[currency_options]": _CURRENCIES,
        "default_price_data[custom_unit_amount]": _OWN_PRICE,
    },
    "POST /v1/prices": {
        "billing_scheme": _TIERS,
        "currency_options": _CURRENCIES,
        "custom_unit_amount": _OWN_PRICE,
        "recurring[meter]": _unknown("meter"),
        "tiers": _TIERS,
        "tiers_mode": _TIERS,
    },
    "POST /v1/prices/{id}": {"currency_options": _CURRENCIES},
    "POST /v1/promotion_codes": {"customer_account": _ACCOUNT},
    "POST /v1/refunds": {
        "currency": _ONLY_WITH_CUSTOMER,
        "customer": _absent("refunds from the balance of a Customer"),
        "origin": _ONLY_WITH_CUSTOMER,
        "refund_application_fee": Refusal("This charge has no application fee."),  # unverified
        "reverse_transfer": Refusal(
            "Cannot reverse transfer on this charge because it does not have an associated transfer"
            "."  # unverified
        ),
    },
    "POST /v1/disputes/{id}": {
        **{
            f"evidence[{name}]": _FILE
            for name in (
                *("cancellation_policy", "customer_communication", "customer_signature"),
                *("duplicate_charge_documentation", "receipt", "refund_policy"),
                *("service_documentation", "shipping_documentation", "uncategorized_file"),
            )
        },
        "evidence[appeal]": _absent("appeals"),
        "evidence[enhanced_evidence]": _absent("enhanced evidence"),
    },
    "POST /v1/webhook_endpoints": {"connect": _absent("Connect")},
}


def check(call: str, params: Parameters) -> None:
    """Raise InvalidRequest for the first refused parameter, in the order of the table."""
    refused = REFUSED.get(call, {})
    for name in [name for name in _FIRST_NAMES.get(call, ()) if name in params]:
        for plain, param, value in _visited(params[name], name, name):
            refusal = refused.get(plain)
            fine = value in NOTHING or (refusal and value in refusal.accepted)
            if refusal and not fine and refusal.unless not in params:
                raise _error(refusal, param, value)


_FIRST_NAMES = {
    call: dict.fromkeys(path.partition("[")[0] for path in refused)
    for call, refused in REFUSED.items()
}


def _visited(value: Any, plain: str, param: str) -> Iterator[tuple[str, str, Any]]:
    """Yield every parameter below this one, then itself: (path without indexes, path, value)."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _visited(inner, f"{plain}[{name}]", f"{param}[{name}]")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _visited(inner, f"{plain}[]", f"{param}[{index}]")
    yield plain, param, value


def _error(refusal: Refusal, param: str, value: Any) -> InvalidRequest:
    if isinstance(value, list) and isinstance(value[0], str):  # name the first id of a list
        param, value = f"{param}[0]", value[0]
    words = refusal.words.format(value=value, param=param)
    return InvalidRequest(words, code=refusal.code, param=param)
