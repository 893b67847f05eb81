"""`Finding`: one result of `python -m store doctor`."""

import logging
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from store.core.errors import StoreError

log = logging.getLogger(__name__)

OK, NOTE, WRONG = "ok", "note", "wrong"


class Finding(NamedTuple):
    """`state` is OK, NOTE or WRONG; `name` says what was examined, for scripts."""

    state: str
    name: str
    message: str
    remedy: str = ""


def guarded(name: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings; an unexpected error becomes a finding, so that the others follow."""
    try:
        yield from findings
    except StoreError as error:
        yield Finding(WRONG, name, error.for_operator)
    except Exception as error:
        log.exception("The %s could not be examined.", name)
        yield Finding(
            WRONG,
            name,
            f"The {name} could not be examined ({type(error).__name__}).",
            "The lines on standard error say more.",
        )
