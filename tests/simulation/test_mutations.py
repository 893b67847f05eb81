"""H5: each guard of the money is removed from a copy of the project, and its tests must notice.

A guard that could go without any test failing would be one that nobody would miss, until the
day it was needed. Each row names what goes, and the tests that have to fail without it.
"""

import re
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tests.simulation.mutation import Edit, Mutation, judge, nursery
from tests.support import counting

MOST_SECONDS = 300

CONSTRAINTS = "tests/integration/test_constraints.py::test_"
REFUNDS = "tests/integration/test_refunds.py::test_"
SIGN_IN = "store/backoffice/sign_in.py"
OFFICE = "tests/web/test_backoffice_http.py::test_"
ACCESS = "tests/e2e/test_access.py::test_"
OPERATORS = "tests/integration/test_backoffice_actions.py::test_"
PRODUCTS = "tests/integration/test_products.py::test_"
OWED = "tests/integration/test_owed_refunds.py::test_"
AUDIT = "tests/integration/test_audit.py::test_"
EACH = "tests/integration/test_error_isolation.py::test_"
AMOUNTS = "tests/integration/test_amounts_in_every_currency.py::test_"
STOREFRONT = "tests/web/storefront/test_storefront_pages.py::test_"
SETTLING = "tests/integration/test_settlement.py::test_"
TROUBLE = "tests/integration/test_stripe_failures.py::test_"
INBOX = "tests/integration/test_webhook_batching.py::test_"
WEBHOOKS = "tests/integration/test_webhook_endpoint.py::test_"
RETURN = SETTLING + "a_redirect_before_the_webhook_marks_paid_and_the_webhook_changes_nothing"
GUARDS = "tests/simulation/test_locking.py::test_"
CRASHES = (
    "tests/simulation/test_crashes.py::test_a_crash_at_any_commit_or_call_neither_loses_nor_doubles"
)
UNIQUE = CONSTRAINTS + "order_identifiers_are_unique[sqlite-{}]"
WAITS = GUARDS + "reading_the_refundable_amount_waits_for_the_order_lock[{}]"
CRASH = CRASHES + "[sqlite-{}-{}]"
PAYABLE_INDEX = "'one_payable_order_per_buyer', 'orders', ['buyer']"
WHERE = "sqlite_where=_1, postgresql_where=_2"
GUARDS_REMOVED: dict[str, Mutation] = {
    "the unique idempotency key": Mutation(
        (
            Edit(
                "models.Order", "idempotency_key: str = Field(unique=True)", "idempotency_key: str"
            ),
            Edit("0001_schema.upgrade", "sa.UniqueConstraint('idempotency_key')", times=2),
        ),
        (UNIQUE.format("idempotency_key"),),
    ),
    "one payable order per buyer": Mutation(
        (
            Edit(
                "0001_schema.upgrade",
                f"op.create_index({PAYABLE_INDEX}, unique=True, {WHERE})",
                f"op.create_index({PAYABLE_INDEX}, {WHERE})",
            ),
        ),
        (CONSTRAINTS + "a_second_payable_order_of_one_buyer_is_refused_by_the_database[sqlite]",),
    ),
    "the unique session": Mutation(
        (Edit("0001_schema.upgrade", "sa.UniqueConstraint('checkout_session_id')"),),
        (UNIQUE.format("checkout_session_id"),),
    ),
    "an event that is known is counted and not stored again": Mutation(
        (Edit("bulk._insertion_of_new", "f'{_1} ON CONFLICT (id) DO NOTHING{_2}'", "f'{_1}{_2}'"),),
        (SETTLING + "a_webhook_delivered_twice_pays_once[sqlite]",),
    ),
    "an event has its effect once": Mutation(
        (Edit("processing._register", "unseen | unknown", "set(unique)"),),
        (SETTLING + "a_webhook_delivered_twice_pays_once[sqlite]",),
    ),
    "the inbox has an end": Mutation(
        (
            Edit(
                "batch_queue.EventBatcher.submit",
                "self._in_flight >= MAX_IN_FLIGHT",
                "self._in_flight < 0",
            ),
        ),
        (INBOX + "a_full_queue_answers_503_with_retry_after[sqlite]",),
    ),
    "a batch that fails is tried one by one": Mutation(
        (
            Edit(
                "batch_queue.EventBatcher._commit",
                "if len(batch) == 1:\n    return [error]",
                "return [error] * len(batch)",
            ),
        ),
        (INBOX + "an_event_that_the_database_refuses_is_alone_for_review[sqlite]",),
    ),
    "the lock on the orders of a batch": Mutation(
        (Edit("batch", "_1.with_for_update()", "_1"),),
        (INBOX + "a_batch_waits_for_another_about_the_same_order[postgresql]",),
    ),
    "SQLite's writers begin with a lock": Mutation(
        (Edit("engine._begin_sqlite", "'BEGIN IMMEDIATE' if writes else 'BEGIN'", "'BEGIN'"),),
        (WAITS.format("sqlite"),),
    ),
    "the lock on an order's row": Mutation(
        (Edit("batch", "_1.with_for_update()", "_1"),), (WAITS.format("postgresql"),)
    ),
    "the amount, currency and mode must fit": Mutation(
        (Edit("transitions._apply_checkout", "fact_checks.mismatch(order, fact)", "None"),),
        (WEBHOOKS + "a_mismatch_confirmed_by_stripe_is_never_paid[sqlite-1 cent]",),
    ),
    "the signature": Mutation(
        (
            Edit(
                "signatures.verify",
                "any((_is_signed(body, header, secret) for secret in secrets))",
                "header",
            ),
        ),
        (WEBHOOKS + "a_forged_signature_changes_nothing",),
    ),
    "facts only move forward": Mutation(
        (
            Edit(
                "transitions._raise_rank",
                "rank.get(value, -1) <= rank.get(getattr(row, name), -1)",
                "value == getattr(row, name)",
            ),
        ),
        ("tests/unit/test_order_status.py::test_ranks_never_move_back",),
    ),
    "no more is refunded than is left": Mutation(
        (Edit("refunds._wanted_amount", "not 0 < wanted <= left", "not 0 < wanted"),),
        (REFUNDS + "refunding_zero_or_too_much_is_refused_without_a_request",),
    ),
    "a refund's own key": Mutation(
        (
            Edit(
                "requests.create_refund",
                "return post('/v1/refunds', params, key=key)",
                "return post('/v1/refunds', params)",
            ),
        ),
        (CRASH.format("MoneyBack", "the same person again"),),
    ),
    "a refund behind a saved failure gets a new key": Mutation(
        (Edit("refunds._use_new_key", "row.attempt += 1"),),
        (REFUNDS + "a_refund_whose_saved_answer_is_500_gets_a_new_key_within_a_pass[sqlite]",),
    ),
    "the attempt before is looked for before the next is made": Mutation(
        (
            Edit(
                "refunds._find_existing",
                "refund.attempt == 1 and _1",
                "_1",
            ),
        ),
        (REFUNDS + "a_new_key_is_not_used_where_the_first_refund_shows_after_all[sqlite]",),
    ),
    "a checkout's own key": Mutation(
        (
            Edit(
                "requests.create_checkout",
                "return post(SESSIONS, params, key=key)",
                "return post(SESSIONS, params)",
            ),
        ),
        (CRASH.format("Purchase", "the same person again"),),
    ),
    "a second payment is sent back once": Mutation(
        (Edit("transitions._apply_checkout", "second_payments.record(batch, order, fact)", "[]"),),
        (SETTLING + "a_second_captured_payment_is_written_down_and_sent_back_once[sqlite]",),
    ),
    "a refund that Stripe refuses stays owed": Mutation(
        (Edit("refunds._still_owed", "_postpone(batch, row)", "row.status = 'failed'"),),
        (OWED + "a_refused_refund_keeps_no_other_from_going_back[sqlite]",),
    ),
    "a refund that fails at Stripe is owed again": Mutation(
        (
            Edit(
                "transitions._money_back",
                "second_payments.update_owed_refund(batch, order, fact.payment_intent_id)",
                "second_payments.update_owed_refund(batch, order, '')",
            ),
        ),
        (OWED + "the_refund_of_a_second_payment_that_fails_later_is_owed_again[sqlite]",),
    ),
    "a refund made by hand is no second row": Mutation(
        (
            Edit(
                "transitions._apply_refund",
                "_1 or second_payments.matching_unsent_refund(batch, order, fact)",
                "_1",
            ),
        ),
        (OWED + "a_manually_refunded_second_payment_is_one_finished_row[sqlite-refused]",),
    ),
    "a list that cannot be read is no proof that nothing went back": Mutation(
        (Edit("refunds._find_by_key", "if unreadable:\n    raise unreadable"),),
        (OWED + "an_unreadable_item_in_stripes_list_never_leads_to_a_second_refund[sqlite-nulls]",),
    ),
    "an item that fails keeps no other from its turn": Mutation(
        (Edit("isolation.process_each", "failures.append(Failure(item, error))", "raise"),),
        (EACH + "a_refund_that_trips_keeps_no_other_from_going_back[sqlite-KeyError]",),
    ),
    "a stage that ends early ends no other": Mutation(
        (Edit("reconciler._in_turn", "errors.append(error)", "raise", times=2),),
        (EACH + "a_missing_permission_stops_only_its_own_step[sqlite-events]",),
    ),
    "an absent amount is no agreement": Mutation(
        (
            Edit(
                "fact_checks",
                "_equal_or_absent(fact.amount, order.total_amount, fact)",
                "fact.amount in (None, order.total_amount)",
            ),
        ),
        (WEBHOOKS + "a_mismatch_confirmed_by_stripe_is_never_paid[sqlite-no amount]",),
    ),
    "an absent currency is no agreement": Mutation(
        (
            Edit(
                "fact_checks",
                "_equal_or_absent(fact.currency, order.currency, fact)",
                "fact.currency in (None, order.currency)",
            ),
        ),
        (WEBHOOKS + "a_mismatch_confirmed_by_stripe_is_never_paid[sqlite-no currency]",),
    ),
    "what is missing here is a difference": Mutation(
        (Edit("audit.Audit.agrees", "not self.missing"),),
        (AUDIT + "orders_that_an_old_copy_lacks_are_named_with_their_amounts[sqlite]",),
    ),
    "only orders with this shop's mark are brought back": Mutation(
        (
            Edit(
                "restored_orders._marked",
                "mark and marked and number and (not over)",
                "number and (not over)",
            ),
        ),
        (AUDIT + "orders_without_this_shops_mark_are_strangers_and_no_alarm[sqlite-None]",),
    ),
    "what is shown is what is charged": Mutation(
        (Edit("money.text", "pattern.frac_prec = (digits, digits)"),),
        (AMOUNTS + "what_is_shown_is_what_is_charged_in_every_currency_and_locale[kwd]",),
    ),
    "a total beyond the limits cannot be clicked": Mutation(
        (Edit("streamlit_app.cart_panel", "bool(error)", "not cart.lines"),),
        (STOREFRONT + "a_cheap_thing_can_be_bought_once_the_cart_is_worth_enough",),
    ),
    "Stripe is asked before an order is cancelled": Mutation(
        (
            Edit(
                "checkout_session.expire_checkout_session",
                "requests.expire_checkout(order.checkout_session_id)",
                "requests.checkout(order.checkout_session_id) | {'status': 'expired'}",
            ),
        ),
        (CRASH.format("Cancellation", "the same person again"),),
    ),
    "a session behind a saved failure is looked for": Mutation(
        (
            Edit(
                "checkout_session._create_session",
                "requests.find_checkouts(order.number, order.created_at)",
                "list[dict[str, object]]()",
            ),
        ),
        (TROUBLE + "a_500_after_the_session_was_created_still_finds_that_session[sqlite]",),
    ),
    "a returning buyer makes the shop ask Stripe": Mutation(
        (
            Edit(
                "checkout.refresh_order",
                "_refresh(order, 'redirect', reuse=('redirect',))",
                "None",
            ),
        ),
        (
            SETTLING
            + "a_redirect_before_the_webhook_marks_paid_and_the_webhook_changes_nothing[sqlite]",
        ),
    ),
    "a form that gives money back says what it saw": Mutation(
        (
            Edit(
                "refunds._wanted_amount",
                "displayed_remaining is not None and displayed_remaining != left",
                "False",
            ),
        ),
        (OPERATORS + "of_two_operators_who_refund_at_once_one_is_refused[sqlite]",),
    ),
    "an edit says what it saw": Mutation(
        (Edit("product_editor.change", "current[name] != opened[name]", "False"),),
        (PRODUCTS + "concurrent_changes_of_one_field_do_not_overwrite_each_other[sqlite]",),
    ),
    "an operator's click asks for the session": Mutation(
        (Edit("pages_common.OperatorAction.run", "current_operator().name", "''"),),
        (OFFICE + "no_action_runs_without_a_session",),
    ),
    "a page of the back office asks for the session": Mutation(
        (
            Edit(
                "pages_common.current_operator",
                "BACK_OFFICE.sessions.session(st.context.cookies.get(name, ''))",
                "auth.OperatorSession('', auth.clock.now())",
            ),
        ),
        (OFFICE + "no_page_shows_anything_without_a_session",),
    ),
    "signing out forgets the session": Mutation(
        (Edit("sign_in.post_sign_out", "BACK_OFFICE.sessions.sign_out(operator_cookie(request))"),),
        (OFFICE + "after_signing_out_the_cookie_is_worth_nothing",),
    ),
    "what another site sends is refused": Mutation(
        (Edit("sign_in.is_same_origin", "site == 'same-origin'", "site != 'cross-site'"),),
        (OFFICE + "cross_site_requests_are_refused",),
    ),
    "an empty origin is no origin of ours": Mutation(
        (
            Edit(
                "sign_in.is_same_origin",
                "request_origin.own_origin(request.scope) is not None",
                "True",
            ),
        ),
        (OFFICE + "cross_site_requests_are_refused",),
    ),
    "a wrong password slows the next one down": Mutation(
        (Edit("auth.OperatorSessions.sign_in", "self.throttle.admit(*client_networks(client))"),),
        (OFFICE + "wrong_passwords_slow_down_and_do_not_lock_the_owner_out",),
    ),
    "a WebSocket names its own origin": Mutation(
        (Edit("middleware.OwnHost.__call__", "not may_connect(scope, headers)", "False"),),
        (ACCESS + "a_websocket_with_a_cookie_needs_the_shops_own_origin",),
    ),
    "the script signs in nobody from another computer": Mutation(
        (Edit("sign_in.needs_no_password", "request_origin.is_local(scope)", "True"),),
        (OFFICE + "a_stranger_is_not_signed_in_by_the_script[headers0]",),
    ),
    "no other site makes the script sign in": Mutation(
        (Edit("sign_in.post_presenter_sign_in", "require_same_origin(request)"),),
        (OFFICE + "no_other_page_signs_a_presenter_in[cross-site]",),
    ),
    "a click of the rehearsal asks who makes it": Mutation(
        (Edit("page.results.button", "may_rehearse()", "True"),),
        (ACCESS + "a_click_after_signing_out_does_nothing[Run all]",),
    ),
}


