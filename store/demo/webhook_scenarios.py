"""The scenarios about webhooks. Each returns what it observed, never what should have been."""

import time

from store.demo.context import MAX_TRIES, ScenarioContext, ScenarioResult, run_concurrently
from store.demo.emulator_client import wait_until
from store.demo.errors import NotApplicable
from store.demo.webhook_client import START_SECONDS, WebhookResponse
from store.orders import checkout
from store.reports import order_view

CONCURRENT_DELIVERIES = 100
THREE_DAYS_SECONDS = 3 * 86_400
TEN_MINUTES_SECONDS = 600
RETRY_SECONDS = 30  # the emulator tries again after 1, 2, 4 and 8 seconds


def word(status: str) -> str:
    return order_view.STATUS_BADGES[status].word.lower()


def delivered_twice(context: ScenarioContext) -> ScenarioResult:
    webhooks = context.webhooks
    number = context.paid()
    event = context.stripe.completed_event(context.session_id(number))
    if not context.received(event["id"]):
        webhooks.post(event)
    attempt = context.stripe.resend(event["id"])
    second = WebhookResponse.parse(attempt["status"], attempt["body"])
    return ScenarioResult(number, f"the second is {second.text}", second.outcome == "duplicate")


def hundred_at_once(context: ScenarioContext) -> ScenarioResult:
    """A payment's first event arrives a hundred times at once."""
    webhooks = context.webhooks
    number, event = context.paid_with_webhook_delayed()
    responses = run_concurrently([lambda: webhooks.post(event)] * CONCURRENT_DELIVERIES)
    outcomes = [r.outcome for r in responses if isinstance(r, WebhookResponse)]
    applied, ignored = outcomes.count("applied"), outcomes.count("duplicate")
    outcome = f"{applied} takes effect, {ignored} are ignored"
    if others := CONCURRENT_DELIVERIES - applied - ignored:
        outcome += f", {others} neither"
    # None takes effect where the reconciler happened to ask Stripe in that very moment.
    is_paid = context.order(number).status == "paid"
    return ScenarioResult(number, outcome, is_paid and applied <= 1 and not others)


def out_of_order(context: ScenarioContext) -> ScenarioResult:
    """The refund's event arrives before the payment's."""
    for _ in range(MAX_TRIES):
        number, event = context.paid_with_webhook_delayed()
        _refund_half(context, number)
        before = context.order(number)
        context.stripe.resend(event["id"])
        after = context.order(number)
        if before.paid_at is None:  # else the reconciler happened to ask Stripe in between
            outcome = f"refund first: {word(before.status)}; then {word(after.status)}"
            return ScenarioResult(number, outcome, after.status == "partially_refunded")
    raise NotApplicable("The payments became known before their refunds. Try again.")


def _refund_half(context: ScenarioContext, number: str) -> None:
    """Refund at Stripe, as in its dashboard, and wait for the refund's webhook."""
    payment, half = context.payment_id(number), context.order(number).total_amount // 2
    refund = context.stripe.post("refunds", payment_intent=payment, amount=half)
    event_id = next(
        event["id"]
        for event in context.stripe.list_all("events", type="refund.created")
        if event["data"]["object"]["id"] == refund["id"]
    )
    if not context.wait_for_event(event_id):
        raise NotApplicable("The refund's webhook did not come.")


def three_days_late(context: ScenarioContext) -> ScenarioResult:
    """Stripe signs each attempt anew, so an old event has a fresh signature."""
    webhooks = context.webhooks
    number, event = context.paid_with_webhook_delayed()
    response = webhooks.post(event | {"created": event["created"] - THREE_DAYS_SECONDS})
    status = context.order(number).status
    accepted = "accepted" if response.status == 200 else response.text
    outcome = f"{accepted}, the order is {word(status)}"
    return ScenarioResult(number, outcome, response.status == 200 and status == "paid")


