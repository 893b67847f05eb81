"""Every error has a sentence for buyers and one for operators."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import store
from store.core.errors import (
    DatabaseUnavailable,
    DatabaseUnusable,
    StoreError,
    StripeNotFound,
    StripeUncertain,
)

TO_BUYERS = ("charged", "Nothing was ordered", "Your ", "Press Pay")
# Said to buyers alone: no command and no page of the back office can raise these.
BUYERS_ONLY = {"CartError", "OtherOrderPaid"}


def every_error(root: type[StoreError] = StoreError) -> Iterator[type[StoreError]]:
    yield root
    for below in root.__subclasses__():
        yield from every_error(below)


def for_operators() -> list[type[StoreError]]:
    for module in pkgutil.walk_packages(store.__path__, "store."):
        if not module.name.startswith(("store.db.migrations", "store.__main__")):
            importlib.import_module(module.name)
    return [
        error
        for error in every_error()
        if error.__module__.startswith("store.")
        and BUYERS_ONLY.isdisjoint(base.__name__ for base in error.__mro__)
    ]


@pytest.mark.scenario("N10")
def test_no_sentence_for_operators_speaks_to_a_buyer() -> None:
    sentences = {
        error.__name__: error().for_operator
        for error in for_operators()
        if error.__init__ is StoreError.__init__
    }

    assert len(sentences) > 20
    assert {n: s for n, s in sentences.items() if any(word in s for word in TO_BUYERS)} == {}
    assert all(sentences.values())


def test_buyers_are_still_told_that_they_have_not_been_charged() -> None:
    assert "You have not been charged" in str(DatabaseUnavailable())
    assert "You have not been charged" in str(DatabaseUnusable(for_operator="Grant it."))
    assert "You have not been charged" in str(StripeUncertain(replayed=False))


def test_a_given_sentence_is_for_both_and_one_for_operators_is_theirs() -> None:
    assert DatabaseUnusable(for_operator="Grant it.").for_operator == "Grant it."
    assert StoreError("The port is in use.").for_operator == "The port is in use."
    assert StripeUncertain(replayed=True).for_operator.startswith("Stripe did not answer")


def test_an_error_with_a_sentence_of_its_own_does_not_inherit_another_ones() -> None:
    assert StripeNotFound().for_operator == StripeNotFound.sentence
