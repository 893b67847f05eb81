"""A small world of buyers, operators, banks and accidents, drawn from one seed.

The same seed makes the same world, step by step. Between two lines of the shop's own code other
things may happen: the process may die, or others may act while it waits for Stripe.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from store.catalog import products
from store.core.errors import StoreError
from store.db import engine as db
from store.orders import checkout, refunds
from store.reconciliation import audit, reconciler
from store.reports.cart import Cart
from stripe_emulator.base.errors import StripeError as EmulatorError
from stripe_emulator.faults import REQUEST_FAULTS
from stripe_emulator.resources import checkout_sessions
from tests.simulation import conditions
from tests.simulation.in_process_shop import LIES, STORE_URL, STRAY, Crash, SimulatedShop
from tests.simulation.invariants import Records
from tests.support.counting import count

BUYERS = 8
CARTS = (
    {"red-t-shirt": 2},
    {"red-t-shirt": 2},
    {"blue-jeans": 1},
    {"sneakers": 1, "blue-jeans": 1},
)
CARDS = {
    "4242424242424242": 12,
    "4000000000000002": 3,  # declined
    "4000000000000259": 1,  # disputed
    "4000000000001976": 1,  # an inquiry
    "4000000000007726": 2,  # refunds are pending first
    "4000000000005126": 1,  # refunds fail later
    "4000002500003155": 1,  # asks the bank
}
LASTING = ("slow", "hang", "malformed", "gone", "forbidden", "refuse")  # see moods.py
ACCIDENTS = [kind for kind in REQUEST_FAULTS if kind not in LASTING]
MISDELIVERIES = (
    *("drop", "duplicate", "delay", "reorder", "forge", "tamper", "wrong_secret", "old_timestamp"),
    *LIES,
)
CRASH_CHANCE = 0.008
MEANWHILE_CHANCE = 0.03


class World:
    """One simulated shop, with its buyers, its operator and its attackers."""

    def __init__(self, simulated: SimulatedShop, records: Records, seed: str) -> None:
        self.simulated, self.records, self.seed = simulated, records, seed
        self.random = Random(seed)
        self.steps = 0
        self.history: list[str] = []
        self.buyers = [f"buyer-{number}" for number in range(BUYERS)]
        self.numbers: list[tuple[str, str]] = []
        self.sessions: list[str] = []
        self.payments: list[tuple[str, str]] = []
        self.wishes: list[tuple[str, int | None, str]] = []
        self.caught_up: datetime | None = None
        self.nested = False
        self.moods: list[conditions.Mood] = []
        with db.reading() as session:
            self.products = products.active_products(session)
        self.simulated.points.act = self.happen

    # --- what a step is -----------------------------------------------------------------------

    def run(self, steps: int) -> None:
        """So many steps; then everything comes to rest and is audited."""
        self.live(steps)
        self.rest()

    def live(self, steps: int) -> None:
        """So many steps, each looked at."""
        self.simulated.points.act = self.happen
        for _ in range(steps):
            self.step()
            self.records.check()

    def step(self) -> None:
        """Something happens to somebody."""
        self.steps += 1
        count("steps")
        conditions.pass_over(self)
        act = self.random.choices(self.ACTS, self.WEIGHTS)[0]
        try:
            self.attempt(act)
        except Crash:
            count("deaths")
            self.note("the process dies")
            self.simulated.drop_connections()

    def attempt(self, act: Callable[["World"], None]) -> None:
        """One act; that the shop or Stripe says no is part of life."""
        self.note(act.__name__)
        try:
            act(self)
        except (StoreError, EmulatorError) as refusal:
            self.note(f"  refused: {type(refusal).__name__}")

    def happen(self, place: str) -> None:
        """At each place where a process may die: nothing, the end, or somebody else's step."""
        drawn = self.random.random()
        if drawn < CRASH_CHANCE:
            self.note(f"  ✗ {place}")
            raise Crash(place)
        meanwhile = drawn < CRASH_CHANCE + MEANWHILE_CHANCE
        if not meanwhile or self.nested or self.simulated.open_transactions:
            return
        self.nested = True
        self.note(f"  meanwhile, {place}:")
        count("meanwhile")
        try:
            with self.simulated.another_process():
                self.attempt(self.random.choices(self.ACTS, self.WEIGHTS)[0])
        except Crash:
            count("deaths")
        finally:
            self.nested = False

    def note(self, line: str) -> None:
        """Keep the history, for whoever has to find out why."""
        self.history.append(f"{self.steps:>5} {line}")

    def pick(self, things: list[Any]) -> Any:
        """One of them, more often a late one; None where there is none."""
        if not things:
            return None
        if self.random.random() < 0.6:
            return self.random.choice(things[-6:])
        return self.random.choice(things)

    # --- buyers -------------------------------------------------------------------------------

    def shop(self) -> None:
        """A buyer presses Pay, and most often goes to Stripe."""
        buyer, cart = self.random.choice(self.buyers), self.random.choice(CARTS)
        number = checkout.place(
            buyer,
            cart,
            shown_amount=Cart.of(self.products, cart).total,
            store_url=STORE_URL,
            again=self.random.random() < 0.5,
        )
        if (buyer, number) not in self.numbers:
            self.numbers.append((buyer, number))
        if self.random.random() < 0.85:
            self._go(buyer, number)
            if self.sessions and self.random.random() < 0.5:
                self._use_card(self.sessions[-1])

    def go(self) -> None:
        """A link to an order is followed, however old."""
        if chosen := self.pick(self.numbers):
            self._go(*chosen)

    def _go(self, buyer: str, number: str) -> None:
        address = checkout.checkout_url(buyer, number)
        session_id = address.rsplit("/", 1)[1]
        if "/c/pay/" in address and session_id not in self.sessions:
            self.sessions.append(session_id)

    def pay(self) -> None:
        """A tab at Stripe is used, now and then one that should be closed by now."""
        payable = [s["id"] for s in self.records.sessions if s["status"] == "open"]
        known = payable if self.random.random() < 0.7 else self.sessions
        if session_id := self.pick(known):
            self._use_card(session_id)
        if self.random.random() < 0.4:
            self.come_back()

    def _use_card(self, session_id: str) -> None:
        card = self.random.choices(list(CARDS), list(CARDS.values()))[0]
        result = self._pay(session_id, card)
        if result.challenge_id:
            result = self.simulated.emulator.checkout.answer_challenge(
                result.challenge_id, self.random.random() < 0.7
            )
        self._paid(session_id, result.outcome)

    def _pay(self, session_id: str, card: str) -> Any:
        return self.simulated.emulator.checkout.pay_with_card(
            session_id,
            number=card,
            expiry="12 / 34",
            cvc="123",
            name="Ada Buyer",
            email="ada@example.com",
        )

    def _paid(self, session_id: str, outcome: str) -> None:
        self.note(f"  {outcome}")
        if outcome not in ("succeeded", "processing"):
            return
        session = self.simulated.emulator.checkout.session(session_id) or {}
        intent = self.simulated.emulator.retrieve(session["payment_intent"]) or {}
        number = session["metadata"]["order_number"]
        self.payments.append((number, intent["latest_charge"]))

    def pay_by_debit(self) -> None:
        """Money that arrives days later, or not."""
        payable = [s["id"] for s in self.records.sessions if s["status"] == "open"]
        if session_id := self.pick(payable):
            outcome = self.random.choice(["succeeds", "succeeds", "fails"])
            result = self.simulated.emulator.checkout.pay_later(
                session_id,
                outcome=outcome,  # type: ignore[arg-type]
                email="ada@example.com",
            )
            self._paid(session_id, result.outcome)

    def come_back(self) -> None:
        """Stripe sends the buyer back, or they reload the page."""
        if chosen := self.pick(self.numbers):
            checkout.refresh_order(*chosen)

    def cancel(self) -> None:
        if chosen := self.pick(self.numbers):
            checkout.cancel(*chosen)

    # --- operators, banks, and somebody else's software ---------------------------------------

    def refund(self) -> None:
        """A refund by the shop's back office; sometimes the form is sent twice."""
        if self.wishes and self.random.random() < 0.3:
            number, amount, key = self.pick(self.wishes)
        elif self.payments:
            number, _ = self.pick(self.payments)
            amount = self.random.choice([None, None, 500, 1999, 4000])
            key = f"{self.seed}/wish-{self.steps}-{len(self.wishes)}"
            self.wishes.append((number, amount, key))
        else:
            return
        created = refunds.create_refund(number, amount, key=key)
        if self.random.random() < 0.8:
            refunds.submit_refund(created, source="operator")

    def refund_at_stripe(self) -> None:
        """Somebody gives money back in Stripe's dashboard."""
        if self.payments:
            _, charge_id = self.pick(self.payments)
            charge = self.simulated.emulator.retrieve(charge_id) or {}
            amount = self.random.choice([None, 300, 1999])
            self.simulated.emulator.refund(charge["payment_intent"], amount)

    def dispute(self) -> None:
        if self.payments:
            _, charge_id = self.pick(self.payments)
            self.simulated.emulator.dispute(charge_id, "product_not_received")

    def close_dispute(self) -> None:
        if disputes := self.simulated.stripes("dispute"):
            won = self.random.random() < 0.5
            self.simulated.emulator.close_dispute(self.pick(disputes)["id"], won)

    def stray_payment(self) -> None:
        """A session that the shop never made, naming an order of its, is paid."""
        known = [number for _, number in self.numbers if self._has_session(number)]
        if not known:
            return
        number = self.pick(known)
        amount = self.random.choice([3998, 1234])
        price = {"currency": "usd", "unit_amount": amount, "product_data": {"name": "A thing"}}
        ours = {"order_number": number}
        given: Any = {
            "mode": "payment",
            "success_url": STORE_URL,
            "line_items": [{"price_data": price, "quantity": 1}],
            "metadata": ours | {STRAY: "yes"},
            "payment_intent_data": {"metadata": ours},
        }
        with self.simulated.emulator.account.writing() as records:
            session = checkout_sessions.create(records, given)
        assert self._pay(session["id"], "4242424242424242").outcome == "succeeded"

    def _has_session(self, number: str) -> bool:
        return any(
            order["number"] == number and order["checkout_session_id"]
            for order in self.records.orders.values()
        )

    # --- time, the network, the webhook server ---------------------------------------------------

    def wait(self) -> None:
        """Seconds, minutes, and now and then a day."""
        spans = (3, 40, 400, 1_500, 9_000, 90_000)
        seconds = self.random.choices(spans, (8, 8, 5, 2, 1, 1))[0] * self.random.random()
        self.simulated.clock.seconds += seconds
        self.note(f"  {seconds:.0f} s")

    def deliver(self) -> None:
        """Some events arrive, in any order, some of them together."""
        due = self.simulated.due()
        self.random.shuffle(due)
        left = self.random.choice([1, 2, 4, 12])
        while due and left > 0:
            size = self.random.choice([1, 1, 2, 5])
            batch, due = due[:size], due[size:]
            left -= len(batch)
            self.simulated.carry(batch)

    def resend(self) -> None:
        """Stripe repeats an event that was perhaps answered long ago."""
        if events := self.simulated.emulator.list_objects("event", 30).items:
            self.simulated.emulator.resend(self.random.choice(events)["id"])

    def catch_up(self) -> None:
        """One pass of the reconciler; now and then it has just been started anew."""
        started = self.simulated.clock.at_stripe()
        since = self.caught_up if self.random.random() < 0.95 else None
        reconciler.reconcile_recent(since)
        self.caught_up = started - timedelta(minutes=10)

    def accident(self) -> None:
        """One of the next calls to Stripe goes wrong, perhaps several in a row."""
        self.simulated.emulator.inject_fault(
            "request",
            self.random.choice(ACCIDENTS),
            times=self.random.choice([1, 1, 2, 4]),
            match=self.random.choice(["*", "POST *", "POST /v1/checkout/sessions", "*refunds"]),
        )

    def misdelivery(self) -> None:
        """One of the next deliveries goes astray, or is not what it should be."""
        kind = self.random.choice(MISDELIVERIES)
        match = "checkout.session.*" if kind in LIES else "*"
        self.simulated.emulator.inject_fault("delivery", kind, match=match)

    # --- the end ------------------------------------------------------------------------------

    def rest(self) -> None:
        """Nothing goes wrong any more, everything is delivered, the reconciler runs: I8."""
        self.simulated.points.act = lambda _place: None
        self.simulated.calm()
        self.simulated.clock.shop_ahead = 0.0
        self.simulated.restart()
        self.simulated.clock.seconds += 86_400  # debits settle, sessions expire, retries are over
        while due := self.simulated.due():
            self.simulated.carry(due)
        for _ in range(3):  # a refund that Stripe refused waits for a day at most
            reconciler.reconcile_everything()
            while due := self.simulated.due():
                self.simulated.carry(due)
            self.simulated.clock.seconds += 90_000
        self.records.check_at_rest()
        found = audit.audit()
        disagreeing = [entry for entry in found.entries if not entry.agrees]
        assert found.agrees, f"I8: {disagreeing}"
        assert found.difference_amount == 0
        assert set(found.strangers) <= self.simulated.unmissed_numbers()
        count("audits")

    CHANCES: tuple[tuple[Callable[["World"], None], int], ...] = (
        (shop, 18),
        (go, 4),
        (pay, 12),
        (pay_by_debit, 2),
        (come_back, 6),
        (cancel, 3),
        (refund, 5),
        (refund_at_stripe, 1),
        (dispute, 1),
        (close_dispute, 1),
        (stray_payment, 1),
        (wait, 8),
        (deliver, 16),
        (resend, 2),
        (catch_up, 3),
        (accident, 4),
        (misdelivery, 3),
        (conditions.one_object, 2),
        (conditions.lost_session, 1),
        (conditions.missing_permission, 1),
        (conditions.refused_refunds, 1),
        (conditions.shop_clock_off, 1),
        (conditions.others_are_settled, 1),
    )
    ACTS = tuple(act for act, _ in CHANCES)
    WEIGHTS = tuple(weight for _, weight in CHANCES)
