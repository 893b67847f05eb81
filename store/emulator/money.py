"""What Stripe accepts as an amount, currency by currency. Always integer minor units.

docs.stripe.com/currencies. The three-decimal rule stands only in older copies of that page;
minimums go by settlement currency at Stripe and by the charge's own currency here.
"""

from store.emulator.errors import InvalidRequest

ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
WHOLE_UNITS_ONLY = frozenset({"isk", "ugx"})
"""Written with two decimals that must be 00."""

MINIMUM = {
    **dict.fromkeys(("usd", "eur", "aud", "cad", "chf", "nzd", "sgd", "brl", "inr", "bgn"), 50),
    **dict.fromkeys(("jpy", "krw"), 50),
    **dict.fromkeys(("sek", "nok"), 300),
    **dict.fromkeys(("pln", "ron", "aed", "myr"), 200),
    **dict.fromkeys(("mxn", "thb"), 1000),
    **{"gbp": 30, "hkd": 400, "dkk": 250, "czk": 1500, "huf": 17500},
}
MAXIMUM = 999_999_999_999

CURRENCIES = frozenset(
    (
        "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd "
        "bwp byn bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp "
        "gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw "
        "kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad "
        "ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek "
        "sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst "
        "xaf xcd xcg xof xpf yer zar zmw"
    ).split()
)
SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def exponent(currency: str) -> int:
    """How many decimals the minor unit has."""
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def shown(amount: int, currency: str) -> str:
    """An amount as Stripe's error texts write it: `$0.50 usd`."""
    digits = exponent(currency)
    units = f"{amount / 10**digits:,.{digits}f}"
    return f"{SIGNS.get(currency, '')}{units} {currency}"


def currency_of(text: str, param: str) -> str:
    """A supported currency in lower case (that capitals are accepted is unverified)."""
    currency = text.lower()
    if currency not in CURRENCIES:
        raise InvalidRequest(
            f"Invalid currency: {text[:20]}. Stripe currently supports these currencies: "
            f"{', '.join(sorted(CURRENCIES))}",
            param=param,
        )
    return currency


def check_unit_amount(amount: int, currency: str, param: str) -> None:
    """Refuse what the currency cannot express. Raises InvalidRequest."""
    if amount < 0:
        raise InvalidRequest(
            "Invalid non-negative integer", code="parameter_invalid_integer", param=param
        )
    if amount > MAXIMUM:
        raise InvalidRequest(
            f"Amount must be no more than {shown(MAXIMUM, currency)}",
            code="amount_too_large",
            param=param,
        )
    step = 10 if currency in THREE_DECIMAL else 100 if currency in WHOLE_UNITS_ONLY else 1
    if amount % step:
        raise InvalidRequest(
            f"Invalid amount: {amount}. Amounts in {currency} must be divisible by {step}.",
            param=param,
        )


def check_total(amount: int, currency: str) -> None:
    """Refuse a Checkout total under the minimum or over the maximum; nothing at all is fine."""
    minimum = MINIMUM.get(currency, 1)
    if 0 < amount < minimum:
        raise InvalidRequest(
            "The Checkout Session's total amount due must add up to at least "
            f"{shown(minimum, currency)}",
            code="amount_too_small",
        )
    if amount > MAXIMUM:
        raise InvalidRequest(
            "The Checkout Session's total amount due must add up to at most "
            f"{shown(MAXIMUM, currency)}",
            code="amount_too_large",
        )
