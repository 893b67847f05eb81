"""The scenarios about clicks and lost responses of Stripe."""

from store.core.errors import StoreError, StripeError
from store.demo.comparison import OrderComparison
from store.demo.context import ScenarioContext, ScenarioResult, run_concurrently
from store.demo.errors import NotApplicable
from store.orders import checkout
from store.stripe_api import transport

TABS = 2
CREATE_SESSION = "POST /v1/checkout/sessions"


def two_tabs(context: ScenarioContext) -> ScenarioResult:
    """The same cart is paid from two tabs in the same moment."""
    context.cancel_payable_order()

    def click() -> tuple[str, str]:
        number = context.press_pay()
        return number, checkout.checkout_url(context.buyer, number)

    clicks = run_concurrently([click] * TABS)
    for error in clicks:
        if isinstance(error, StoreError):
            raise error
    checkouts = sorted({c for c in clicks if isinstance(c, tuple)})
    numbers = sorted({number for number, _ in checkouts})
    context.numbers += numbers
    context.pay(numbers[0])
    context.wait_for_status(numbers[0], "paid")
    orders = [context.compare(number) for number in numbers]
    sessions = sum(len(order.sessions) for order in orders)
    counts = [count(len(numbers), "order"), count(sessions, "checkout"), *map(charges, orders)]
    total = context.order(numbers[0]).total_amount
    charged_once = [order.stripe_charge_amounts for order in orders] == [[total]]
    passed = len(checkouts) == sessions == 1 and charged_once
    return ScenarioResult(numbers[0], ", ".join(counts), passed)


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def charges(order: OrderComparison) -> str:
    return count(len(order.stripe_charge_amounts), "charge")


def dropped_response(context: ScenarioContext) -> ScenarioResult:
    """Stripe creates the session, and each of its responses gets lost on the way back."""
    number = context.place()
    times = 1 + transport.RETRIES
    fault = context.stripe.inject_fault("request", "cut", CREATE_SESSION, times=times)
    failed = False
    try:
        checkout.checkout_url(context.buyer, number)
    except StripeError:
        failed = True
    finally:
        context.stripe.clear_fault(fault)
    checkout.checkout_url(context.buyer, number)
    if not failed:
        raise NotApplicable("Another visitor's click met this fault. Try again in a quiet moment.")
    context.pay(number)
    context.wait_for_status(number, "paid")
    order = context.compare(number)
    outcome = f"asked to try again; then {count(len(order.sessions), 'checkout')}, {charges(order)}"
    same_session = order.sessions == [context.session_id(number)]
    return ScenarioResult(number, outcome, same_session and order.status == "paid")
