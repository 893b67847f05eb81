"""What Stripe and the clock can be like for a while, longer than one call or one delivery.

Each is an act of the world. One object is always busy, malformed, silent or gone; a permission is
missing; refunds are refused once, twice or until the mood is over; the shop's clock is off.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.reconciliation import reconciler
from stripe_emulator.api.malformed import SHAPES
from stripe_emulator.api.request_faults import REFUSALS
from tests.support.counting import count

if TYPE_CHECKING:
    from tests.simulation.world import World

STUCK = ("rate_limit", "lock_timeout", "error_before", "hang", "malformed", "gone")
LONGEST_STEPS = 120
ROUTES = (
    *("GET /v1/events", "GET /v1/checkout/sessions", "GET /v1/checkout/sessions/*"),
    *("POST /v1/checkout/sessions", "POST /v1/checkout/sessions/*/expire", "POST /v1/refunds"),
    *("GET /v1/refunds", "GET /v1/disputes", "GET /v1/payment_intents/*"),
)
CLOCKS_OFF_SECONDS = (65, -120, 280, 2_100, -2_100, 3_600, -3_600)
MOST_STUCK = 6


@dataclass(frozen=True)
class Mood:
    """A trouble that stays armed until a step of the world; `about` is the object it is about."""

    trouble_id: int
    until_step: int
    about: str = ""


def one_object(world: "World") -> None:
    """One session, payment, refund or event is busy, malformed, silent or gone for a while."""
    if object_id := _an_object(world):
        _stick(world, object_id)


def _an_object(world: "World") -> str | None:
    """Any object at Stripe that the shop may ask about, more often a late one."""
    kind = world.random.choice(
        ("checkout.session", "checkout.session", "payment_intent", "charge", "refund", "event")
    )
    if kind == "event":
        ids = [event["id"] for event in world.simulated.events()]
    else:
        ids = [thing["id"] for thing in world.simulated.stripes(kind)]
    found: str | None = world.pick(ids)
    return found


def _stick(world: "World", object_id: str) -> None:
    """Arm the mood. An open session is never merely said to be gone: then it is gone for good."""
    kinds = STUCK[:-1] if object_id.startswith("cs_") else STUCK
    kind = world.random.choice(kinds)
    value = world.random.choice(list(SHAPES)) if kind == "malformed" else ""
    world.note(f"  {kind} {value} {object_id.partition('_')[0]}")
    _begin(world, kind, object_id, value=value, about=object_id)


def _begin(
    world: "World",
    kind: str,
    match: str,
    *,
    times: int | None = None,
    value: str = "",
    about: str = "",
) -> None:
    made = world.simulated.emulator.inject_fault(
        "request", kind, times=times, match=match, value=value
    )
    until = world.steps + world.random.randint(5, LONGEST_STEPS)
    world.moods.append(Mood(made.id, until, about))


def lost_session(world: "World") -> None:
    """Stripe forgets an open session: nobody can pay it, and no event says so."""
    open_ones = [session["id"] for session in world.records.sessions if session["status"] == "open"]
    if session_id := world.pick(open_ones):
        world.simulated.forget_session(session_id)


def missing_permission(world: "World") -> None:
    """The key may not do one thing for a while."""
    _begin(world, "forbidden", world.random.choice(ROUTES))


def refused_refunds(world: "World") -> None:
    """Stripe refuses refunds once, twice, or as long as the mood lasts."""
    times, value = world.random.choice([1, 2, None]), world.random.choice(list(REFUSALS))
    _begin(world, "refuse", "POST /v1/refunds", times=times, value=value)


def shop_clock_off(world: "World") -> None:
    """The shop's clock is ahead of Stripe's or behind, until somebody sets it right."""
    clock = world.simulated.clock
    clock.shop_ahead = 0.0 if clock.shop_ahead else world.random.choice(CLOCKS_OFF_SECONDS)
    world.note(f"  {clock.shop_ahead:+.0f} s")


def pass_over(world: "World") -> None:
    """End the moods whose time is over."""
    for mood in [mood for mood in world.moods if mood.until_step <= world.steps]:
        world.simulated.emulator.clear_faults(mood.trouble_id)
        world.moods.remove(mood)


def others_are_settled(world: "World") -> None:
    """However many objects are stuck, one pass settles everything that is not about them.

    Whatever else goes wrong ends before; the process does not die in this pass.
    """
    happen, world.simulated.points.act = world.simulated.points.act, lambda _place: None
    world.simulated.clock.shop_ahead = 0.0
    for _ in range(world.random.randint(1, MOST_STUCK)):
        one_object(world)
    stuck = {mood.trouble_id: mood.about for mood in world.moods if mood.about}
    for trouble in world.simulated.emulator.faults():
        lasting = trouble.id in stuck or trouble.match in world.simulated.forgotten
        if trouble.target == "request" and not lasting:
            world.simulated.emulator.clear_faults(trouble.id)
    world.moods = [mood for mood in world.moods if mood.trouble_id in stuck]
    world.simulated.clock.seconds += 60
    began = world.simulated.clock.at_stripe()
    reconciler.reconcile_everything()
    world.records.check()
    world.records.others_are_settled(set(stuck.values()), began)
    world.simulated.points.act = happen
    count("stuck passes")
