"""The HTML of the storefront's pages, and how a reader's locale and clock put things.

The pieces are macros in `templates/`, where every value is escaped: a product
may be called `<script>` and is shown by that name.
"""

import copy
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, format_timedelta
from babel.numbers import format_compact_currency, format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from jinja2.environment import TemplateModule

from store.core import locales, money, settings, shop_profile
from store.reports import cart, charge_summary, order_view
from store.reports.timeline import TimelineEntry

EVIDENCE_NAMES = {
    "http_status": "HTTP status",
    "request_id": "Stripe request id",
    "milliseconds": "Took",
    "replayed": "Repeated by Stripe",
    "event_id": "Event",
    "made_at_stripe": "Made at Stripe",
    "deliveries": "Deliveries so far",
}
EFFECTS = {
    "changed": "This changed the order.",
    "noted": "This was noted.",
    "nothing": "This changed nothing.",
}
LONGEST_ZONE_NAME = 64
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
REFUND_WORDS = {
    "requested": "asked for",
    "pending": "on its way",
    "requires_action": "Stripe needs your details and asks for them by email",
    "succeeded": "sent back",
    "failed": "did not arrive",
    "canceled": "called off",
}
REPLACED = (
    "A newer cart took this order's place, perhaps in another tab. You have not been charged."
)
TWICE = "Two payments arrived for this order. The second one: "
SECOND_PAYMENT = {
    "owed": "the shop is sending it back.",
    "overdue": "the shop owes it and keeps trying; Stripe has not sent it back yet.",
    "pending": "it is on its way back.",
    "requires_action": "to send it back, Stripe needs details from the buyer and asks by email.",
    "returned": "sent back.",
    "taken": "the bank has already given it back.",
}

NOT_OPENED = (
    "Stripe could not open a checkout for this order. You have not been charged. Please try again."
)
VERDICTS = {
    "pending": "You have not been charged. You can continue the payment or cancel it.",
    "open": "You have not been charged. You can continue the payment or cancel it.",
    "processing": "Your bank is still working on this payment. This page follows it.",
    "paid": "Thank you. You were charged once.",
    "failed": "The payment did not go through. You have not been charged.",
    "expired": "The time to pay ran out. You have not been charged.",
    "canceled": "This order was canceled. You have not been charged.",
    "partially_refunded": "Part of your money has been sent back.",
    "refunded": "All of your money has been sent back.",
    "disputed": "Your bank disputes this payment.",
    "review": "Something about this payment does not fit. The shop is looking at it.",
}


