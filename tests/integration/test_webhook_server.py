"""The webhook server: health, limits, connections, and addresses behind a prefix."""

import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import webhook_server
from store.backoffice import health
from store.core import clock, settings, workers
from store.core.workers import Worker
from store.db import engine as db
from store.db.write_probe import WriteProbe
from store.web import connection_limits
from store.webhooks import batch_queue
from tests.integration.test_webhook_batching import an_event_of_no_interest
from tests.integration.test_webhook_endpoint import a_completed_checkout, signed
from tests.support import loopback
from tests.support.database_failures import ON_POSTGRESQL, break_connections, full, read_only
from tests.support.ports import free_port
from tests.support.server_thread import ServerThread
from tests.support.shop import ON_SQLITE, Shop, WebhookServer
from tests.support.waiting import wait_until

PATH = "/webhooks/stripe/"


def ready(shop: Shop) -> tuple[int, dict[str, str]]:
    answer = shop.server.client.get("/readyz")
    return answer.status_code, answer.json()


# --- the thread that commits ----------------------------------------------------------------


@ON_SQLITE
@pytest.mark.scenario("O1")
@pytest.mark.parametrize("place", ["_next_batch", "_commit", "_wait_for_more"])
@pytest.mark.parametrize("error", [RuntimeError, MemoryError, SystemExit, KeyboardInterrupt])
def test_nothing_that_is_raised_ends_the_thread_that_commits(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, place: str, error: type[BaseException]
) -> None:
    troubles = [error("unexpected")] * 2
    real = getattr(batch_queue.EventBatcher, place)

    def fails(self: batch_queue.EventBatcher, *given: Any) -> Any:
        result = real(self, *given) if place == "_next_batch" else None
        if troubles:
            raise troubles.pop()
        return result if place == "_next_batch" else real(self, *given)

    monkeypatch.setattr(batch_queue.EventBatcher, place, fails)
    monkeypatch.setattr(webhook_server.batcher, "_last_batch_was_shared", True)
    statuses = [
        shop.deliver(an_event_of_no_interest(f"evt_{each}")).status_code for each in range(4)
    ]

    assert set(statuses) <= {200, 503}
    assert statuses[-1] == 200
    assert ready(shop)[0] == 200


@ON_SQLITE
@pytest.mark.scenario("O1")
def test_an_error_while_answering_one_event_delays_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, troubles = batch_queue._answer, [ZeroDivisionError()]

    def fails(*given: Any) -> None:
        if troubles:
            raise troubles.pop()
        answer(*given)

    monkeypatch.setattr(batch_queue, "_answer", fails)
    event = an_event_of_no_interest("evt_1")

    first, second = shop.deliver(event), shop.deliver(event)

    assert (first.status_code, first.headers["retry-after"]) == (503, "5")
    assert second.json() == {"outcome": "duplicate"}  # it was committed, only the answer was lost


@ON_SQLITE
@pytest.mark.scenario("O1")
def test_a_thread_that_has_ended_is_reported_and_started_again(shop: Shop) -> None:
    queue = webhook_server.batcher
    queue._waiting.put(None)  # as at the end
    wait_until(lambda: not queue._thread.is_alive())  # type: ignore[union-attr]

    status, said = ready(shop)
    outcome = shop.outcome(an_event_of_no_interest("evt_1"))

    assert (status, outcome) == (503, "ignored")
    assert "has ended" in said["queue"]
    assert ready(shop)[0] == 200


@ON_SQLITE
@pytest.mark.scenario("O1")
@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_a_supervisor_that_ends_is_reported_and_started_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    ended, checked = threading.Event(), threading.Event()

    def ends_once(_self: batch_queue.EventBatcher) -> None:
        if ended.is_set():
            checked.set()
            return
        ended.set()
        raise error("unexpected")

    monkeypatch.setattr(workers, "RESTART_SECONDS", 0.1)
    monkeypatch.setattr(batch_queue.EventBatcher, "_check_thread", ends_once)
    wait_until(checked.is_set)

    status, said = ready(shop)

    assert (status, said["queue"]) == (200, "ok")
    assert "webhook supervisor ended" in said["supervisor"]
    assert shop.outcome(an_event_of_no_interest("evt_1")) == "ignored"


