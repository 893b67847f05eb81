"""The settings of one emulator."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

API_VERSION = "2026-10-28.endive"
"""The newest version, which the pinned SDK uses; a test compares the two."""

MINUTE, HOUR = 60, 3600

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - only together with `allowed_hosts`
HOST_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,253}", re.ASCII)

RETRY_SCHEDULES: dict[str, tuple[int, ...]] = {
    "sandbox": (10 * MINUTE, 2 * HOUR),
    "live": (
        *(MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE),
        *(HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 8 * HOUR, 12 * HOUR, 18 * HOUR, 20 * HOUR),
    ),
    "eager": (1, 2, 4, 8, 15, 30, 60, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE),
}
"""Seconds between one failed attempt and the next.

Stripe publishes "3 times over a few hours" (sandbox) and "up to 3 days, exponential" (live); the
exact gaps are unpublished, so ours are a guess that fits both. `eager` is not Stripe's: in a demo a
receiver that was down gets its events within seconds.
"""

Schedule = Literal["sandbox", "live", "eager"]


@dataclass(frozen=True)
class Config:
    """The settings. `data_path` None keeps the account in a temporary folder until it is closed."""

    data_path: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8502
    allowed_hosts: tuple[str, ...] = ()
    """Names beside loopback at which it can be called, and to which webhooks may go."""
    business_name: str = ""
    """The seller's name on the payment page and receipts; at Stripe the account's name."""
    webhook_url: str | None = None
    webhook_secret: str | None = None
    retries: Schedule = "sandbox"
    api_version: str = API_VERSION
    """The account's default version: of requests without `Stripe-Version`, and of events."""
    clock: Callable[[], float] = time.time
    clock_off_seconds: float = 0.0
    """How far Stripe's clock is ahead of this machine's; below 0: behind."""
    delivery_timeout_seconds: float = 10.0
    """How long an endpoint may take; Stripe's figure is unpublished (others report 10 to 30 s)."""
    redirect_wait_seconds: float = 10.0
    """How long Checkout waits for the endpoint's response
    (docs.stripe.com/checkout/fulfillment)."""

    @property
    def address(self) -> str:
        """Return the base URL for browsers and the SDK."""
        host = "127.0.0.1" if self.host in EVERY_ADDRESS else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def is_allowed(self, host: str | None) -> bool:
        """Return whether a host name is loopback or was allowed at the start."""
        allowed = (*LOOPBACK, *map(str.lower, self.allowed_hosts))
        return host is not None and host.lower() in allowed

    def check_hosts(self) -> None:
        """Raise ValueError if other machines could reach the host without being allowed to."""
        wrong = [name for name in self.allowed_hosts if not HOST_NAME.fullmatch(name)]
        if wrong:
            raise ValueError(f"--allow-host takes a host name or an address, not {wrong[0]!r}.")
        if self.host not in LOOPBACK and not self.allowed_hosts:
            raise ValueError(
                f"it listens on loopback only, not on {self.host}. With --allow-host NAME it also "
                "answers to NAME, and may listen on other addresses."
            )
