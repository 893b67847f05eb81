"""Every error of every module has a sentence for operators."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import store
from store.core.errors import (
    StoreError,
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
