"""The twelve scenarios, in the order in which they are shown and run."""

from collections.abc import Callable
from dataclasses import dataclass

from store.demo import checkout_scenarios, refund_scenarios, webhook_scenarios
from store.demo.context import ScenarioContext, ScenarioResult


@dataclass(frozen=True)
class Scenario:
    """`expected` is shown before; `run` causes the fault and returns what came of it."""

    name: str
    expected: str
    run: Callable[[ScenarioContext], ScenarioResult]


SCENARIOS = (
    Scenario("Webhook twice", "the second is ignored", webhook_scenarios.delivered_twice),
    Scenario("100 at once", "1 takes effect, 99 are ignored", webhook_scenarios.hundred_at_once),
    Scenario(
        "Out of order",
        "refund first: open; then partially refunded",
        webhook_scenarios.out_of_order,
    ),
    Scenario("Three days late", "accepted, the order is paid", webhook_scenarios.three_days_late),
    Scenario("Forged", "refused with 400, the order is open", webhook_scenarios.forged),
    Scenario(
        "Old signature", "refused with 400; signed afresh, paid", webhook_scenarios.old_signature
    ),
    Scenario(
        "Other amount", "needs review; after the right amount, paid", webhook_scenarios.other_amount
    ),
    Scenario("Live mode", "ignored, the order is open", webhook_scenarios.live_mode),
    Scenario("Two tabs at once", "1 order, 1 checkout, 1 charge", checkout_scenarios.two_tabs),
    Scenario(
        "Drop Stripe's answer",
        "asked to try again; then 1 checkout, 1 charge",
        checkout_scenarios.dropped_response,
    ),
    Scenario(
        "Stop the webhooks",
        "paid without them; the server comes back",
        webhook_scenarios.server_stopped,
    ),
    Scenario("Refund twice at once", "1 refund, 1 refused", refund_scenarios.refunded_twice),
)
