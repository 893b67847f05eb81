"""Minor units and text: every currency with its own digits, every locale with its own signs."""

from decimal import Decimal

import pytest
from babel.numbers import get_currency_precision, list_currencies
from hypothesis import given
from hypothesis import strategies as st

from store import money
from tests.shop.running import JEANS, ON_SQLITE, SHIRTS, Shop

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
    assert money.minor(price, currency) == amount


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
        assert not money.chargeable(money.minor(price, currency), currency)
        return
    with pytest.raises(ValueError, match=r"price|charged"):
        money.minor(price, currency)


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
    # Stripe counts these in hundredths, or in units, although people do otherwise.
    exceptions = {"isk", "ugx", "mga", "lak", "mmk"}

    for currency in money.ZERO_DECIMAL | money.THREE_DECIMAL:
        if currency not in exceptions:
            digits = get_currency_precision(currency.upper())
            assert money.decimals(currency) == digits, currency
    assert money.ZERO_DECIMAL.isdisjoint(money.THREE_DECIMAL)
    assert {name.upper() for name in money.MINIMUM_AMOUNT} <= set(list_currencies())


@given(st.integers(0, money.MAXIMUM_AMOUNT), st.sampled_from(["usd", "jpy", "kwd", "isk"]))
def test_major_units_lose_nothing(amount: int, currency: str) -> None:
    shown = money.major(amount, currency)

    assert isinstance(shown, Decimal)
    assert int(shown.scaleb(money.decimals(currency))) == amount


@pytest.mark.scenario("A10")
@pytest.mark.parametrize(
    ("amount", "currency", "fits"),
    [
        *((49, "usd", False), (50, "usd", True), (29, "gbp", False), (30, "gbp", True)),
        *((49, "jpy", False), (50, "jpy", True), (17_499, "huf", False), (17_500, "huf", True)),
        *((99_999_999, "usd", True), (100_000_000, "usd", False), (0, "usd", False)),
        *((-1999, "usd", False), (10**21, "usd", False)),
    ],
)
def test_a_total_is_within_what_stripe_charges(amount: int, currency: str, fits: bool) -> None:
    assert money.chargeable(amount, currency) is fits


@ON_SQLITE
@pytest.mark.scenario("G8")
def test_amounts_go_to_stripe_as_the_integers_they_are(shop: Shop) -> None:
    number = shop.an_open_order(SHIRTS | JEANS)

    (session,) = shop.sessions()

    assert session.amount_total == shop.order(number).total_amount == 2 * 1999 + 4999
    assert session.currency == "usd"
