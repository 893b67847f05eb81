"""An ASGI application under uvicorn, in a thread of the test process."""

import threading
from typing import Any

import uvicorn

from tests.support.waiting import wait_until


class ServerThread:
    """Serves an application until `stop`; the constructor returns once it accepts connections.

    uvicorn closes an idle connection after 5 s, exactly when httpx stops to reuse it: a pooled
    client that pauses for so long may write to a connection that is being closed. So connections
    are kept for two minutes here.
    """

    def __init__(self, app: Any, **changes: Any) -> None:
        options: dict[str, Any] = {
            "log_level": "critical",
            "timeout_graceful_shutdown": 2,
            "timeout_keep_alive": 120,
        } | changes
        self.server = uvicorn.Server(uvicorn.Config(app, **options))
        self.url = f"http://127.0.0.1:{self.server.config.port}"
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()
        wait_until(lambda: self.server.started or not self._thread.is_alive(), pause_seconds=0.005)
        assert self.server.started

    def stop(self) -> None:
        """Stop serving; idle connections are closed."""
        self.server.should_exit = True
        self._thread.join()
