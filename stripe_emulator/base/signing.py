"""Stripe's webhook signature, scheme v1 (docs.stripe.com/webhooks)."""

import hmac
from collections.abc import Sequence
from hashlib import sha256


def signature_header(payload: bytes, secrets: Sequence[str], timestamp: int) -> str:
    """Return `t=…,v1=…`, with one v1 per active secret; there are two while a secret is being
    replaced."""
    signed = b"%d." % timestamp + payload
    marks = [hmac.new(secret.encode(), signed, sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={mark}" for mark in marks)])
