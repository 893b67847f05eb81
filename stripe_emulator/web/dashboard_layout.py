"""What stands around every page of the dashboard: the menu, its counts, what is armed."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response

from stripe_emulator.emulator import Emulator, Kind
from stripe_emulator.web.rendering import page

MENU: tuple[tuple[str, str, Kind | None], ...] = (
    ("/", "Payments", "payment_intent"),
    ("/sessions", "Sessions", "checkout.session"),
    ("/refunds", "Refunds", "refund"),
    ("/disputes", "Disputes", "dispute"),
    ("/events", "Events", "event"),
    ("/deliveries", "Deliveries", None),
    ("/requests", "Requests", None),
    ("/trouble", "Trouble", None),
)


def board_page(
    emulator: Emulator, name: str, here: str, context: Mapping[str, Any], status: int = 200
) -> Response:
    """A page of the dashboard; `here` is the entry of the menu it belongs to."""
    counts = emulator.counts()
    shared = {
        "menu": [(href, title, counts.get(kind) if kind else None) for href, title, kind in MENU],
        "here": here,
        "armed": sum(trouble.remaining or 1 for trouble in emulator.troubles()),
    }
    return page(name, {**shared, **context}, status=status)


def missing(emulator: Emulator) -> Response:
    """The answer to an id that leads nowhere."""
    return board_page(emulator, "not_found.html", "", {}, 404)
