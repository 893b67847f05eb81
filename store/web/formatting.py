"""How amounts, dates and times are written for one reader, by their locale and time zone."""

import copy
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, format_timedelta
from babel.numbers import format_compact_currency, format_decimal

from store.core import locales, money
from store.reports import order_view
from store.reports.timeline import TimelineEntry

MAX_ZONE_NAME = 64  # characters
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
skeleton_date = lru_cache(maxsize=4096)(format_skeleton)
medium_date = lru_cache(maxsize=4096)(format_date)
clock_time = lru_cache(maxsize=4096)(format_time)


def group_of(entry: TimelineEntry) -> object:
    """Equal for all entries that changed nothing; every other entry has a group of its own."""
    return entry.effect == "nothing" or id(entry)


@dataclass(frozen=True)
class LocaleFormatter:
    """Writes amounts, numbers, dates and times as one reader does.

    A key of caches, so it holds the name of the locale, not its data.
    """

    language: str
    zone: tzinfo

    @property
    def locale(self) -> Locale:
        return locales.find(self.language)

    @classmethod
    def of(cls, language: str | None, timezone: str | None) -> "LocaleFormatter":
        """From the browser's language and time zone (any text); else US English and UTC."""
        zone: tzinfo = UTC
        if timezone and len(timezone) <= MAX_ZONE_NAME:
            with suppress(ValueError, OSError, KeyError):
                zone = ZoneInfo(timezone)
        return cls(str(locales.find(language)), zone)

    @lru_cache(maxsize=4096)  # noqa: B019 - formatters are few and cached anyway
    def price(self, amount: int, currency: str) -> str:
        return self._isolated(money.text(amount, currency, self.language))

    def number(self, value: float) -> str:
        return str(format_decimal(value, locale=self.locale))

    def percent(self, share: float, digits: int = 0) -> str:
        """ "12%" for 0.12"""
        pattern = copy.copy(self.locale.percent_formats[None])
        pattern.frac_prec = (digits, digits)
        return str(pattern.apply(share, self.locale))

    def short_price(self, units: float, currency: str) -> str:
        """A rounded price for a chart's axis: "$500" or "$2.5K"."""
        return str(
            format_compact_currency(units, currency.upper(), locale=self.locale, fraction_digits=1)
        )

    def moment(self, at: datetime, *, seconds: bool = False) -> str:
        """ "Nov 23, 11:24 AM" in the reader's time zone, with the year unless it is this one."""
        return self._isolated(f"{self.day_of(at)}, {self.time_of(at, seconds=seconds)}")

    def day_of(self, at: datetime) -> str:
        """ "Nov 23" in the reader's time zone, with the year unless it is this one."""
        local = at.astimezone(self.zone).date()
        if local.year == datetime.now(self.zone).year:
            return skeleton_date("MMMd", local, locale=self.language)
        return medium_date(local, locale=self.language)

    def time_of(self, at: datetime, *, seconds: bool = False) -> str:
        """ "11:24 AM" in the reader's time zone."""
        local = at.astimezone(self.zone).time().replace(microsecond=0)
        return clock_time(local, "medium" if seconds else "short", locale=self.language)

    def _isolated(self, text: str) -> str:
        """Isolate a right-to-left amount or date inside an English sentence."""
        if self.locale.text_direction == "rtl":
            return f"{FIRST_STRONG_ISOLATE}{text}{POP_ISOLATE}"
        return text

    def timeline(
        self, entries: Sequence[TimelineEntry]
    ) -> list[tuple[str, list[tuple[TimelineEntry, ...]]]]:
        """The entries by day; consecutive ones that changed nothing form one group."""
        return [
            (day, [tuple(group) for _, group in groupby(of_day, group_of)])
            for day, of_day in groupby(entries, lambda entry: self.day_of(entry.at))
        ]

    @staticmethod
    def late(delay: timedelta) -> str:
        return f"{format_timedelta(delay, locale='en')} late"

    def evidence(self, name: str, value: Any) -> str:
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
