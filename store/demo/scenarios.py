"""The twelve scenarios. Each returns what it observed, never what should have been."""

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass

from store.core.errors import StoreError, StripeError
from store.core.text import counted
from store.demo.clients import START_SECONDS, NotApplicable, WebhookResponse, wait_until
from store.demo.comparison import RehearsedOrder
from store.demo.context import MAX_TRIES, WEBHOOK_TIMEOUT_SECONDS, ScenarioContext, run_concurrently
from store.orders import checkout, refunds
from store.reports import order_view
from store.stripe_api import transport

TABS = 2
CONCURRENT_DELIVERIES = 100
THREE_DAYS_SECONDS = 3 * 86_400
TEN_MINUTES_SECONDS = 600
RETRY_SECONDS = 30  # the emulator tries again after 1, 2, 4 and 8 seconds


@dataclass(frozen=True)
class ScenarioResult:
    """The order concerned, what happened in words, and whether that is what was expected."""

    number: str
    outcome: str
    passed: bool


Run = Callable[[ScenarioContext], ScenarioResult]


@dataclass(frozen=True)
class Scenario:
    """`about` says what happens, `expected` what should come of it, and `run` what came of it."""

    name: str
    about: str
    expected: str
    run: Run


def scenario(name: str, *, expected: str) -> Callable[[Run], Scenario]:
    """Make a scenario of a function, whose docstring is the text on the page."""
    return lambda run: Scenario(name, inspect.getdoc(run) or "", expected, run)


@scenario("Webhook twice", expected="the second is ignored")
def delivered_twice(context: ScenarioContext) -> ScenarioResult:
    """Stripe delivers the same payment event a second time."""
    webhooks = context.webhooks
    number = context.paid()
    event = context.stripe.event_of(context.session_id(number))
    if not context.has_received(event["id"]):
        webhooks.post(event)
    attempt = context.stripe.resend(event["id"])
    second = WebhookResponse.parse(attempt["status"], attempt["body"])
    return ScenarioResult(number, f"the second is {second.text}", second.outcome == "duplicate")


@scenario("100 at once", expected="1 takes effect, 99 are ignored")
def hundred_at_once(context: ScenarioContext) -> ScenarioResult:
    """A hundred copies of one payment event arrive in the same moment."""
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


@scenario("Out of order", expected="refund first: open; then partially refunded")
def out_of_order(context: ScenarioContext) -> ScenarioResult:
    """The event of a refund arrives before the event of its payment."""
    for _ in range(MAX_TRIES):
        number, event = context.paid_with_webhook_delayed()
        _refund_half(context, number)
        before = context.order(number)
        context.stripe.resend(event["id"])
        after = context.order(number)
        if before.paid_at is None:  # else the reconciler happened to ask Stripe in between
            outcome = f"refund first: {_word(before.status)}; then {_word(after.status)}"
            return ScenarioResult(number, outcome, after.status == "partially_refunded")
    raise NotApplicable("The payments became known before their refunds. Try again.")


def _refund_half(context: ScenarioContext, number: str) -> None:
    """Refund at Stripe, as in its dashboard, and wait for the refund's webhook."""
    payment, half = context.payment_id(number), context.order(number).total_amount // 2
    refund = context.stripe.post("refunds", payment_intent=payment, amount=half)
    event_id = context.stripe.event_of(refund["id"], "refund.created")["id"]
    if not wait_until(lambda: context.has_received(event_id), WEBHOOK_TIMEOUT_SECONDS):
        raise NotApplicable("The refund's webhook did not come.")


@scenario("Three days late", expected="accepted, the order is paid")
def three_days_late(context: ScenarioContext) -> ScenarioResult:
    """The payment event arrives only after three days, freshly signed."""
    webhooks = context.webhooks
    number, event = context.paid_with_webhook_delayed()
    response = webhooks.post(event | {"created": event["created"] - THREE_DAYS_SECONDS})
    status = context.order(number).status
    accepted = "accepted" if response.status == 200 else response.text
    outcome = f"{accepted}, the order is {_word(status)}"
    return ScenarioResult(number, outcome, response.status == 200 and status == "paid")


@scenario("Forged", expected="refused with 400, the order is open")
def forged(context: ScenarioContext) -> ScenarioResult:
    """A sender without the signing secret says that an order is paid."""
    webhooks = context.webhooks
    number = context.open()
    event = context.false_event(number)
    response = webhooks.post(event, secret="whsec_somebody_elses")  # noqa: S106
    return _still_open(context, number, response.text, response.status == 400)


@scenario("Old signature", expected="refused with 400; signed afresh, paid")
def old_signature(context: ScenarioContext) -> ScenarioResult:
    """A genuine delivery was recorded and is replayed ten minutes later."""
    webhooks = context.webhooks
    number, event = context.paid_with_webhook_delayed()
    old = webhooks.post(event, age_seconds=TEN_MINUTES_SECONDS)
    was_recorded = context.has_received(event["id"])
    fresh = webhooks.post(event)
    status = context.order(number).status
    outcome = f"{old.text}; signed afresh, {_word(status)}"
    passed = old.status == 400 and not was_recorded and fresh.status == 200 and status == "paid"
    return ScenarioResult(number, outcome, passed)


@scenario("Other amount", expected="needs review; after the right amount, paid")
def other_amount(context: ScenarioContext) -> ScenarioResult:
    """A correctly signed event names another amount than the order's."""
    webhooks = context.webhooks
    number = context.open()
    wrong_amount = context.order(number).total_amount - 1
    webhooks.post(context.false_event(number, amount_total=wrong_amount))
    first = context.order(number).status
    context.pay(number)
    context.wait_for_status(number, "paid")
    second = context.order(number).status
    outcome = f"{_word(first)}; after the right amount, {_word(second)}"
    return ScenarioResult(number, outcome, first == "review" and second == "paid")


