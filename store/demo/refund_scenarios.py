"""The scenarios about refunds."""

from store.core.errors import StoreError
from store.demo.checkout_scenarios import count
from store.demo.context import ScenarioContext, ScenarioResult, run_concurrently
from store.orders import refunds


def refunded_twice(context: ScenarioContext) -> ScenarioResult:
    """Two operators refund the whole order in the same moment."""
    number = context.paid()

    def refund(operator: int) -> None:
        row = refunds.create_refund(number, None, key=f"rehearsal-{number}-{operator}")
        refunds.submit_refund(row, source="operator")

    answers = run_concurrently([lambda: refund(1), lambda: refund(2)])
    refusals = [f"1 refused: “{answer}”" for answer in answers if isinstance(answer, StoreError)]
    order = context.compare(number)
    made = len(order.stripe_refund_amounts)
    outcome = "; ".join([count(made, "refund"), *(refusals or ["none refused"])])
    once = made == order.refund_count == len(refusals) == 1
    return ScenarioResult(number, outcome, once and order.status == "refunded")
