"""What the installed SDK declares: the parameters of its calls and the keys of its objects.

`python -m tests.emulator.sdk_declarations` writes `stripe_emulator/parameters/parameters.json` anew
after the SDK was raised; `test_declarations.py` fails until that is done.
"""

import ast
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import stripe

SDK = Path(stripe.__file__).parent
DECLARED = Path(__file__).parents[2] / "stripe_emulator" / "api" / "declared_calls.json"
TABLE = Path(__file__).parents[2] / "stripe_emulator" / "parameters" / "parameters.json"

CALLS = {
    "GET /v1/accounts": "_account_list_params.AccountListParams",
    "GET /v1/accounts/{id}": "_account_retrieve_params.AccountRetrieveParams",
    "GET /v1/customers/{id}/sources": (
        "_customer_payment_source_list_params.CustomerPaymentSourceListParams"
    ),
    "GET /v1/products/{id}/features": "_product_feature_list_params.ProductFeatureListParams",
    "POST /v1/checkout/sessions": "checkout/_session_create_params.SessionCreateParams",
    "GET /v1/checkout/sessions": "checkout/_session_list_params.SessionListParams",
    "GET /v1/checkout/sessions/{id}": "checkout/_session_retrieve_params.SessionRetrieveParams",
    "POST /v1/checkout/sessions/{id}/expire": "checkout/_session_expire_params.SessionExpireParams",
    "GET /v1/checkout/sessions/{id}/line_items": (
        "checkout/_session_line_item_list_params.SessionLineItemListParams"
    ),
    "POST /v1/customers": "_customer_create_params.CustomerCreateParams",
    "GET /v1/customers/search": "_customer_search_params.CustomerSearchParams",
    "GET /v1/customers": "_customer_list_params.CustomerListParams",
    "GET /v1/customers/{id}": "_customer_retrieve_params.CustomerRetrieveParams",
    "POST /v1/customers/{id}": "_customer_update_params.CustomerUpdateParams",
    "DELETE /v1/customers/{id}": "_customer_delete_params.CustomerDeleteParams",
    "POST /v1/products": "_product_create_params.ProductCreateParams",
    "GET /v1/products": "_product_list_params.ProductListParams",
    "GET /v1/products/{id}": "_product_retrieve_params.ProductRetrieveParams",
    "POST /v1/products/{id}": "_product_update_params.ProductUpdateParams",
    "DELETE /v1/products/{id}": "_product_delete_params.ProductDeleteParams",
    "POST /v1/prices": "_price_create_params.PriceCreateParams",
    "GET /v1/prices": "_price_list_params.PriceListParams",
    "GET /v1/prices/{id}": "_price_retrieve_params.PriceRetrieveParams",
    "POST /v1/prices/{id}": "_price_update_params.PriceUpdateParams",
    "POST /v1/checkout/sessions/{id}": "checkout/_session_update_params.SessionUpdateParams",
    "GET /v1/customers/{id}/payment_methods": (
        "_customer_payment_method_list_params.CustomerPaymentMethodListParams"
    ),
    "GET /v1/customers/{id}/cash_balance": (
        "_customer_cash_balance_retrieve_params.CustomerCashBalanceRetrieveParams"
    ),
    "GET /v1/customers/{id}/cash_balance_transactions": (
        "_customer_cash_balance_transaction_list_params.CustomerCashBalanceTransactionListParams"
    ),
    "POST /v1/test_helpers/customers/{id}/fund_cash_balance": (
        "test_helpers/_customer_fund_cash_balance_params.CustomerFundCashBalanceParams"
    ),
    "POST /v1/payment_intents": "_payment_intent_create_params.PaymentIntentCreateParams",
    "POST /v1/payment_intents/{id}": "_payment_intent_update_params.PaymentIntentUpdateParams",
    "POST /v1/payment_intents/{id}/cancel": (
        "_payment_intent_cancel_params.PaymentIntentCancelParams"
    ),
    "POST /v1/payment_intents/{id}/capture": (
        "_payment_intent_capture_params.PaymentIntentCaptureParams"
    ),
    "POST /v1/payment_intents/{id}/confirm": (
        "_payment_intent_confirm_params.PaymentIntentConfirmParams"
    ),
    "POST /v1/setup_intents": "_setup_intent_create_params.SetupIntentCreateParams",
    "GET /v1/setup_intents": "_setup_intent_list_params.SetupIntentListParams",
    "GET /v1/setup_intents/{id}": "_setup_intent_retrieve_params.SetupIntentRetrieveParams",
    "POST /v1/setup_intents/{id}": "_setup_intent_update_params.SetupIntentUpdateParams",
    "POST /v1/setup_intents/{id}/cancel": "_setup_intent_cancel_params.SetupIntentCancelParams",
    "POST /v1/setup_intents/{id}/confirm": "_setup_intent_confirm_params.SetupIntentConfirmParams",
    "GET /v1/setup_attempts": "_setup_attempt_list_params.SetupAttemptListParams",
    "POST /v1/coupons": "_coupon_create_params.CouponCreateParams",
    "GET /v1/coupons": "_coupon_list_params.CouponListParams",
    "GET /v1/coupons/{id}": "_coupon_retrieve_params.CouponRetrieveParams",
    "POST /v1/coupons/{id}": "_coupon_update_params.CouponUpdateParams",
    "DELETE /v1/coupons/{id}": "_coupon_delete_params.CouponDeleteParams",
    "POST /v1/promotion_codes": "_promotion_code_create_params.PromotionCodeCreateParams",
    "GET /v1/promotion_codes": "_promotion_code_list_params.PromotionCodeListParams",
    "GET /v1/promotion_codes/{id}": "_promotion_code_retrieve_params.PromotionCodeRetrieveParams",
    "POST /v1/promotion_codes/{id}": "_promotion_code_update_params.PromotionCodeUpdateParams",
    "POST /v1/shipping_rates": "_shipping_rate_create_params.ShippingRateCreateParams",
    "GET /v1/shipping_rates": "_shipping_rate_list_params.ShippingRateListParams",
    "GET /v1/shipping_rates/{id}": "_shipping_rate_retrieve_params.ShippingRateRetrieveParams",
    "POST /v1/shipping_rates/{id}": "_shipping_rate_update_params.ShippingRateUpdateParams",
    "POST /v1/charges/{id}": "_charge_update_params.ChargeUpdateParams",
    "POST /v1/payment_methods": "_payment_method_create_params.PaymentMethodCreateParams",
    "GET /v1/payment_methods": "_payment_method_list_params.PaymentMethodListParams",
    "POST /v1/payment_methods/{id}": "_payment_method_update_params.PaymentMethodUpdateParams",
    "POST /v1/payment_methods/{id}/attach": (
        "_payment_method_attach_params.PaymentMethodAttachParams"
    ),
    "POST /v1/payment_methods/{id}/detach": (
        "_payment_method_detach_params.PaymentMethodDetachParams"
    ),
    "GET /v1/payment_intents": "_payment_intent_list_params.PaymentIntentListParams",
    "GET /v1/payment_intents/{id}": "_payment_intent_retrieve_params.PaymentIntentRetrieveParams",
    "GET /v1/charges": "_charge_list_params.ChargeListParams",
    "GET /v1/charges/{id}": "_charge_retrieve_params.ChargeRetrieveParams",
    "GET /v1/charges/{id}/refunds": "_charge_list_refunds_params.ChargeListRefundsParams",
    "POST /v1/refunds": "_refund_create_params.RefundCreateParams",
    "GET /v1/refunds": "_refund_list_params.RefundListParams",
    "GET /v1/refunds/{id}": "_refund_retrieve_params.RefundRetrieveParams",
    "POST /v1/refunds/{id}": "_refund_update_params.RefundUpdateParams",
    "GET /v1/disputes": "_dispute_list_params.DisputeListParams",
    "GET /v1/disputes/{id}": "_dispute_retrieve_params.DisputeRetrieveParams",
    "POST /v1/disputes/{id}": "_dispute_update_params.DisputeUpdateParams",
    "POST /v1/disputes/{id}/close": "_dispute_close_params.DisputeCloseParams",
    "GET /v1/events": "_event_list_params.EventListParams",
    "GET /v1/events/{id}": "_event_retrieve_params.EventRetrieveParams",
    "POST /v1/webhook_endpoints": "_webhook_endpoint_create_params.WebhookEndpointCreateParams",
    "GET /v1/webhook_endpoints": "_webhook_endpoint_list_params.WebhookEndpointListParams",
    "GET /v1/webhook_endpoints/{id}": (
        "_webhook_endpoint_retrieve_params.WebhookEndpointRetrieveParams"
    ),
    "POST /v1/webhook_endpoints/{id}": (
        "_webhook_endpoint_update_params.WebhookEndpointUpdateParams"
    ),
    "DELETE /v1/webhook_endpoints/{id}": (
        "_webhook_endpoint_delete_params.WebhookEndpointDeleteParams"
    ),
    "GET /v1/account": "_account_retrieve_current_params.AccountRetrieveCurrentParams",
    "GET /v1/balance": "_balance_retrieve_params.BalanceRetrieveParams",
    "GET /v1/balance_transactions": (
        "_balance_transaction_list_params.BalanceTransactionListParams"
    ),
    "GET /v1/balance_transactions/{id}": (
        "_balance_transaction_retrieve_params.BalanceTransactionRetrieveParams"
    ),
    "GET /v1/payment_methods/{id}": "_payment_method_retrieve_params.PaymentMethodRetrieveParams",
}

