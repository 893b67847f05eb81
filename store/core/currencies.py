"""The currencies that Stripe accepts, from `currencies.json`, which names its sources and its date.

The emulator has a copy of the file, because neither imports the other; a test compares the two.
"""

import json
from pathlib import Path
from typing import NamedTuple


class Currency(NamedTuple):
    """Amounts are integers in Stripe's minor units.

    `digits` of them are decimals; an amount is a multiple of `step`; a total is from `minimum` to
    `maximum`.
    """

    digits: int
    step: int
    minimum: int
    maximum: int

    @property
    def whole(self) -> bool:
        """True for currencies of whole units that Stripe counts in hundredths (ISK, UGX)."""
        return self.digits == 2 and self.step == 100

    def shown_digits(self, amount: int) -> int:
        """How many decimals of an amount are written: none in currencies of whole units."""
        return 0 if self.whole and amount % self.step == 0 else self.digits


TABLE = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
CURRENCIES = {code: Currency(*row) for code, row in TABLE["currencies"].items()}
# For an old order or an event in a currency that Stripe no longer accepts.
UNKNOWN = Currency(digits=2, step=1, minimum=50, maximum=99_999_999)


def of(code: str) -> Currency:
    """The row of a currency by its code in lower case."""
    return CURRENCIES.get(code, UNKNOWN)
