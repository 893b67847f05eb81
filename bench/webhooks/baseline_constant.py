"""A socket that answers 200 to whatever comes: how fast the load can be when nobody works.

`python -m bench.webhooks.baseline_constant PORT`
"""

import asyncio
import sys
from typing import Any

from tests.support.load_generator import is_whole

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Answering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if is_whole(self.buffer):
            self.buffer = b""
            self.transport.write(ANSWER)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        run = asyncio.run
    else:
        run = uvloop.run
    run(serve(int(sys.argv[1])))
