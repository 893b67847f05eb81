"""Of many processes, one at a time reconciles."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from store.core import clock, settings
from store.core.errors import StripePermissionMissing
from store.core.order_status import OrderStatus
from store.core.settings import ROOT
from store.db import engine as db
from store.db import leases
from store.db.models import UNDECIDED, Lease
from store.reconciliation import missed_events, reconciler
from store.stripe_api import requests, transport
from tests.support.shop import Shop, at_once

Later = Callable[[timedelta], None]
HALF_A_MINUTE = timedelta(seconds=30)
NEVER_LONG_AGO = timedelta(0)
HOLDER = """
import sys
from datetime import timedelta
from store.db import leases
with leases.lease("reconciler", every=timedelta(0)) as mine:
    print(mine is not None, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Moves the clock forward."""
    at = clock.now()

    def move(by: timedelta) -> None:
        monkeypatch.setattr(clock, "now", lambda: at + by)

    return move


def takes_a_turn(every: timedelta = HALF_A_MINUTE) -> leases.HeldLease | None:
    with leases.lease("reconciler", every=every) as mine:
        return mine


def noted(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """From when on Stripe is asked for events, each time that it is."""
    since: list[datetime] = []
    ask = requests.events

    def listen(kinds: list[str], at: datetime) -> Iterator[transport.Document]:
        since.append(at)
        return ask(kinds, at)

    monkeypatch.setattr(requests, "events", listen)
    return since


def test_work_just_done_is_not_repeated_before_its_interval(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = takes_a_turn()
    another = takes_a_turn()
    later = clock.now() + HALF_A_MINUTE
    monkeypatch.setattr(clock, "now", lambda: later)
    next_one = takes_a_turn()

    assert first
    assert first.processed_until is None
    assert another is None
    assert next_one == leases.HeldLease(later, processed_until=first.acquired_at)


def test_a_process_reconciles_right_after_its_start(shop: Shop) -> None:
    takes_a_turn()

    assert takes_a_turn(NEVER_LONG_AGO)


def test_a_failed_run_does_not_count_as_done(shop: Shop) -> None:
    first = takes_a_turn()
    with pytest.raises(RuntimeError), leases.lease("reconciler", every=NEVER_LONG_AGO):
        raise RuntimeError

    after = takes_a_turn(NEVER_LONG_AGO)

    assert first
    assert after
    assert after.processed_until == first.acquired_at


def test_a_clock_that_was_set_back_blocks_no_lease(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes_a_turn()
    before = clock.now() - timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: before)

    assert takes_a_turn()


@pytest.mark.scenario("E7", "N4")
def test_only_one_process_holds_the_reconciler_lease(shop: Shop) -> None:
    with leases.lease("reconciler", every=NEVER_LONG_AGO) as mine:
        other = takes_a_turn(NEVER_LONG_AGO)

    assert mine
    assert other is None
    assert takes_a_turn(NEVER_LONG_AGO)


@pytest.mark.scenario("E7", "N4")
@pytest.mark.skipif(os.name == "nt", reason="killed by a signal")
def test_the_lease_of_a_killed_process_expires(shop: Shop) -> None:
    """On the same machine at once, since its processes can be seen."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert holder.stdout
    assert holder.stdin
    assert holder.stdout.readline() == b"True\n"
    assert takes_a_turn(NEVER_LONG_AGO) is None

    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()

    assert takes_a_turn(NEVER_LONG_AGO)


def held_by(holder: str, until: datetime) -> None:
    with db.unit_of_work() as session:
        turn = session.get_one(Lease, "reconciler")
        turn.holder, turn.held_until = holder, until


@pytest.mark.scenario("N4")
def test_the_lease_of_another_machine_ends_by_itself(shop: Shop, later: Later) -> None:
    takes_a_turn()
    held_by("another-machine 7 abc", clock.now() + leases.LEASE_DURATION)

    while_held = takes_a_turn(NEVER_LONG_AGO)
    later(leases.LEASE_DURATION + timedelta(seconds=1))

    assert while_held is None
    assert takes_a_turn(NEVER_LONG_AGO)


@pytest.mark.scenario("N4")
def test_an_earlier_process_with_our_number_is_known_to_have_ended(shop: Shop) -> None:
    """As in a container that was killed and started again."""
    takes_a_turn()
    held_by(f"{socket.gethostname()} {os.getpid()} abc", clock.now() + leases.LEASE_DURATION)

    assert takes_a_turn(NEVER_LONG_AGO)


def test_a_lease_from_a_clock_that_was_ahead_blocks_no_process(shop: Shop) -> None:
    takes_a_turn()
    held_by("another-machine 7 abc", clock.now() + timedelta(days=1))

    assert takes_a_turn(NEVER_LONG_AGO)


@pytest.mark.scenario("N4")
def test_a_lease_is_renewed_while_the_work_goes_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_DURATION", timedelta(seconds=0.6))
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.1)
    with leases.lease("reconciler", every=NEVER_LONG_AGO) as mine:
        threading.Event().wait(1.2)
        other = takes_a_turn(NEVER_LONG_AGO)

    assert mine
    assert other is None


def test_an_expired_lease_holder_does_not_change_the_next_lease(shop: Shop) -> None:
    with leases.lease("reconciler", every=NEVER_LONG_AGO):
        held_by("another-machine 7 abc", clock.now() + leases.LEASE_DURATION)

    with db.reading() as session:
        turn = session.get_one(Lease, "reconciler")
    assert (turn.holder, turn.processed_until) == ("another-machine 7 abc", None)


@pytest.mark.scenario("N4")
def test_of_many_that_come_at_once_one_has_the_turn(shop: Shop) -> None:
    """Also the first time, when there is no row to lock yet."""
    together = threading.Barrier(6)

    def take(_: int) -> bool:
        with leases.lease("reconciler", every=HALF_A_MINUTE) as mine:
            together.wait(30)
            return mine is not None

    assert sum(at_once(6, take)) == 1


def test_two_reconcilers_ask_stripe_as_often_as_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = noted(monkeypatch)

    reconciler._run_with_lease(HALF_A_MINUTE)
    reconciler._run_with_lease(HALF_A_MINUTE)

    assert len(asked) == 1


@pytest.mark.scenario("J6")
def test_a_failing_run_keeps_its_interval(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    every: list[timedelta] = []
    stop = threading.Event()

    def fails(pause: timedelta) -> None:
        every.append(pause)
        if len(every) == 3:
            stop.set()
        raise StripePermissionMissing

    monkeypatch.setenv("RECONCILE_SECONDS", "0.1")
    settings.current.cache_clear()
    monkeypatch.setattr(reconciler, "_run_with_lease", fails)
    reconciler.run_forever(stop)

    assert every == [timedelta(0), *[timedelta(seconds=0.1)] * 2]


def test_the_next_run_lists_events_from_shortly_before_the_last(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = noted(monkeypatch)

    for _ in range(2):
        reconciler._run_with_lease(NEVER_LONG_AGO)

    first, second = since
    assert clock.now() - first >= missed_events.EVENTS_KEPT
    assert clock.now() - second < reconciler.OVERLAP + timedelta(minutes=1)


def test_every_status_that_stripe_may_still_change_is_looked_up() -> None:
    assert all(f"'{status}'" in str(UNDECIDED) for status in OrderStatus.UNDECIDED)
