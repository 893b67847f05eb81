"""The twelve troubles as data, in the order in which they are shown and run."""

from collections.abc import Callable
from dataclasses import dataclass

from store.rehearsal import other_troubles, webhook_troubles
from store.rehearsal.stage import Seen, Stage


@dataclass(frozen=True)
class Trouble:
    """`expected` is said before; `act` makes the trouble and answers with what came of it."""

    name: str
    expected: str
    act: Callable[[Stage], Seen]


TROUBLES = (
    Trouble("Webhook twice", "the second is ignored", webhook_troubles.webhook_twice),
    Trouble("100 at once", "1 takes effect, 99 are ignored", webhook_troubles.hundred_at_once),
    Trouble(
        "Out of order",
        "refund first: open; then partially refunded",
        webhook_troubles.out_of_order,
    ),
    Trouble("Three days late", "accepted, the order is paid", webhook_troubles.three_days_late),
    Trouble("Forged", "refused with 400, the order stays open", webhook_troubles.forged),
    Trouble(
        "Old signature",
        "refused with 400; signed afresh, paid",
        webhook_troubles.old_signature,
    ),
    Trouble(
        "Other amount",
        "needs review; after the right amount, paid",
        webhook_troubles.other_amount,
    ),
    Trouble("Live mode", "ignored, the order stays open", webhook_troubles.live_mode),
    Trouble("Two tabs at once", "1 order, 1 checkout, 1 charge", other_troubles.two_tabs),
    Trouble(
        "Drop Stripe's answer",
        "told to try again; then 1 checkout, 1 charge",
        other_troubles.dropped_answer,
    ),
    Trouble(
        "Stop the webhooks",
        "paid without them; the process comes back",
        other_troubles.sidecar_stopped,
    ),
    Trouble(
        "Refund twice at once",
        "1 refund; 1 told that nothing is left",
        other_troubles.refund_twice,
    ),
)
