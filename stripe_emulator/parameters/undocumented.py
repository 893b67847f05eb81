"""Calls that the Stripe CLI 1.52 makes and no SDK declares."""

from typing import Any

CALLS: dict[str, Any] = {
    "POST /v1/events/{id}/retry": {
        "fields": {
            "account": "string",
            "for_stripecli": "boolean",
            "webhook_endpoint": "string",
        }
    },
    "GET /v1/payment_pages/{id}": {"fields": {}},
    "POST /v1/payment_pages/{id}/confirm": {
        "fields": {"expected_amount": "integer", "payment_method": "string"},
        "required": ["payment_method"],
    },
    "POST /v1/stripecli/sessions": {
        "fields": {
            "device_name": "string",
            "filters": {"or_empty": "string"},
            "forward_connect_to_url": {"or_empty": "string"},
            "forward_thin_connect_to_url": {"or_empty": "string"},
            "forward_thin_to_url": {"or_empty": "string"},
            "forward_to_url": {"or_empty": "string"},
            "websocket_features": {"list": "string"},
        }
    },
}
