"""A browser as Streamlit's server sees one: the same WebSocket and messages, with no screen."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets import Origin, Subprotocol
from websockets.sync.client import ClientConnection, connect

from store.web import buyer_cookie

ANSWER_SECONDS = 60
SUCCESSFULLY = (
    ForwardMsg.FINISHED_SUCCESSFULLY,
    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
)


@dataclass
class Visitor:
    """One open page: its inputs and buttons by their labels, and in which fragment each is."""

    port: int
    page: str = ""
    query: str = ""
    cookie: str = ""
    _: KW_ONLY
    host: str = ""  # as the browser knows it; else the loopback address
    headers: dict[str, str] = field(default_factory=dict)
    claimed_url: str = ""  # what the page's messages say, which nobody checks
    numbers: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, str] = field(default_factory=dict)
    fragments: dict[str, str] = field(default_factory=dict)
    page_hash: str = ""
    known: list[str] = field(default_factory=list)

    def __enter__(self) -> "Visitor":
        host = self.host or f"127.0.0.1:{self.port}"
        connection = connect(
            f"ws://{host}/_stcore/stream",
            address=("127.0.0.1", self.port),
            origin=Origin(f"http://{host}"),
            additional_headers={
                "Cookie": f"{buyer_cookie.COOKIE_NAME}={self.cookie}",
                **self.headers,
            },
            subprotocols=[Subprotocol("streamlit")],
            proxy=None,
            max_size=None,
            compression=None,
            open_timeout=ANSWER_SECONDS,
        )
        self.open = ExitStack()
        self.socket: ClientConnection = self.open.enter_context(connection)
        self.messages = list(self.run())
        self.deltas = [message for message in self.messages if message.HasField("delta")]
        return self

    def __exit__(self, *_exception: object) -> None:
        self.open.close()

    def ask(self, **changed: Any) -> None:
        """Ask for a rerun; `changed` are widget ids with their new values."""
        asked = BackMsg()
        state = asked.rerun_script
        state.query_string, state.page_name = self.query, self.page
        state.page_script_hash = self.page_hash
        state.cached_message_hashes.extend(self.known)
        own_url = f"http://localhost:{self.port}/{self.page}"
        state.context_info.url = self.claimed_url or own_url
        state.context_info.timezone, state.context_info.locale = "UTC", "en-US"
        for name, value in changed.items():
            if value is True:
                state.fragment_id = self.fragments.get(name, "")
            widget = state.widget_states.widgets.add()
            widget.id = name
            if value is True:
                widget.trigger_value = True
            else:
                widget.double_value = value
        self.socket.send(asked.SerializeToString())

    def run(self, **changed: Any) -> Iterator[ForwardMsg]:
        """One rerun: every message until the script has finished."""
        self.ask(**changed)
        while True:
            message = ForwardMsg.FromString(self.socket.recv(ANSWER_SECONDS, decode=False))
            self.learn(message)
            yield message
            if message.HasField("script_finished"):
                ended = message.script_finished
                if ended == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    continue
                assert ended in SUCCESSFULLY, ended
                return

    def learn(self, message: ForwardMsg) -> None:
        if message.HasField("navigation"):
            self.page_hash = message.navigation.page_script_hash
        elif message.HasField("new_session") and not self.page_hash:
            self.page_hash = message.new_session.page_script_hash
        if message.metadata.cacheable and message.hash not in self.known:
            self.known.append(message.hash)
        if not message.HasField("delta"):
            return
        element = message.delta.new_element
        if element.HasField("number_input"):
            self.numbers[element.number_input.label] = element.number_input.id
        elif element.HasField("button"):
            self.buttons[element.button.label] = element.button.id
            self.fragments[element.button.id] = message.delta.fragment_id

    def seconds(self, **changed: Any) -> float:
        """How long one rerun takes, from the question to its last message."""
        started = time.perf_counter()
        for _ in self.run(**changed):
            pass
        return time.perf_counter() - started
