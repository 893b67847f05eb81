"""Static files, compressed once and cached in memory.

Streamlit sends its scripts uncompressed, because it would compress them anew for each request.
Measured with `bench first-visit`: a first visit loads 0.5 MB of scripts instead of 2.2 MB.
"""

import gzip
import hashlib
import os
import threading
from functools import lru_cache
from pathlib import Path

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from store.web.streamlit_internals import ASSETS_PREFIX, INDEX_HTML

COMPRESSIBLE = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
IMMUTABLE = "public, max-age=31536000, immutable"
LOCK = threading.Lock()


def compressed(path: str, modified_ns: int) -> tuple[bytes, str]:
    """A file's content under gzip, and its ETag; concurrent requests compress it once."""
    with LOCK:
        return _compressed(path, modified_ns)


@lru_cache(maxsize=512)  # Streamlit has 320 such files, 6 MB when compressed
def _compressed(path: str, _modified_ns: int) -> tuple[bytes, str]:
    body = gzip.compress(Path(path).read_bytes(), mtime=0)
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_for_gzip(headers: Headers) -> bool:
    """True for a whole file, where Accept-Encoding gives gzip a weight above zero."""
    weights: dict[str, float] = {}
    for part in headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = part.partition(";")
        try:
            weights[name.strip()] = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            weights[name.strip()] = 0
    return "range" not in headers and weights.get("gzip", weights.get("*", 0)) > 0


class CompressedFiles(StaticFiles):
    """A folder of files named by their content, cached for ever; text is sent under gzip."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        headers = Headers(scope=scope)
        media_type = COMPRESSIBLE.get(Path(path).suffix)
        if media_type:
            if isinstance(response, FileResponse) and is_for_gzip(headers):
                response = await to_thread.run_sync(self.as_gzip, response, headers)
            response.headers["Content-Type"] = f"{media_type}; charset=utf-8"
            response.headers.add_vary_header("Accept-Encoding")
        response.headers["Cache-Control"] = IMMUTABLE
        return response

    def as_gzip(self, file: FileResponse, headers: Headers) -> Response:
        assert file.stat_result, "StaticFiles has looked the file up"
        body, etag = compressed(os.fspath(file.path), file.stat_result.st_mtime_ns)
        response = Response(body, headers={"Content-Encoding": "gzip", "ETag": etag})
        if self.is_not_modified(response.headers, headers):
            return NotModifiedResponse(response.headers)
        return response


class StreamlitAssets:
    """Serves Streamlit's files. Middleware, not a route: Streamlit reserves these addresses."""

    def __init__(self, app: ASGIApp, folder: Path = INDEX_HTML.parent / "static") -> None:
        self.app = app
        self.files = CompressedFiles(directory=folder, follow_symlink=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{ASSETS_PREFIX}/"):
            path = self.files.get_path({**scope, "root_path": ASSETS_PREFIX})
            try:
                response = await self.files.get_response(path, scope)
            except HTTPException:  # Streamlit answers instead
                pass
            else:
                await response(scope, receive, send)
                return
        await self.app(scope, receive, send)
