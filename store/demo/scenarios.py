"""The twelve scenarios, in the order in which they are shown and run."""

from collections.abc import Callable
from dataclasses import dataclass

from store.demo import checkout_scenarios, refund_scenarios, webhook_scenarios
from store.demo.context import ScenarioContext, ScenarioResult


@dataclass(frozen=True)
class Scenario:
    """`about` says what happens and `expected` what should come of it, both before it runs;
    `run` causes the fault and returns what came of it.
    """

    name: str
    about: str
    expected: str
    run: Callable[[ScenarioContext], ScenarioResult]


SCENARIOS = (
    Scenario(
        "Webhook twice",
        "Stripe delivers the same payment event a second time.",
        "the second is ignored",
        webhook_scenarios.delivered_twice,
    ),
    Scenario(
        "100 at once",
        "A hundred copies of one payment event arrive in the same moment.",
        "1 takes effect, 99 are ignored",
        webhook_scenarios.hundred_at_once,
    ),
    Scenario(
        "Out of order",
        "The event of a refund arrives before the event of its payment.",
        "refund first: open; then partially refunded",
        webhook_scenarios.out_of_order,
    ),
    Scenario(
        "Three days late",
        "The payment event arrives only after three days, freshly signed.",
        "accepted, the order is paid",
        webhook_scenarios.three_days_late,
    ),
    Scenario(
        "Forged",
        "A sender without the signing secret says that an order is paid.",
        "refused with 400, the order is open",
        webhook_scenarios.forged,
    ),
    Scenario(
        "Old signature",
        "A genuine delivery was recorded and is replayed ten minutes later.",
        "refused with 400; signed afresh, paid",
        webhook_scenarios.old_signature,
    ),
    Scenario(
        "Other amount",
        "A correctly signed event names another amount than the order's.",
        "needs review; after the right amount, paid",
        webhook_scenarios.other_amount,
    ),
    Scenario(
        "Live mode",
        "A correctly signed event of Stripe's live mode reaches this test shop.",
        "ignored, the order is open",
        webhook_scenarios.live_mode,
    ),
    Scenario(
        "Two tabs at once",
        "The pay button is pressed in two tabs in the same moment.",
        "1 order, 1 checkout, 1 charge",
        checkout_scenarios.two_tabs,
    ),
    Scenario(
        "Drop Stripe's answer",
        "Stripe opens the checkout, but its answers get lost on the way back.",
        "asked to try again; then 1 checkout, 1 charge",
        checkout_scenarios.dropped_response,
    ),
    Scenario(
        "Stop the webhooks",
        "The webhook server is killed while a buyer pays.",
        "paid without them; the server comes back",
        webhook_scenarios.server_stopped,
    ),
    Scenario(
        "Refund twice at once",
        "Two operators refund the same order in the same moment.",
        "1 refund, 1 refused",
        refund_scenarios.refunded_twice,
    ),
)