WHOLE, NOTHING = (
    "a whole copy",
    Mutation(
        (),
        (
            SETTLING + "a_webhook_delivered_twice_pays_once[sqlite]",
            CRASH.format("Cancellation", "the same person again"),
            "tests/unit/test_order_status.py::test_ranks_never_move_back",
            WAITS.format("sqlite"),
            OFFICE + "no_page_shows_anything_without_a_session",
            OFFICE + "wrong_passwords_slow_down_and_do_not_lock_the_owner_out",
            PRODUCTS + "an_edit_never_changes_a_placed_order[sqlite]",
        ),
    ),
)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, "Future[str]"]]:
    """Every mutant under test, as many at once as there are processors."""
    workshop = tmp_path_factory.mktemp("mutants")
    with nursery() as pool:
        yield {
            name: pool.submit(judge, workshop / str(number), mutation)
            for number, (name, mutation) in enumerate([*GUARDS_REMOVED.items(), (WHOLE, NOTHING)])
        }


@pytest.mark.scenario("H5")
@pytest.mark.parametrize("guard", GUARDS_REMOVED)
def test_a_guard_that_is_missing_is_missed(guard: str, verdicts: dict[str, "Future[str]"]) -> None:
    output = verdicts[guard].result(MOST_SECONDS)

    failed = re.search(r"^(\d+) failed", output.splitlines()[-1])
    assert failed, f"no test failed without {guard}:\n{output}"
    counting.count("guards")


def test_where_nothing_is_missing_nothing_is_missed(verdicts: dict[str, "Future[str]"]) -> None:
    output = verdicts[WHOLE].result(MOST_SECONDS)

    assert re.search(rf"^{len(NOTHING.tests)} passed", output.splitlines()[-1]), output
