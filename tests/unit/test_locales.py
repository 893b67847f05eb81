"""The locale that a visitor's language tag means."""

import pytest

from store.core import locales
from store.web.formatting import LocaleFormatter


@pytest.mark.parametrize(
    ("tag", "identifier"),
    [
        ("de-CH", "de_CH"),
        ("DE-ch", "de_CH"),
        ("zh-TW", "zh_Hant_TW"),
        ("zh-hant-tw", "zh_Hant_TW"),
        ("ko", "ko"),
        ("de-XX", "de"),
        ("ca-ES-valencia", "ca_ES_VALENCIA"),
        ("en-US-POSIX", "en_US_POSIX"),
    ],
)
def test_a_language_tag_means_the_nearest_locale(tag: str, identifier: str) -> None:
    assert str(locales.find(tag)) == identifier


@pytest.mark.parametrize(
    "tag",
    [
        *(None, "", "-", "root", "Root", "C", "zxx", "xx-YY", "en@calendar=buddhist", "../../en"),
        *("en\0", "de DE", "a" * 10_000_000, "en-US-u-ca-buddhist-nu-arab-x-y", "\ud800", "٣٣"),
    ],
)
@pytest.mark.scenario("Q5")
def test_anything_else_is_read_as_us_english(tag: str | None) -> None:
    assert locales.find(tag) == locales.DEFAULT_LOCALE


@pytest.mark.parametrize("zone", ["", "x" * 10_000_000, "../../etc/passwd", "Europe", "a\0b", "É"])
@pytest.mark.scenario("Q5")
def test_an_unknown_time_zone_is_read_as_utc(zone: str) -> None:
    assert str(LocaleFormatter.of("en-US", zone).zone) == "UTC"