PLAIN = {
    "str": "string",
    "int": "integer",
    "bool": "boolean",
    "Decimal": "decimal",
    "float": "decimal",
}
NOT_PARAMETERS = {"stripe_version", "stripe_account", "api_key", "max_network_retries"}


@cache
def _module(name: str) -> dict[str, ast.ClassDef]:
    tree = ast.parse((SDK / "params" / f"{name}.py").read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def members(node: ast.expr) -> list[ast.expr]:
    """The members of a union, however it is written."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return members(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.BinOp):
        return members(node.left) + members(node.right)
    if isinstance(node, ast.Subscript):
        outer = ast.unparse(node.value)
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if outer == "Union":
            return [member for part in inner for member in members(part)]
        if outer in ("NotRequired", "Optional"):
            return members(inner[0])
    return [node]


def _spec(module: str, node: ast.expr) -> Any:
    """One declared type in the words of `parameters.json`."""
    specs: list[Any] = []
    enum: list[str] = []
    for member in members(node):
        if isinstance(member, ast.Subscript):
            outer = ast.unparse(member.value)
            if outer == "Literal":
                inner = member.slice.elts if isinstance(member.slice, ast.Tuple) else [member.slice]
                enum += [ast.literal_eval(value) for value in inner]
            elif outer in ("List", "list"):
                specs.append({"list": _spec(module, member.slice)})
            elif outer in ("Dict", "dict"):
                specs.append(_map(module, member))
        elif isinstance(member, ast.Name):
            if member.id in PLAIN:
                specs.append(PLAIN[member.id])
            elif member.id != "UntypedStripeObject":
                specs.append(_fields(module, member.id))
    return _joined(specs, enum)


def _map(module: str, node: ast.Subscript) -> Any:
    assert isinstance(node.slice, ast.Tuple)
    values = _spec(module, node.slice.elts[1])
    return "map" if values == "string" else {"map": values}


def _joined(specs: list[Any], enum: list[str]) -> Any:
    may_be_empty = "" in enum
    values = [value for value in enum if value != ""]
    if values:  # `Literal[...] | str` is how the SDK writes an enumeration
        specs = [{"enum": values}] + [spec for spec in specs if spec != "string"]
    spec = specs[0] if len(specs) == 1 else {"any": specs}
    return {"or_empty": spec} if may_be_empty else spec


def _fields(module: str, name: str) -> Any:
    fields: dict[str, Any] = {}
    required: list[str] = []
    for item in _module(module)[name].body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            field = item.target.id
            if field in NOT_PARAMETERS:
                continue
            fields[field] = _spec(module, item.annotation)
            if "NotRequired" not in ast.unparse(item.annotation):
                required.append(field)
    return {"fields": fields, "required": required} if required else {"fields": fields}


def declared_parameters() -> dict[str, Any]:
    """Every call the emulator answers, with the parameters the SDK declares for it.

    `payment_method_data[card]` is taken by Stripe though the SDK does not declare it.
    """
    table = {call: _fields(*where.rsplit(".", 1)) for call, where in CALLS.items()}
    card = table["POST /v1/payment_methods"]["fields"]["card"]
    for call in table.values():
        data = call["fields"].get("payment_method_data")
        if data and "type" in data["fields"]:
            data["fields"]["card"] = card
            data["fields"]["type"]["enum"] = sorted({*data["fields"]["type"]["enum"], "card"})
    return table


LEAST_SHARED = 400
"""Specs of so many characters are written once, although several calls have them."""


def written(table: dict[str, Any]) -> dict[str, Any]:
    """The table as `parameters.json` holds it: what several calls have in common stands there once.

    `{"$shared": name}` stands for a spec that is written under `shared`.
    """
    counts: Counter[str] = Counter()
    names: dict[str, str] = {}
    shared: dict[str, Any] = {}

    def count(spec: Any, path: str) -> None:
        text = json.dumps(spec, sort_keys=True)
        if not isinstance(spec, dict) or len(text) < LEAST_SHARED:
            return
        counts[text] += 1
        names.setdefault(text, path)
        if counts[text] == 1:
            for name, inner in spec.items():
                count(inner, f"{path}.{name}")

    def compact(spec: Any) -> Any:
        if not isinstance(spec, dict):
            return spec
        name = names.get(text := json.dumps(spec, sort_keys=True), "")
        inside = {field: compact(inner) for field, inner in spec.items()}
        if counts[text] < 2:
            return inside
        shared[name] = inside
        return {"$shared": name}

    for call, spec in table.items():
        count(spec, call)
    return {"calls": {call: compact(spec) for call, spec in table.items()}, "shared": shared}


def declared_calls() -> list[str]:
    """Every call of API v1 that the SDK can make, with `{id}` for each name in its path."""
    found = [
        (method.upper(), re.sub(r"{\w+}", "{id}", path))
        for file in SDK.rglob("_*_service.py")
        for method, path in re.findall(r'"(get|post|delete)",\s*"(/v1/[^"]+)"', file.read_text())
    ]
    return sorted({f"{method} {path}" for method, path in found})


if __name__ == "__main__":
    text = json.dumps(written(declared_parameters()), indent=1, sort_keys=True)
    TABLE.write_text(text + "\n")
    DECLARED.write_text(json.dumps(declared_calls(), indent=0) + "\n")
