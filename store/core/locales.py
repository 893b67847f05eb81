"""The locales for numbers, money and dates."""

import re
from contextlib import suppress
from functools import lru_cache

from babel import Locale, UnknownLocaleError, localedata

DEFAULT_LOCALE = Locale("en", "US")
MAX_NAME_LENGTH = 35  # the longest tag that RFC 5646 requires to be accepted
MAX_LOADED = 64  # Babel keeps the data of every locale that was ever used, 0.2 MB each
TAG = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")


def find(name: str | None) -> Locale:
    """The locale of a language tag such as `de-CH`, or of its nearest parent that Babel has.

    US English if there is none. `name` comes from a visitor: it is validated before anything is
    loaded or cached for it. Babel's `root` is never used.
    """
    if not name or len(name) > MAX_NAME_LENGTH or not TAG.fullmatch(name):
        return DEFAULT_LOCALE
    language, *rest = name.replace("-", "_").split("_")
    # A script of four letters begins with a capital, a territory is written in capitals.
    cased = (part.title() if len(part) == 4 and part.isalpha() else part.upper() for part in rest)
    parts = [language.lower(), *cased]
    identifiers, subtags = _identifiers()
    # Only known subtags are passed to Babel, which caches every identifier it is given.
    for identifier in ("_".join(parts), "_".join((parts[0], parts[-1])), parts[0]):
        requested = identifier.split("_")
        if identifier in identifiers or (len(requested) <= 2 and subtags.issuperset(requested)):
            with suppress(ValueError, UnknownLocaleError):
                return _loaded(str(Locale.parse(identifier)))  # `zh_TW` is `zh_Hant_TW`
    return DEFAULT_LOCALE


@lru_cache(maxsize=1)
def _identifiers() -> tuple[frozenset[str], frozenset[str]]:
    """Babel's locales, and the languages, scripts and territories in them."""
    identifiers = frozenset(localedata.locale_identifiers()) - {"root"}
    return identifiers, frozenset(
        part for identifier in identifiers for part in identifier.split("_")
    )


@lru_cache(maxsize=MAX_LOADED)
def _loaded(identifier: str) -> Locale:
    """The locale of this identifier. Babel's cache has no limit, so it is emptied now and then."""
    if _loaded.cache_info().misses % MAX_LOADED == 0:
        localedata.clear_caches()
    return Locale.parse(identifier)