def forged(context: ScenarioContext) -> ScenarioResult:
    """A sender without the signing secret says that an open order is paid."""
    webhooks = context.webhooks
    number = context.open()
    event = context.false_event(number)
    response = webhooks.post(event, secret="whsec_somebody_elses")  # noqa: S106
    return _still_open(context, number, response.text, response.status == 400)


def live_mode(context: ScenarioContext) -> ScenarioResult:
    """A well signed live-mode event says that an open order of this test shop is paid."""
    webhooks = context.webhooks
    number = context.open()
    response = webhooks.post(context.false_event(number, livemode=True) | {"livemode": True})
    return _still_open(context, number, response.text, response.outcome == "livemode")


def _still_open(
    context: ScenarioContext, number: str, response: str, as_expected: bool
) -> ScenarioResult:
    status = context.order(number).status
    context.cancel(number)
    outcome = f"{response}, the order is {word(status)}"
    return ScenarioResult(number, outcome, as_expected and status == "open")


def old_signature(context: ScenarioContext) -> ScenarioResult:
    """A recorded genuine delivery is replayed ten minutes later."""
    webhooks = context.webhooks
    number, event = context.paid_with_webhook_delayed()
    old = webhooks.post(event, age_seconds=TEN_MINUTES_SECONDS)
    was_recorded = context.received(event["id"]) is not None
    fresh = webhooks.post(event)
    status = context.order(number).status
    outcome = f"{old.text}; signed afresh, {word(status)}"
    passed = old.status == 400 and not was_recorded and fresh.status == 200 and status == "paid"
    return ScenarioResult(number, outcome, passed)


def other_amount(context: ScenarioContext) -> ScenarioResult:
    """A well signed event says that an order was paid with another amount than it costs."""
    webhooks = context.webhooks
    number = context.open()
    wrong_amount = context.order(number).total_amount - 1
    webhooks.post(context.false_event(number, amount_total=wrong_amount))
    first = context.order(number).status
    context.pay(number)
    context.wait_for_status(number, "paid")
    second = context.order(number).status
    outcome = f"{word(first)}; after the right amount, {word(second)}"
    return ScenarioResult(number, outcome, first == "review" and second == "paid")


def server_stopped(context: ScenarioContext) -> ScenarioResult:
    """The webhook server is killed; meanwhile a buyer pays and returns to the shop."""
    webhooks = context.webhooks
    number = context.open()
    webhooks.stop()
    context.pay(number)
    event = context.stripe.completed_event(context.session_id(number))
    attempts = context.stripe.attempts(event["id"])
    checkout.refresh_order(context.buyer, number)
    order = context.compare(number)
    stopped_at = time.monotonic()
    is_back = wait_until(webhooks.is_ready, START_SECONDS)
    seconds = time.monotonic() - stopped_at
    if any(attempt["status"] for attempt in attempts):
        raise NotApplicable("The webhook server was back before the payment. Try again.")
    outcome = f"{order.status} by {' and '.join(order.paid_sources) or 'nobody'}"
    if not is_back:
        return ScenarioResult(number, f"{outcome}; the server did not come back", passed=False)
    late = _late_delivery(context, event["id"])
    outcome += f"; back after {seconds:.0f} s, late webhook {late.text}"
    paid_without = order.status == "paid" and "webhook" not in order.paid_sources
    return ScenarioResult(number, outcome, paid_without and late.status == 200)


def _late_delivery(context: ScenarioContext, event_id: str) -> WebhookResponse:
    """The response to the webhook once a retry reached the server."""
    responses: list[WebhookResponse] = []

    def has_arrived() -> bool:
        attempts = (a for a in context.stripe.attempts(event_id) if a["status"] == 200)
        responses[:] = [WebhookResponse.parse(a["status"], a["body"]) for a in attempts]
        return bool(responses)

    return responses[0] if wait_until(has_arrived, RETRY_SECONDS) else WebhookResponse(0, "")