@dataclass(frozen=True)
class Reader:
    """How the person in front of the page writes money and moments.

    `language` is the name of a locale that Babel has. Caches hold readers, so a reader does not
    hold the locale's data.
    """

    language: str
    zone: tzinfo

    @property
    def locale(self) -> Locale:
        return locales.find(self.language)

    @classmethod
    def of(cls, language: str | None, timezone: str | None) -> "Reader":
        """What the browser says of itself, or US English and UTC where that means nothing.

        Both are a visitor's words, so nothing is cached under them.
        """
        return cls(str(locales.find(language)), _zone(timezone))

    @lru_cache(maxsize=4096)  # noqa: B019 - readers are few, and kept anyway
    def price(self, amount: int, currency: str) -> str:
        return self._isolated(money.text(amount, currency, self.language))

    def number(self, value: float) -> str:
        return str(format_decimal(value, locale=self.locale))

    def percent(self, share: float, digits: int = 0) -> str:
        """`share` of 1 as "12%", in the reader's way."""
        pattern = copy.copy(self.locale.percent_formats[None])
        pattern.frac_prec = (digits, digits)
        return str(pattern.apply(share, self.locale))

    def short_price(self, units: float, currency: str) -> str:
        """A round price for the axis of a chart: "$500" or "$2.5K"."""
        return str(
            format_compact_currency(units, currency.upper(), locale=self.locale, fraction_digits=1)
        )

    def moment(self, at: datetime, *, seconds: bool = False) -> str:
        """ "Nov 23, 11:24 AM" by the reader's clock, with the year once it is another one."""
        return self._isolated(f"{self.day_of(at)}, {self.time_of(at, seconds=seconds)}")

    def day_of(self, at: datetime) -> str:
        """ "Nov 23" by the reader's calendar, with the year once it is another one."""
        local = at.astimezone(self.zone).date()
        return self._day_of(local, local.year == datetime.now(self.zone).year)

    @lru_cache(maxsize=4096)  # noqa: B019 - as above
    def _day_of(self, local: date, this_year: bool) -> str:
        if this_year:
            return str(format_skeleton("MMMd", local, locale=self.locale))
        return str(format_date(local, "medium", self.locale))

    def time_of(self, at: datetime, *, seconds: bool = False) -> str:
        """ "11:24 AM" by the reader's clock."""
        local = at.astimezone(self.zone).time().replace(microsecond=0)
        return self._time_of(local, "medium" if seconds else "short")

    @lru_cache(maxsize=4096)  # noqa: B019 - as above
    def _time_of(self, local: time, length: Literal["short", "medium"]) -> str:
        return str(format_time(local, length, locale=self.locale))

    def _isolated(self, text: str) -> str:
        """Keep a right-to-left amount or date together inside an English sentence."""
        if self.locale.text_direction == "rtl":
            return f"{FIRST_STRONG_ISOLATE}{text}{POP_ISOLATE}"
        return text

    def timeline(
        self, steps: Sequence[TimelineEntry]
    ) -> list[tuple[str, list[tuple[TimelineEntry, ...]]]]:
        """The steps of each day of the reader; those in a row that changed nothing go together."""
        return [
            (day, [entry for alike in groupby(of_day, _is_news) for entry in _entries(*alike)])
            for day, of_day in groupby(steps, lambda step: self.day_of(step.at))
        ]

    @staticmethod
    def late(delay: timedelta) -> str:
        return f"{format_timedelta(delay, locale='en')} late"

    def evidence(self, name: str, value: Any) -> str:
        """One piece of a step's evidence, as people read it."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if name == "milliseconds":
            return f"{value} ms"
        if name in ("made_at_stripe", "received", "checkout_expires_at"):
            return self.utc(datetime.fromisoformat(value))
        return str(value)

    def day(self, day: date) -> str:
        """ "Mon, Nov 23" """
        return str(format_skeleton("MMMEd", day, locale=self.locale))

    @staticmethod
    def utc(at: datetime) -> str:
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

    @staticmethod
    def items(items: Sequence[order_view.ItemView]) -> str:
        return ", ".join(f"{item.quantity} × {item.name}" for item in items)


def _is_news(step: TimelineEntry) -> bool:
    return step.effect != "nothing"


def _entries(are_news: bool, steps: Iterable[TimelineEntry]) -> list[tuple[TimelineEntry, ...]]:
    return [(step,) for step in steps] if are_news else [tuple(steps)]


def _zone(name: str | None) -> tzinfo:
    if not name or len(name) > LONGEST_ZONE_NAME:
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC


def order_link(number: str) -> str:
    return f"/order?number={quote(number, safe='')}"


def go_link(number: str) -> str:
    """The one way to Stripe, for this order."""
    return f"/go/{quote(number, safe='')}"


def leaving(number: str) -> str:
    """A script that leaves for this order's Checkout; a token makes each a new one to Streamlit."""
    address = json.dumps(go_link(number))
    return f"<script>window.location.assign({address}) // {secrets.token_hex(4)}</script>"


def again_link(number: str) -> str:
    """The shop with the cart of this order."""
    return f"/?again={quote(number, safe='')}"


