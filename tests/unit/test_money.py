"""Minor units and text: every currency with its own digits, every locale with its own signs."""

import pytest
from babel.numbers import (
    get_currency_precision,
    list_currencies,
)

from store.core import money
from store.core.currencies import CURRENCIES

NBSP, NARROW = "\u00a0", "\u202f"


@pytest.mark.scenario("G8")
@pytest.mark.parametrize(
    ("price", "currency", "amount"),
    [
        ("19.99", "usd", 1999),
        ("0.50", "eur", 50),
        ("1000", "gbp", 100_000),
        ("19.99", "jpy", 1999),
        ("50", "krw", 5000),
        ("19.99", "kwd", 19_990),
        ("5.00", "ugx", 500),
        ("20", "isk", 2000),
        ("175", "huf", 17_500),
    ],
)
def test_a_price_is_read_in_the_minor_units_of_its_currency(
    price: str, currency: str, amount: int
) -> None:
    assert money.parse_list_price(price, currency) == amount


@pytest.mark.scenario("G8")
@pytest.mark.parametrize(
    ("price", "currency"),
    [
        *(("19.999", "usd"), ("19.999", "jpy"), ("19.999", "kwd"), ("19.99", "isk")),
        *(("0", "usd"), ("-1", "usd"), ("NaN", "usd"), ("Infinity", "usd"), ("1e400", "jpx")),
        *(("", "usd"), ("free", "usd"), ("1,99", "eur"), ("$5", "usd")),
    ],
)
def test_a_price_that_cannot_be_charged_is_refused(price: str, currency: str) -> None:
    if price == "1e400":
        assert money.limit(money.parse_list_price(price, currency), currency)
        return
    with pytest.raises(ValueError, match=r"price|charged"):
        money.parse_list_price(price, currency)


@pytest.mark.scenario("G8")
@pytest.mark.parametrize(
    ("amount", "currency", "locale", "shown"),
    [
        (1999, "usd", "en-US", "$19.99"),
        (1999, "usd", None, "$19.99"),
        (1999, "jpy", "en-US", "¥1,999"),
        (1999, "jpy", "ja-JP", "￥1,999"),
        (19_990, "kwd", "en-US", "KWD19.990"),
        (123_456, "eur", "de-DE", f"1.234,56{NBSP}€"),
        (123_456, "eur", "en-IE", "€1,234.56"),
        (123_456, "eur", "fr-FR", f"1{NARROW}234,56{NBSP}€"),
        (1999, "usd", "zz-ZZ", "$19.99"),
        (1999, "usd", "../../etc/passwd", "$19.99"),
        (0, "usd", "en-US", "$0.00"),
    ],
)
def test_an_amount_is_shown_as_its_reader_writes_money(
    amount: int, currency: str, locale: str | None, shown: str
) -> None:
    assert money.text(amount, currency, locale) == shown


@pytest.mark.scenario("G8")
def test_the_digits_of_every_currency_are_those_of_the_standard_or_stripes_exceptions() -> None:
    differ = {
        code
        for code, row in CURRENCIES.items()
        if row.digits != get_currency_precision(code.upper())
    }

    # What people write without small change, and Stripe counts in hundredths all the same; which
    # these are changes with the version of Babel.
    assert {CURRENCIES[code].digits for code in differ} <= {2}
    assert {get_currency_precision(code.upper()) for code in differ} <= {0}
    assert {"huf", "idr", "isk", "ugx"} <= differ
    assert {code.upper() for code in CURRENCIES} <= set(list_currencies())


def test_every_row_of_the_table_makes_sense() -> None:
    assert {row.digits for row in CURRENCIES.values()} == {0, 2, 3}
    for code, row in CURRENCIES.items():
        assert row.step == (10 if row.digits == 3 else 100 if code in ("isk", "ugx") else 1), code
        assert 0 < row.minimum < row.maximum, code
        assert row.minimum % row.step == row.maximum % row.step == 0, code
    for gone in ("hrk", "bgn", "sll", "ltl", "eek", "mro", "vef", "zwl", "byr", "usdc", "xau"):
        assert gone not in CURRENCIES


@pytest.mark.parametrize(
    ("locale", "shown"), [("ar-EG", "1,259.76\xa0US$"), ("he-IL", "1,259.76\xa0$")]
)
def test_an_amount_of_a_right_to_left_locale_keeps_its_sign_on_an_english_page(
    locale: str, shown: str
) -> None:
    assert money.text(125976, "usd", locale) == shown


@pytest.mark.scenario("K1")
@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (1999, "rsd", "RSD19.99"),
        (1999, "huf", "HUF19.99"),
        (2000, "isk", "ISK20"),
        (1999, "mga", "MGA1,999"),
        (1999, "hrk", "HRK19.99"),
    ],
)
def test_the_digits_are_stripes_and_not_babels(amount: int, currency: str, shown: str) -> None:
    assert money.text(amount, currency) == shown


@pytest.mark.parametrize(
    ("text", "locale", "amount"),
    [
        ("49,99", "de-DE", 4999),
        ("49.99", "de-DE", 4999),  # it can only be a decimal point
        ("1.999", "de-DE", 199900),
        ("1.234,50 $", "de-DE", 123450),
        ("49,99", "en-US", 4999),
        ("$1,234.5", "en-US", 123450),
        ("USD 5", "en-US", 500),
        ("1\u202f234,50", "fr-FR", 123450),
        ("1’234.50", "de-CH", 123450),
        ("12,34,567", "hi-IN", 123456700),
        ("٤٩٫٩٩", "ar-EG", 4999),
        ("４９．９９", "ja-JP", 4999),
    ],
)
def test_an_amount_is_read_as_people_of_a_locale_write_it(
    text: str, locale: str, amount: int
) -> None:
    assert money.parse_amount(text, "usd", locale) == amount


@pytest.mark.parametrize(
    "text", ["", "abc", "-5", "1e3", "0x1", "5,", "19 99", "1,99,9", "1.2.3", "5€", "NaN", "9" * 30]
)
def test_an_amount_that_can_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Write the amount in digits, like 19"):
        money.parse_amount(text, "usd", "en-US")


@pytest.mark.scenario("K4")
@pytest.mark.parametrize("code", sorted(CURRENCIES))
def test_a_total_beyond_the_limits_of_its_currency_has_a_reason(code: str) -> None:
    row = CURRENCIES[code]

    assert money.limit(row.minimum, code) == money.limit(money.maximum(code), code) == ""
    assert money.text(row.minimum, code) in money.limit(row.minimum - row.step, code)
    assert "at most" in money.limit(money.maximum(code) + row.step, code)
    assert money.maximum(code) < 2**31


@pytest.mark.scenario("A10")
@pytest.mark.parametrize(
    ("amount", "currency", "fits"),
    [
        *((49, "usd", False), (50, "usd", True), (29, "gbp", False), (30, "gbp", True)),
        *((49, "jpy", False), (50, "jpy", True), (17_499, "huf", False), (17_500, "huf", True)),
        *((99_999_999, "usd", True), (100_000_000, "usd", False), (0, "usd", False)),
        *((-1999, "usd", False), (10**21, "usd", False)),
        *((15_999, "vnd", False), (16_000, "vnd", True), (1999, "idr", False)),
    ],
)
def test_a_total_is_within_what_stripe_charges(amount: int, currency: str, fits: bool) -> None:
    assert (money.limit(amount, currency) == "") is fits
