"""A webhook's signature: the raw bytes, one of the secrets, and a time near Stripe's."""

import time

import pytest
import stripe

from store.core.errors import SignatureRefused
from store.stripe_api import signatures
from store.stripe_api.clock_skew import CLOCK_SKEW

SECRET, OLD_SECRET = "whsec_of_today_0123456789", "whsec_of_yesterday_012345"
BODY = b'{"object": "event", "id": "evt_1"}'


@pytest.fixture(autouse=True)
def clocks_that_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CLOCK_SKEW, "ahead", None)


def signed(secret: str = SECRET, seconds: float = 0, body: bytes = BODY) -> str:
    moment = int(time.time() + seconds)
    return str(stripe.WebhookSignature.generate_signature_header(body.decode(), secret, moment))


def refusal(header: str, *, body: bytes = BODY) -> str:
    with pytest.raises(SignatureRefused) as refused:
        signatures.verify(body, header, [SECRET, OLD_SECRET])
    return str(refused.value)


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
@pytest.mark.parametrize("seconds", [-290, 0, 290])
def test_each_secret_in_use_verifies_within_five_minutes(secret: str, seconds: float) -> None:
    signatures.verify(BODY, signed(secret, seconds), [SECRET, OLD_SECRET])


@pytest.mark.parametrize(
    ("seconds", "word"), [(-310, "old"), (310, "ahead"), (-(10**6), "old"), (10**6, "ahead")]
)
def test_a_genuine_signature_at_the_wrong_time_says_how_far_it_is_off(
    seconds: float, word: str
) -> None:
    assert f"seconds {word}" in refusal(signed(seconds=seconds))


@pytest.mark.parametrize(
    "header",
    [
        *("", "t=1", "v1=x", "t=x,v1=y", "t=1,v1=", "sha256=x", "é", "t=1,v1=" + "0" * 10_000),
        signed("whsec_of_somebody_else_0123"),
    ],
    ids=range(9),
)
def test_anything_else_is_refused_without_a_reason(header: str) -> None:
    assert "genuine" not in refusal(header)


def test_another_body_under_the_same_signature_is_refused() -> None:
    assert "genuine" not in refusal(signed(), body=BODY.replace(b"evt_1", b"evt_2"))


def test_without_secrets_nothing_is_verified() -> None:
    with pytest.raises(SignatureRefused):
        signatures.verify(BODY, signed(), [])