def literal(text: str) -> str:
    """Text for Streamlit's Markdown that is shown as it is."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def dashboard_link(object_id: str, section: str = "payments") -> str:
    """A payment, event … on Stripe's own dashboard, or on that of whatever stands in for Stripe."""
    base = settings.current().api_base or "https://dashboard.stripe.com/test"
    return f"{base}/{section}/{quote(object_id, safe='')}"


def sentence_of(order: order_view.OrderView) -> str:
    """What an order's page says under its status."""
    second: dict[str, list[order_view.RefundView]] = {}
    for refund in order.refunds:
        if refund.is_second_payment:
            second.setdefault(refund.payment_intent_id, []).append(refund)
    for where in map(charge_summary.refund_state, second.values()):
        if where not in ("returned", "taken"):
            return TWICE + SECOND_PAYMENT[where]
    if order.status == "failed" and order.checkout_session_id is None:
        return NOT_OPENED
    return REPLACED if order.was_superseded else VERDICTS[order.status]


class Html(str):
    """HTML that Streamlit takes as it is: it looks whether other text is a file's name, and
    searches it for indentation, at each rerun.
    """

    def _repr_html_(self) -> str:
        return str(self)


@lru_cache
def style(name: str) -> Html:
    """A style sheet as an element of the page, read once."""
    return Html(f"<style>{(settings.ROOT / '.streamlit' / name).read_text('utf-8')}</style>")


def piece(name: str, reader: Reader | None = None, **values: Any) -> Html:
    """The HTML of one macro of the storefront's template, made once for the same values.

    So these must be frozen, like all that a buyer's pages show; a list is one that has to be
    made into HTML each time.
    """
    year = datetime.now(reader.zone if reader else UTC).year  # moments are told with it, or not
    try:
        return _kept_piece(name, reader, year, **values)
    except TypeError:  # something in it has no hash
        return _made("storefront.html", name, reader, values)


@lru_cache(maxsize=2048)
def _kept_piece(name: str, reader: Reader | None, _year: int, **values: Any) -> Html:
    return _made("storefront.html", name, reader, values)


def office_piece(name: str, reader: Reader | None = None, **values: Any) -> Html:
    """The HTML of one macro of the back office's template."""
    return _made("back_office.html", name, reader, values)


def rehearsal_piece(name: str, reader: Reader | None = None, **values: Any) -> Html:
    """The HTML of one macro of the rehearsal's template."""
    return _made("rehearsal.html", name, reader, values)


def plain_page(**values: Any) -> Html:
    """A whole page without Streamlit."""
    return _made("plain_page.html", "plain_page", None, _shop_name() | values)


def first_piece(name: str, reader: Reader | None = None, **values: Any) -> Html:
    """The HTML of one macro of the template for what is shown before Streamlit's page."""
    return _made("first_page.html", name, reader, _shop_name() | values)


def _shop_name() -> dict[str, Any]:
    profile = shop_profile.current()
    return {"shop": profile.name, "motto": profile.motto}


def _made(file: str, name: str, reader: Reader | None, values: dict[str, Any]) -> Html:
    return Html(getattr(_macros(file, reader), name)(**values))


@lru_cache(maxsize=64)
def _macros(file: str, reader: Reader | None) -> TemplateModule:
    """The macros for one kind of reader; making them takes longer than using one of them."""
    return _template(file).make_module({"reader": reader})


@lru_cache
def _template(file: str) -> Template:
    store = settings.ROOT / "store"
    folders = [store / "web" / "templates", store / "backoffice" / "templates"]
    environment = Environment(
        loader=FileSystemLoader(folders), autoescape=True, undefined=StrictUndefined
    )
    environment.globals.update(
        badges=order_view.STATUS_BADGES,
        quantity_error=cart.quantity_error,
        again_link=again_link,
        dashboard_link=dashboard_link,
        effects=EFFECTS,
        evidence_names=EVIDENCE_NAMES,
        go_link=go_link,
        order_link=order_link,
        refund_words=REFUND_WORDS,
        second_payment=SECOND_PAYMENT,
    )
    return environment.get_template(file)
