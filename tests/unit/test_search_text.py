"""Text as a search compares it, and the filter in the address of the list of orders."""

from datetime import UTC, date

import pytest

from store.core.text import folded
from store.reports import search


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("ADA@Example.COM", "ada@example.com"),
        ("ÜNAL", "unal"),
        ("ünal", "unal"),
        ("İSTANBUL", "istanbul"),
        ("ıstanbul", "istanbul"),
        ("Straße", "strasse"),
        ("ＡＤＡ", "ada"),
        ("ﬁn", "fin"),
        ("Ångström", "angstrom"),
        ("Ñandú", "nandu"),
        ("Σίσυφος", "σισυφοσ"),
        ("", ""),
    ],
)
def test_text_is_compared_without_case_accents_and_forms(written: str, compared: str) -> None:
    assert folded(written) == compared


@pytest.mark.parametrize("text", ["ada", "unal", "σισυφοσ", "istanbul", "東京"])
def test_folding_twice_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)


def test_an_address_holds_the_whole_filter() -> None:
    query = {"q": " ada ", "status": "paid", "from": "2026-03-01", "until": "2026-03-31"}

    assert search.parse_filter(query, UTC) == search.OrderFilter(
        text="ada", status="paid", since=date(2026, 3, 1), until=date(2026, 3, 31), zone=UTC
    )


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"status": "nonsense"},
        {"from": "yesterday", "until": "2026-02-30"},
        {"from": "0001-01-01", "until": "9999-12-31"},
        {"q": "\x00\n"},
        {"page": "3"},
    ],
    ids=str,
)
def test_a_part_of_the_filter_that_cannot_be_read_is_left_out(query: dict[str, str]) -> None:
    assert search.parse_filter(query, UTC) == search.OrderFilter(zone=UTC)


def test_unprintable_characters_are_removed_from_a_search() -> None:
    assert search.clean_query(" a\x00b\ud800\n ") == "ab"
    assert len(search.clean_query("x" * 5000)) == search.MAX_QUERY
