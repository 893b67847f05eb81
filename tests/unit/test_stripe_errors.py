"""Each error of Stripe's SDK becomes one of the shop's, without Stripe's words."""

import pytest
import stripe

from store.core import errors
from store.core.errors import (
    StripeBusy,
    StripeError,
    StripeKeyRefused,
    StripeNotFound,
    StripePermissionMissing,
    StripeRefused,
    StripeUncertain,
    StripeUnreachable,
)
from store.stripe_api import transport

STRIPES_WORDS = "Stripe's own words with a sk_test_key in them"


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (stripe.APIConnectionError(STRIPES_WORDS), StripeUnreachable),  # type: ignore[no-untyped-call]
        (stripe.RateLimitError(STRIPES_WORDS, http_status=429), StripeBusy),
        (stripe.AuthenticationError(STRIPES_WORDS, http_status=401), StripeKeyRefused),
        (stripe.PermissionError(STRIPES_WORDS, http_status=403), StripePermissionMissing),
        (stripe.APIError(STRIPES_WORDS, http_status=409), StripeBusy),
        (stripe.APIError(STRIPES_WORDS, http_status=500), StripeUncertain),
        (stripe.APIError(STRIPES_WORDS, http_status=200), StripeUncertain),
        (stripe.InvalidRequestError(STRIPES_WORDS, "p", http_status=400), StripeRefused),  # type: ignore[no-untyped-call]
        (stripe.InvalidRequestError(STRIPES_WORDS, "p", http_status=404), StripeNotFound),  # type: ignore[no-untyped-call]
        (stripe.IdempotencyError(STRIPES_WORDS, http_status=400), StripeRefused),
        (stripe.CardError(STRIPES_WORDS, "p", "c", http_status=402), StripeRefused),  # type: ignore[no-untyped-call]
    ],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'http_status', '')}",
)
def test_each_stripe_error_is_translated_without_its_message(
    error: stripe.StripeError, meaning: type[StripeError]
) -> None:
    ours = transport.to_store_error(error)

    assert type(ours) is meaning
    assert STRIPES_WORDS not in str(ours)


def below(kind: type[stripe.StripeError]) -> list[type[stripe.StripeError]]:
    return [found for child in kind.__subclasses__() for found in (child, *below(child))]


def test_every_error_of_the_sdk_becomes_one_of_ours() -> None:
    theirs = below(stripe.StripeError)

    assert len(theirs) > 8
    for kind in theirs:
        error = kind.__new__(kind)
        stripe.StripeError.__init__(error, STRIPES_WORDS)
        assert isinstance(transport.to_store_error(error), StripeError)


def test_every_error_has_a_sentence_for_people_and_the_tree_in_the_docstring_is_whole() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    ours = [kind for kind in kinds if issubclass(kind, errors.StoreError)]

    for kind in ours:
        assert kind.__name__ in (errors.__doc__ or "")
        assert kind.sentence.endswith((".", "?")), kind


@pytest.mark.scenario("B2")
@pytest.mark.parametrize(
    ("header", "replayed"), [({}, False), ({"Idempotent-Replayed": "true"}, True)]
)
def test_a_replayed_failure_is_told_apart_from_a_fresh_one(
    header: dict[str, str], replayed: bool
) -> None:
    ours = transport.to_store_error(stripe.APIError("x", http_status=500, headers=header))

    assert isinstance(ours, StripeUncertain)
    assert ours.replayed is replayed
