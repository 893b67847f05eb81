"""The signature of a webhook: https://docs.stripe.com/webhooks#verify-manually"""

import stripe

from store.core.errors import SignatureRefused
from store.stripe_api.clock_skew import stripe_now

TOLERANCE_SECONDS = 300
MAX_HEADER_LENGTH = 4096  # two secrets make about 150 characters


def verify(body: bytes, header: str, secrets: list[str]) -> None:
    """Verify a webhook's raw bytes against its `Stripe-Signature`, with each secret in use.

    SignatureRefused if no secret fits, or the timestamp is over five minutes off; the SDK accepts
    any distance in the future.
    """
    if not header.isascii() or len(header) > MAX_HEADER_LENGTH:
        raise SignatureRefused
    if not any(_is_signed(body, header, secret) for secret in secrets):
        raise SignatureRefused
    signed_at = next(part.split("=")[1] for part in header.split(",") if part.startswith("t="))
    # Parsed as the SDK does: `t=1=2` is 1. Compared with Stripe's clock, as far as it is known.
    off_seconds = int(signed_at) - stripe_now().timestamp()
    if abs(off_seconds) > TOLERANCE_SECONDS:
        raise SignatureRefused(
            f"The signature is genuine, but its time is {abs(off_seconds):.0f} seconds "
            f"{'ahead' if off_seconds > 0 else 'old'}. Check this machine's clock."
        )


def _is_signed(body: bytes, header: str, secret: str) -> bool:
    # `Webhook.construct_event` builds objects for nine tenths of its time; this checks the same.
    try:
        stripe.WebhookSignature.verify_header(body, header, secret)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True
