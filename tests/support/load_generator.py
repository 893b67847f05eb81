"""The load: signed events of distinct orders, over so many kept connections, for so long.

A process of its own that reads a job as JSON from its standard input and writes what it met to
its standard output. Every request is put together and signed before the first one leaves, so
that nothing but the sockets is left to do while it counts.
"""

import asyncio
import hmac
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.support.percentiles import percentile

LONGEST_ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Job:
    """`first` and `count` say which orders the events are about; `marks` what to replace."""

    port: int
    path: str
    connections: int
    seconds: float
    first: int
    count: int
    secret: str
    template: str
    marks: dict[str, str]
    per_second: float = 0.0
    """How many events are sent in a second over all connections; 0: as many as are answered."""


@dataclass
class LoadResult:
    """What the load met: `accepted` are the orders whose event was answered with a 2xx."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    p50_milliseconds: float = 0.0
    p99_milliseconds: float = 0.0
    accepted: list[int] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    ran_dry: bool = False
    server_cpu_seconds: float = 0.0
    lost: int = 0

    @property
    def per_second(self) -> float:
        return len(self.accepted) / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """What each accepted event cost the server's process."""
        return self.server_cpu_seconds * 1e6 / max(1, len(self.accepted))


def requests(job: Job) -> list[bytes]:
    """Every request as the bytes that go over the wire."""
    now, key = int(time.time()), job.secret.encode()
    head = (
        f"POST {job.path} HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\n"
        "Content-Type: application/json; charset=utf-8\r\nUser-Agent: Stripe/1.0\r\n"
    )
    made = []
    for place in range(job.first, job.first + job.count):
        text = job.template
        for mark, pattern in job.marks.items():
            text = text.replace(mark, pattern.format(place))
        body = text.encode()
        signature = hmac.new(key, b"%d." % now + body, "sha256").hexdigest()
        made.append(
            f"{head}Stripe-Signature: t={now},v1={signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
    return made


class Poster(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""
        self.place = -1
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def post(self) -> None:
        self.place = self.load.next_place()
        if self.place < 0:
            self.end()
            return
        self.sent_at = time.perf_counter()
        self.transport.write(self.load.requests[self.place])

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not is_whole(self.buffer):
            return
        status, self.buffer = int(self.buffer[9:12]), b""
        self.load.answered(self.place, status, time.perf_counter() - self.sent_at)
        if self.load.job.per_second:
            due = self.sent_at + self.load.job.connections / self.load.job.per_second
            asyncio.get_running_loop().call_later(due - time.perf_counter(), self.post)
        else:
            self.post()

    def connection_lost(self, _error: Exception | None) -> None:
        self.end()

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def is_whole(message: bytes) -> bool:
    """True where a request or an answer has come to its end."""
    head, found, body = message.partition(b"\r\n\r\n")
    if not found:
        return False
    _, announced, rest = head.lower().partition(b"content-length:")
    if not announced:
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(rest.split(b"\r\n", 1)[0])


class Load:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.requests = requests(job)
        self.sent = 0
        self.until = 0.0
        self.latencies: list[float] = []
        self.met = LoadResult()

    def next_place(self) -> int:
        if self.sent >= len(self.requests):
            self.met.ran_dry = True
            return -1
        if time.perf_counter() >= self.until:
            return -1
        self.sent += 1
        return self.sent - 1

    def answered(self, place: int, status: int, seconds: float) -> None:
        self.latencies.append(seconds)
        name = str(status)
        self.met.statuses[name] = self.met.statuses.get(name, 0) + 1
        if status < 300:
            self.met.accepted.append(self.job.first + place)

    async def run(self) -> LoadResult:
        loop = asyncio.get_running_loop()
        posters = []
        for _ in range(self.job.connections):
            _, poster = await loop.create_connection(
                lambda: Poster(self), "127.0.0.1", self.job.port
            )
            posters.append(poster)
        started, cpu = time.perf_counter(), time.process_time()
        self.until = started + self.job.seconds
        for poster in posters:
            poster.post()
        await asyncio.wait(
            [poster.ended for poster in posters],
            timeout=self.job.seconds + LONGEST_ANSWER_SECONDS,
        )
        self.met.seconds = time.perf_counter() - started
        self.met.cpu_seconds = time.process_time() - cpu
        self.met.p50_milliseconds = percentile(self.latencies, 50) * 1000
        self.met.p99_milliseconds = percentile(self.latencies, 99) * 1000
        for poster in posters:
            poster.transport.abort()
        return self.met


def main() -> None:
    try:
        import uvloop  # noqa: PLC0415 - Windows has none
    except ImportError:
        run = asyncio.run
    else:
        run = uvloop.run
    job = Job(**json.load(sys.stdin))
    load = Load(job)
    json.dump(asdict(run(load.run())), sys.stdout)


if __name__ == "__main__":
    main()
