"""API keys: only test keys are accepted, and none is ever shown completely."""

import base64
import binascii

from stripe_emulator.base.errors import Unauthorized

TEST_PREFIXES = ("sk_test_", "rk_test_")
LONGEST = 256


def masked(key: str) -> str:
    """Return a key as Stripe shows it: prefix, stars, the last four characters."""
    prefix = next((prefix for prefix in TEST_PREFIXES if key.startswith(prefix)), "")
    rest = key[len(prefix) :]
    if len(rest) < 8:
        return prefix + "*" * min(len(rest), 8)
    return f"{prefix}{'*' * (min(len(rest), 24) - 4)}{rest[-4:]}"


def authenticated(header: str | None) -> str:
    """Return the key of a request, from Bearer or as Basic user name. Raises Unauthorized."""
    key = _key_in(header or "")
    if not key:
        raise Unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization "
            "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
            "https://stripe.com/docs/api#authentication for details, or we can help at "
            "https://support.stripe.com/."
        )
    if key.startswith(("sk_live_", "rk_live_")):
        raise Unauthorized(
            "This is an emulator: it refuses live keys. Use a key that starts with sk_test_."
        )
    usable = key.startswith(TEST_PREFIXES) and len(key) > len("sk_test_")
    if not usable or len(key) > LONGEST or not key.isascii() or not key.isprintable():
        raise Unauthorized(f"Invalid API Key provided: {masked(key[:LONGEST])}")
    return key


def _key_in(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