@ON_SQLITE
@pytest.mark.scenario("O1")
def test_a_thread_that_hangs_is_reported_and_requests_are_answered(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()
    real = batch_queue.EventBatcher._commit

    def hangs(self: batch_queue.EventBatcher, batch: Any) -> Any:
        let_go.wait(30)
        return real(self, batch)

    monkeypatch.setattr(batch_queue.EventBatcher, "_commit", hangs)
    monkeypatch.setattr(batch_queue, "STUCK_SECONDS", 0.2)
    monkeypatch.setattr(db, "LOCK_SECONDS", 0.3)

    answer = shop.deliver(an_event_of_no_interest("evt_1"))
    status, said = ready(shop)
    let_go.set()
    wait_until(lambda: webhook_server.batcher._busy_since is None)

    assert answer.status_code == status == 503
    assert "has been busy" in said["queue"]
    assert ready(shop)[0] == 200


@ON_SQLITE
@pytest.mark.scenario("O1")
def test_a_reconciler_that_ends_is_reported_and_started_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.core.workers.RESTART_SECONDS", 0.01)
    begun: list[int] = []

    def work(stop: threading.Event) -> None:
        begun.append(1)
        if len(begun) < 3:
            raise SystemExit
        stop.wait(30)

    worker = Worker("reconciler", work)
    monkeypatch.setattr(webhook_server, "reconciler", worker)
    worker.start()
    wait_until(lambda: len(begun) == 3)

    status, said = ready(shop)
    worker.stop()

    assert status == 200  # webhooks are taken all the same
    assert "ended (SystemExit)" in said["reconciler"]


@ON_SQLITE
@pytest.mark.scenario("O1")
def test_a_reconciler_that_never_finishes_a_pass_is_reported(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(stop: threading.Event) -> None:
        stop.wait(30)

    worker = Worker("reconciler", hang)
    monkeypatch.setattr(webhook_server, "reconciler", worker)
    worker.start()
    before = ready(shop)[1]["reconciler"]
    worker.started_at -= 11 * settings.current().reconcile_seconds

    said = ready(shop)[1]["reconciler"]
    worker.stop()

    assert before == "ok"
    assert "No pass has ended" in said


# --- health asks what the work needs --------------------------------------------------------


@ON_SQLITE
@pytest.mark.scenario("O2")
@pytest.mark.parametrize("trouble", [read_only, full])
def test_a_database_that_takes_nothing_more_is_not_ready(
    shop: Shop, trouble: Callable[[Any], None]
) -> None:
    break_connections(trouble)

    status, said = ready(shop)

    assert status == 503
    assert said["database"] == "ok" and said["writing"] != "ok"
    assert health.check_database(WriteProbe()).good is False
    db.engine().dispose()
    db.engine_for.cache_clear()
    assert (ready(shop)[0], health.check_database(WriteProbe()).good) == (200, True)


@ON_POSTGRESQL
@pytest.mark.scenario("O2")
def test_a_read_only_postgresql_is_not_ready(shop: Shop) -> None:
    assert ready(shop)[0] == 200
    with db.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar()
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        db.engine().dispose()
        webhook_server.probe = type(webhook_server.probe)()

        status, said = ready(shop)
    finally:
        with db.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("SET default_transaction_read_only = off")
            connection.exec_driver_sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        db.engine().dispose()

    assert (status, said["database"]) == (503, "ok")
    assert said["writing"] != "ok"


@ON_SQLITE
@pytest.mark.scenario("O2")
def test_readyz_fails_while_the_database_file_is_locked(shop: Shop) -> None:
    webhook_server.probe = type(webhook_server.probe)()
    with db.unit_of_work():
        status, said = ready(shop)

    assert status == 503
    assert "has been waiting" in said["writing"]


@pytest.mark.scenario("O2")
def test_looking_whether_it_can_be_written_leaves_nothing_behind(shop: Shop) -> None:
    webhook_server.probe = type(webhook_server.probe)()
    with db.reading() as session:
        before = session.connection().exec_driver_sql("SELECT count(*) FROM order_checks").scalar()

    statuses = {ready(shop)[0] for _ in range(5)}

    with db.reading() as session:
        after = session.connection().exec_driver_sql("SELECT count(*) FROM order_checks").scalar()
    assert (statuses, before, after) == ({200}, 0, 0)


# --- a wrong secret is seen -----------------------------------------------------------------


@ON_SQLITE
@pytest.mark.scenario("M1")
def test_refused_signatures_are_counted_and_named_until_one_is_accepted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_server, "verifier", webhook_server.SignatureVerifier())
    event = an_event_of_no_interest("evt_1")
    for _ in range(3):
        shop.deliver(event, secret="whsec_of_another_endpoint")
    status, said = ready(shop)
    metrics = shop.server.client.get("/metrics").text
    shop.outcome(event)

    assert status == 200
    assert said["signatures"].startswith(f"3 refused since {clock.now():%Y-%m-%d}")
    assert "STRIPE_WEBHOOK_SECRET" in said["signatures"]
    assert "store_webhook_signatures_refused_total" in metrics
    assert ready(shop)[1]["signatures"] == "ok"


# --- log lines ------------------------------------------------------------------------------


@ON_SQLITE
def test_log_lines_of_a_webhook_carry_order_event_and_request(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    number, event = a_completed_checkout(shop)
    event["data"]["object"] |= {"id": "cs_test_that_never_was", "amount_total": None}
    event["request"] = {"id": "req_1", "idempotency_key": None}

    with caplog.at_level(logging.WARNING):
        shop.outcome(event)

    (line,) = [record for record in caplog.records if "for review" in record.message]
    said = vars(line)
    assert (said["order_number"], said["event_id"], said["request_id"]) == (
        number,
        event["id"],
        "req_1",
    )


# --- edges of HTTP --------------------------------------------------------------------------


@ON_SQLITE
@pytest.mark.scenario("R2")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"])
@pytest.mark.parametrize("path", webhook_server.PATHS)
def test_other_methods_get_405_with_allow_post(
    server: WebhookServer, method: str, path: str
) -> None:
    answer = server.client.request(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert server.client.get("/healthz").status_code == 200


@ON_SQLITE
@pytest.mark.scenario("R2")
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with its length"])
def test_an_ordinary_client_can_read_why_its_body_is_refused(
    server: WebhookServer, method: str, chunked: bool
) -> None:
    body = b"x" * (8 * webhook_server.MAX_BODY_BYTES)
    content: Any = (body[at : at + 65536] for at in range(0, len(body), 65536)) if chunked else body

    with loopback.Client(base_url=server.url) as client:
        answer = client.request(method, PATH, content=content)

    assert answer.status_code == (413 if method == "POST" else 405)
    assert answer.headers["connection"] == "close"
    assert answer.json()["error"]


@ON_SQLITE
@pytest.mark.scenario("R2")
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_client_that_sends_all_before_it_reads_can_read_the_answer(
    server: WebhookServer, method: str
) -> None:
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)

    connection.request(method, PATH, body=b"x" * (8 * webhook_server.MAX_BODY_BYTES))
    answer = connection.getresponse()

    assert answer.status == (413 if method == "POST" else 405)
    assert json.loads(answer.read())["error"]
    connection.close()


@ON_SQLITE
@pytest.mark.scenario("R2")
def test_a_client_that_asks_first_need_not_send_its_large_body(server: WebhookServer) -> None:
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    connection.putrequest("POST", PATH)
    connection.putheader("Content-Length", str(webhook_server.MAX_BODY_BYTES + 1))
    connection.putheader("Expect", "100-continue")
    connection.endheaders()

    answer = connection.getresponse()

    assert answer.status == 413
    assert json.loads(answer.read())["error"]
    connection.close()


@ON_SQLITE
@pytest.mark.scenario("R2")
def test_a_body_without_end_is_read_no_further_than_the_limit(
    server: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_server, "DRAIN_SECONDS", 0.5)
    address, piece = urlsplit(server.url), b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent, most = 0, webhook_server.DRAINED_BYTES + 4 * webhook_server.MAX_BODY_BYTES
    with socket.create_connection((address.hostname, address.port or 80), timeout=5) as line:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        line.sendall(head.encode())
        with suppress(ConnectionError):
            while sent < 2 * most:
                sent += line.send(piece)

    assert sent < 2 * most


@contextmanager
def serving(**options: Any) -> Iterator[str]:
    """The webhook server on a port of its own, as uvicorn starts it with these options."""
    options = {"timeout_keep_alive": 5} | options
    server = ServerThread(webhook_server.app, port=free_port(), lifespan="off", **options)
    try:
        yield server.url
    finally:
        server.stop()


@ON_SQLITE
@pytest.mark.scenario("R1")
@pytest.mark.parametrize("http", ["httptools", "h11"])
@pytest.mark.parametrize("prefix", ["", "/hooks"], ids=["taken away by the proxy", "left in"])
def test_behind_a_prefix_webhooks_come_in(shop: Shop, http: str, prefix: str) -> None:
    _, event = a_completed_checkout(shop)
    body = json.dumps(event).encode()

    with serving(root_path="/hooks", http=http) as url:
        headers = {"Stripe-Signature": signed(body)}
        answer = loopback.post(f"{url}{prefix}{PATH}", content=body, headers=headers)
        alive = loopback.get(f"{url}/healthz")

    assert answer.json() == {"outcome": "applied"}
    assert alive.status_code == 200


# --- connections that wait ------------------------------------------------------------------

HALF_HEADS = {
    "nothing": b"",
    "half a line": b"POST /webh",
    "half a head": b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "half a head after a request": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HT",
}


@ON_SQLITE
@pytest.mark.scenario("Q8")
@pytest.mark.parametrize("http", ["httptools", "h11"])
@pytest.mark.parametrize("sent", HALF_HEADS.values(), ids=HALF_HEADS)
def test_connections_that_send_half_a_head_are_closed_and_others_are_served(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, http: str, sent: bytes
) -> None:
    monkeypatch.setattr(connection_limits, "HEADER_SECONDS", 0.5)
    with serving(http=http) as url, many_lines(url, 300) as lines:
        for line in lines:
            line.sendall(sent)
            line.settimeout(20)

        assert loopback.get(f"{url}/healthz").status_code == 200
        assert all(is_closed(line) for line in lines)


@contextmanager
def many_lines(url: str, count: int) -> Iterator[list[socket.socket]]:
    address = urlsplit(url)
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection((address.hostname, address.port or 80)))
            for _ in range(count)
        ]


