"""Reconciling and comparing on an operator's request: one at a time, in all processes."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from store.backoffice import tasks
from store.backoffice.tasks import COMPARE, RECONCILE, BackgroundTasks, Pair, Task, TaskRunning
from store.core.errors import StripeUnreachable
from store.db import leases
from store.reconciliation import audit, reconciler
from tests.support.shop import ON_SQLITE, Shop
from tests.support.waiting import wait_until


def ended(background: BackgroundTasks, name: str) -> Task:
    wait_until(lambda: not background.running)
    return background.last[name]


def test_comparing_shows_a_difference_that_reconciling_ends(shop: Shop) -> None:
    background = BackgroundTasks()
    number = shop.an_open_order()
    shop.pay(number)

    background.compare("Ada")
    compared, before = ended(background, COMPARE), background.audited
    background.reconcile("Ada")
    reconciled = ended(background, RECONCILE)
    background.compare("Grace")
    again, after = ended(background, COMPARE), background.audited

    assert before
    assert after
    assert (before.payments, before.agrees) == (Pair(1, 0), False)
    assert [entry.number for entry in before.differing] == [number]
    assert compared.result == "Compared 1 orders. They differ; the orders stand below."
    assert reconciled.result.startswith("Reconciled: 0 open orders looked up, 2 missed events")
    assert (after.payments, after.agrees, after.differing) == (Pair(1, 1), True, [])
    assert (again.result, again.operator) == ("Compared 1 orders. They agree.", "Grace")
    assert compared.ended_at
    assert 0 <= compared.seconds < 60


def test_figures_of_a_comparison_count_refunds_and_disputes(shop: Shop) -> None:
    background = BackgroundTasks()
    number = shop.a_paid_order()
    shop.dispute(number)
    shop.deliver_all()

    background.compare("Ada")
    ended(background, COMPARE)

    result = background.audited
    assert result
    assert (result.payments, result.disputes) == (Pair(1, 1), Pair(1, 1))
    assert result.refunds == [Pair(0, 0, "usd")]
    assert "1 Checkout Sessions, 0 refunds and 1 disputes" in background.last[COMPARE].progress()


def test_only_one_task_runs_in_all_processes_of_the_shop(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, another_process, release = BackgroundTasks(), BackgroundTasks(), threading.Event()
    monkeypatch.setattr(reconciler, "reconcile_everything", lambda _done: release.wait(20))

    here.reconcile("Ada")
    refused = [attempt(here.compare), attempt(another_process.compare)]
    elsewhere = (here.runs_elsewhere(), another_process.runs_elsewhere())
    release.set()
    ended(here, RECONCILE)

    assert refused == [True, True]
    assert elsewhere[0] is None
    assert elsewhere[1]
    assert another_process.runs_elsewhere() is None
    another_process.compare("Grace")
    assert ended(another_process, COMPARE).good


def attempt(start: Callable[[str], None]) -> bool:
    """Whether it is refused because another task runs."""
    try:
        start("Grace")
    except TaskRunning:
        return True
    return False


@ON_SQLITE
@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StripeUnreachable(), StripeUnreachable.operator_sentence),
        (RuntimeError("a bug"), tasks.UNEXPECTED),
    ],
)
def test_a_task_that_fails_says_so_and_frees_its_place(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    sentence: str,
) -> None:
    background = BackgroundTasks()

    def fails(_stripes: audit.StripeRecords) -> audit.Audit:
        raise error

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(audit, "audit", fails)
        background.compare("Ada")
        failed = ended(background, COMPARE)

    assert (failed.good, failed.result) == (False, sentence)
    assert ("a bug" in caplog.text) == (sentence == tasks.UNEXPECTED)
    assert background.audited is None
    with leases.lease(tasks.LEASE, every=timedelta(0)) as lease:
        assert lease
