"""Every error has a sentence for buyers and one for operators."""

from store.core.errors import (
    DatabaseUnavailable,
    DatabaseUnusable,
    StoreError,
    StripeNotFound,
    StripeUncertain,
)


def test_errors_for_buyers_say_that_nothing_was_charged() -> None:
    assert "You have not been charged" in str(DatabaseUnavailable())
    assert "You have not been charged" in str(DatabaseUnusable("Grant it."))
    assert "You have not been charged" in str(StripeUncertain())


def test_a_given_sentence_is_for_both_and_one_for_operators_is_theirs() -> None:
    assert DatabaseUnusable("Grant it.").for_operator == "Grant it."
    assert StoreError("The port is in use.").for_operator == "The port is in use."
    assert StripeUncertain().for_operator.startswith("Stripe did not answer")


def test_an_error_with_a_sentence_of_its_own_does_not_inherit_another_ones() -> None:
    assert StripeNotFound().for_operator == StripeNotFound.sentence
