"""Money and moments as the reader's locale and time zone write them."""

from datetime import UTC, datetime

import pytest

from store.core import clock
from store.web import formatting


@pytest.mark.scenario("G8")
def test_right_to_left_dates_and_amounts_are_isolated_from_the_sentence_around_them() -> None:
    arabic = formatting.LocaleFormatter.of("ar-EG", "Africa/Cairo")

    for text in (arabic.moment(clock.now()), arabic.price(1999, "usd")):
        assert (text[0], text[-1]) == ("\u2068", "\u2069")


@pytest.mark.scenario("G8")
def test_a_reader_sees_money_and_moments_their_way() -> None:
    at = datetime(2024, 11, 23, 10, 24, 5, tzinfo=UTC)
    german = formatting.LocaleFormatter.of("de-DE", "Europe/Berlin")

    assert german.price(3998, "usd").replace("\xa0", " ") == "39,98 $"
    assert german.price(3998, "jpy").replace("\xa0", " ") == "3.998 ¥"
    assert german.moment(at, seconds=True) == "23.11.2024, 11:24:05"
    assert german.utc(at) == "2024-11-23 10:24:05 UTC"


@pytest.mark.parametrize(
    ("language", "timezone"),
    [(None, None), ("", ""), ("xx-YY", "Mars/Base"), ("../etc", "../etc/passwd"), ("\0", "\0")],
)
def test_invalid_locale_and_time_zone_fall_back_to_english_and_utc(
    language: str | None, timezone: str | None
) -> None:
    reader = formatting.LocaleFormatter.of(language, timezone)

    assert reader.price(1999, "usd") == "$19.99"
    assert reader.utc(datetime.now(UTC)).endswith("UTC")
    assert reader.moment(datetime.now(UTC))