@ON_SQLITE
@pytest.mark.scenario("Q8")
def test_a_request_head_sent_byte_by_byte_is_cut_off(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "HEADER_SECONDS", 0.3)
    began_at = time.monotonic()
    with serving() as url, many_lines(url, 1) as (line,), suppress(ConnectionError):
        line.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        while time.monotonic() - began_at < 10:
            line.sendall(b"x")
            time.sleep(0.02)

    assert time.monotonic() - began_at < 10


@ON_SQLITE
@pytest.mark.scenario("Q8")
def test_a_slow_answer_and_a_connection_that_is_used_again_are_left_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "HEADER_SECONDS", 0.2)
    with serving(timeout_keep_alive=30) as url, loopback.Client(base_url=url) as client:
        ports = set()
        for _ in range(5):
            answer = client.get("/healthz")
            ports.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
            time.sleep(0.3)

    assert len(ports) == 1


@ON_SQLITE
@pytest.mark.scenario("Q8")
def test_over_the_cap_the_connections_that_wait_make_room(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "MAX_CONNECTIONS", 20)
    with serving() as url, many_lines(url, 60) as lines:
        statuses = [loopback.get(f"{url}/healthz").status_code for _ in range(5)]
        for line in lines:
            line.settimeout(0.2)

        still_open = [line for line in lines if not is_closed(line)]

    assert statuses == [200] * 5
    assert len(still_open) <= 20


def is_closed(line: socket.socket) -> bool:
    """Whether the other side hangs up, after whatever it answered before."""
    try:
        while line.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


@ON_SQLITE
@pytest.mark.scenario("Q8")
def test_the_uvicorn_attributes_in_use_exist(shop: Shop) -> None:
    assert uvicorn.__version__ == "0.54.0", "look at store/web/connection_limits.py again"
    for protocol in (HttpToolsProtocol, H11Protocol):
        assert vars(protocol)["watched"]
    with serving() as url:
        assert loopback.get(f"{url}/healthz").status_code == 200