@scenario("Live mode", expected="ignored, the order is open")
def live_mode(context: ScenarioContext) -> ScenarioResult:
    """A correctly signed event of Stripe's live mode reaches this test shop."""
    webhooks = context.webhooks
    number = context.open()
    response = webhooks.post(context.false_event(number, livemode=True))
    return _still_open(context, number, response.text, response.outcome == "livemode")


def _still_open(
    context: ScenarioContext, number: str, response: str, as_expected: bool
) -> ScenarioResult:
    status = context.order(number).status
    context.cancel(number)
    outcome = f"{response}, the order is {_word(status)}"
    return ScenarioResult(number, outcome, as_expected and status == "open")


def _word(status: str) -> str:
    return order_view.STATUS_BADGES[status].word.lower()


@scenario("Two tabs at once", expected="1 order, 1 checkout, 1 charge")
def two_tabs(context: ScenarioContext) -> ScenarioResult:
    """The pay button is pressed in two tabs in the same moment."""
    context.cancel_payable_order()

    def click() -> tuple[str, str]:
        number = context.press_pay()
        return number, checkout.checkout_url(context.buyer, number)

    checkouts = set()
    for clicked in run_concurrently([click] * TABS):
        if isinstance(clicked, StoreError):
            raise clicked
        checkouts.add(clicked)
    numbers = sorted({number for number, _ in checkouts})
    context.numbers += numbers
    context.pay(numbers[0])
    context.wait_for_status(numbers[0], "paid")
    orders = [context.compare(number) for number in numbers]
    sessions = sum(len(order.sessions) for order in orders)
    counts = [counted(len(numbers), "order"), counted(sessions, "checkout"), *map(_charges, orders)]
    total = context.order(numbers[0]).total_amount
    charged_once = [order.stripe_charge_amounts for order in orders] == [[total]]
    passed = len(checkouts) == sessions == 1 and charged_once
    return ScenarioResult(numbers[0], ", ".join(counts), passed)


@scenario("Drop Stripe's answer", expected="asked to try again; then 1 checkout, 1 charge")
def dropped_response(context: ScenarioContext) -> ScenarioResult:
    """Stripe opens the checkout, but its answers get lost on the way back."""
    number = context.place()
    request, times, failed = "POST /v1/checkout/sessions", 1 + transport.RETRIES, False
    with context.stripe.fault("request", "cut", request, times=times):
        try:
            checkout.checkout_url(context.buyer, number)
        except StripeError:
            failed = True
    checkout.checkout_url(context.buyer, number)
    if not failed:
        raise NotApplicable("Another visitor's click met this fault. Try again in a quiet moment.")
    context.pay(number)
    context.wait_for_status(number, "paid")
    order = context.compare(number)
    checkouts = counted(len(order.sessions), "checkout")
    outcome = f"asked to try again; then {checkouts}, {_charges(order)}"
    same_session = order.sessions == [context.session_id(number)]
    return ScenarioResult(number, outcome, same_session and order.status == "paid")


def _charges(order: RehearsedOrder) -> str:
    return counted(len(order.stripe_charge_amounts), "charge")


@scenario("Stop the webhooks", expected="paid without them; the server comes back")
def server_stopped(context: ScenarioContext) -> ScenarioResult:
    """The webhook server is killed while a buyer pays."""
    webhooks = context.webhooks
    number = context.open()
    webhooks.stop()
    context.pay(number)
    event_id = context.stripe.event_of(context.session_id(number))["id"]
    attempts = context.stripe.attempts(event_id)
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
    late = _late_delivery(context, event_id)
    outcome += f"; back after {seconds:.0f} s, late webhook {late.text}"
    paid_without = order.status == "paid" and "webhook" not in order.paid_sources
    return ScenarioResult(number, outcome, paid_without and late.status == 200)


def _late_delivery(context: ScenarioContext, event_id: str) -> WebhookResponse:
    """The response to the webhook once a retry reached the server."""
    responses = wait_until(
        lambda: [a for a in context.stripe.attempts(event_id) if a["status"] == 200], RETRY_SECONDS
    )
    return WebhookResponse.parse(200, responses[0]["body"]) if responses else WebhookResponse()


@scenario("Refund twice at once", expected="1 refund, 1 refused")
def refunded_twice(context: ScenarioContext) -> ScenarioResult:
    """Two operators refund the same order in the same moment."""
    number = context.paid()

    def refund(operator: int) -> None:
        row = refunds.create_refund(number, None, key=f"rehearsal-{number}-{operator}")
        refunds.submit_refund(row, source="operator")

    answers = run_concurrently([lambda: refund(1), lambda: refund(2)])
    refusals = [f"1 refused: “{answer}”" for answer in answers if isinstance(answer, StoreError)]
    order = context.compare(number)
    made = len(order.stripe_refund_amounts)
    outcome = "; ".join([counted(made, "refund"), *(refusals or ["none refused"])])
    once = made == order.refund_count == len(refusals) == 1
    return ScenarioResult(number, outcome, once and order.status == "refunded")


# In the order in which they are shown and run.
SCENARIOS = (
    *(delivered_twice, hundred_at_once, out_of_order, three_days_late, forged, old_signature),
    *(other_amount, live_mode, two_tabs, dropped_response, server_stopped, refunded_twice),
)
