"""Stripe's keys and signing secrets in settings, validated.

Each function returns its value or raises ValueError with the rest of a sentence that begins with
the name of the setting. No sentence contains the value.
"""

import re

TEST_KEYS = ("sk_test_", "rk_test_")
LIVE_KEYS = ("sk_live_", "rk_live_", "pk_live_")
SIGNING_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_-]+")
PREFIXES = (*TEST_KEYS, *LIVE_KEYS, "pk_test_", "whsec_")
"""Prefixes that may be shown of a secret, with its last four characters."""
OTHERS = {
    "pk_": "is a publishable key (pk_…)",
    "sk_": "is a secret key (sk_…)",
    "rk_": "is a restricted key (rk_…)",
    "whsec_": "is a webhook signing secret (whsec_…), which belongs into STRIPE_WEBHOOK_SECRET",
    "we_": "is the id of a webhook endpoint (we_…)",
    "acct_": "is the id of an account (acct_…)",
}
"""Other values that are pasted by mistake, by their prefix."""


def secret_key(key: str) -> str:
    if key.startswith(LIVE_KEYS):
        raise ValueError("is a live key; this shop only ever uses test keys (sk_test_…)")
    if not key.startswith(TEST_KEYS):
        raise ValueError(f"{_mistaken_for(key)}must begin with sk_test_ or rk_test_")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("contains characters that no Stripe key has")
    if key in TEST_KEYS:
        raise ValueError("ends after its prefix; copy the whole key")
    return key


def publishable_key(key: str) -> str:
    if not key.startswith("pk_test_"):
        raise ValueError(f"{_mistaken_for(key)}must begin with pk_test_")
    return key


def signing_secret(secret: str) -> str:
    if not SIGNING_SECRET.fullmatch(secret):
        raise ValueError(
            f"{_mistaken_for(secret)}must be whsec_…, the signing secret that Stripe shows for "
            "the endpoint, or that stripe listen prints; several are parted by commas"
        )
    return secret


def _mistaken_for(value: str) -> str:
    names = (name for start, name in OTHERS.items() if value.startswith(start))
    return next((f"{name}; it " for name in names), "")


def masked(secret: str) -> str:
    """Enough to recognise a secret by, and too little to use it."""
    prefix = next((each for each in PREFIXES if secret.startswith(each)), "")
    return f"{prefix}…{secret[-4:]}" if prefix and len(secret) >= len(prefix) + 12 else "(set)"
