"""Numbers with their nouns."""

import pytest

from store.core.text import counted, listed


@pytest.mark.parametrize(
    ("number", "noun", "plural", "words"),
    [
        (0, "order", "", "0 orders"),
        (1, "order", "", "1 order"),
        (2, "order", "", "2 orders"),
        (1234, "order", "", "1,234 orders"),
        (1, "entry", "entries", "1 entry"),
        (2, "entry", "entries", "2 entries"),
    ],
)
def test_a_number_stands_with_its_noun(number: int, noun: str, plural: str, words: str) -> None:
    assert counted(number, noun, plural) == words


@pytest.mark.parametrize(
    ("names", "words"),
    [([], ""), (["a", "b"], "a, b"), (["a", "b", "c"], "a, b and 1 more")],
)
def test_a_list_that_is_cut_says_how_many_are_left_out(names: list[str], words: str) -> None:
    assert listed(names, 2) == words
