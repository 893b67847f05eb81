"""The currencies that Stripe takes, from `currencies.json`, which names its sources and its date.

One table for settings, price list, text, back office and cart. The emulator has a copy of the file
because neither imports the other; a test holds the two equal.
"""

import json
from pathlib import Path
from typing import NamedTuple


class Currency(NamedTuple):
    """Amounts are integers in Stripe's minor units.

    `digits` of them stand behind the point; an amount is a multiple of `step`; a total is from
    `minimum` to `maximum`.
    """

    digits: int
    step: int
    minimum: int
    maximum: int

    @property
    def whole(self) -> bool:
        """True where only whole units exist, though Stripe counts hundredths (ISK, UGX)."""
        return self.digits == 2 and self.step == 100


CURRENCIES = {
    code: Currency(*row)
    for code, row in json.loads((Path(__file__).parent / "currencies.json").read_text("utf-8"))[
        "currencies"
    ].items()
}
# Of an old order, or an event, in a currency that Stripe no longer takes.
UNKNOWN = Currency(digits=2, step=1, minimum=50, maximum=99_999_999)


def of(code: str) -> Currency:
    """The row of a currency by its code in lower case."""
    return CURRENCIES.get(code, UNKNOWN)
