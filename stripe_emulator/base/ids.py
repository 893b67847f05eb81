"""Ids of new objects in Stripe's style: a prefix, then letters and digits.

As in Stripe's ids, the first six characters encode the time. Ids of neighbouring times are
neighbours in the index, so creation does not slow down with a hundred thousand stored sessions.
"""

import os
import time

ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TABLE = bytes(ALPHABET[byte % 62] for byte in range(256))

PREFIXES = {
    "checkout.session": "cs_test_a1",
    "payment_intent": "pi_3",
    "payment_method": "pm_1",
    "setup_intent": "seti_1",
    "setup_attempt": "setatt_1",
    "promotion_code": "promo_1",
    "discount": "di_1",
    "shipping_rate": "shr_1",
    "charge": "ch_3",
    "refund": "re_3",
    "dispute": "du_1",
    "radar.early_fraud_warning": "issfr_1",
    "event": "evt_1",
    "customer": "cus_",
    "product": "prod_",
    "price": "price_1",
    "item": "li_1",
    "webhook_endpoint": "we_1",
    "balance_transaction": "txn_3",
    "request": "req_",
    "challenge": "ec_",
    "customer_cash_balance_transaction": "ccsbtxn_1",
    "stripecli.session": "cliws_",
}
LENGTHS = {"checkout.session": 58, "customer": 14, "product": 14, "request": 14}


def new_id(kind: str) -> str:
    """Return a new id for an object of this kind."""
    seconds = int(time.time())
    stamp = bytearray()
    for _ in range(6):
        seconds, rest = divmod(seconds, 62)
        stamp.append(ALPHABET[rest])
    length = LENGTHS.get(kind, 23)
    return PREFIXES[kind] + stamp[::-1].decode() + token(length - 6)


def token(length: int) -> str:
    """Return random letters and digits."""
    return os.urandom(length).translate(_TABLE).decode()
