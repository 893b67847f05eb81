"""What a first visit costs, counted from the server's answers; and how static files are served."""

import gzip
import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from store.catalog import seeding
from store.core import settings
from store.db import engine as db
from store.storefront import first_page, prefetch, server
from store.web.static_files import StreamlitAssets, compressed
from store.web.streamlit_internals import INDEX_HTML, preloads
from tests.support import event_loops

BUDGET_BYTES = 750_000  # of everything that a browser fetches before the shop can be used
MAX_REQUESTS = 90
BROWSER = {"accept": "text/html", "accept-encoding": "gzip, deflate, br, zstd"}
ADDRESS = re.compile(r'(?:href|src)="(\.?/(?:static|fonts|images)[^"]+)"|url\((/fonts/[^)]+)\)')


def get(path: str, headers: Mapping[str, str] = BROWSER, method: str = "GET") -> httpx.Response:
    """An answer as it travels: the body is not unpacked."""
    app = Starlette(
        routes=server.routes(),
        middleware=[Middleware(StreamlitAssets)],
    )

    async def fetch() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client,
            client.stream(method, path, headers=dict(headers)) as answer,
        ):
            answer.extensions["raw"] = b"".join([part async for part in answer.aiter_raw()])
            return answer

    return event_loops.run(fetch())


def raw(answer: httpx.Response) -> bytes:
    return bytes(answer.extensions["raw"])


def script() -> str:
    """The address of Streamlit's main script."""
    (name,) = re.findall(r'src="\./(static/js/[^"]+)', INDEX_HTML.read_text("utf-8"))
    return f"/{name}"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A shop on its first day."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{(tmp_path / 'store.db').as_posix()}")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("CURRENCY", raising=False)
    settings.current.cache_clear()
    server.import_heavy_modules()
    seeding.migrate()
    yield
    db.engine().dispose()
    db.engine_for.cache_clear()
    settings.current.cache_clear()


def html(page: httpx.Response) -> str:
    return gzip.decompress(raw(page)).decode()


@pytest.mark.usefixtures("database")
def test_the_first_html_can_be_read_without_a_script() -> None:
    german = html(get("/?quantity-sneakers=2", BROWSER | {"accept-language": "de-DE,de;q=0.9"}))
    first = german[german.index("<body>") : german.index('<div id="root">')]

    for words in ("Three Good Things", "Red T-Shirt", "79,99\xa0$", "2 × Sneakers", "159,98\xa0$"):
        assert words in first
    assert '<img src="/images/sneakers.svg"' in first
    assert "Pay 159,98\xa0$ with Stripe (test)" in first


@pytest.mark.usefixtures("database")
def test_a_silent_database_holds_the_first_html_up_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silence = threading.Event()
    monkeypatch.setattr(first_page, "PRODUCTS", prefetch.Prefetcher(lambda: silence.wait(30)))
    monkeypatch.setattr(first_page, "WAIT_SECONDS", 0.01)

    pages = [get("/") for _ in range(3)]
    was_silent = not silence.is_set()
    silence.set()

    assert was_silent
    assert [page.status_code for page in pages] == [200, 200, 200]
    assert all("Red T-Shirt" not in html(page) for page in pages)


@pytest.mark.usefixtures("database")
def test_a_first_visit_stays_within_its_budget() -> None:
    page = get("/")
    text = html(page)
    fonts = ("shop-sans", "shop-serif")
    files = {
        address.removeprefix(".")
        for found in ADDRESS.findall(text)
        for address in found
        if address and not ("/fonts/" in address and not any(font in address for font in fonts))
    }

    sizes = {file: len(raw(get(file))) for file in files}

    assert {get(file).status_code for file in files} == {200}
    assert {"/images/red-t-shirt.svg", script()} <= files
    assert [file for file in files if "Material" in file or "Source" in file] == []
    assert len(sizes) <= MAX_REQUESTS
    assert len(raw(page)) + sum(sizes.values()) <= BUDGET_BYTES


def test_streamlits_manifest_knows_the_elements_that_are_fetched_early() -> None:
    links = list(preloads(INDEX_HTML))

    for element in ("Html", "NumberInput", "Button"):
        assert [link for link in links if f"/js/{element}." in link], element


def test_a_script_is_compressed_once_and_kept_by_browsers(monkeypatch: pytest.MonkeyPatch) -> None:
    first = get(script())
    monkeypatch.setattr(gzip, "compress", None)  # a second time would fail
    again = get(script())

    assert raw(again) == raw(first)
    assert gzip.decompress(raw(first)) == (INDEX_HTML.parent / script()[1:]).read_bytes()
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["vary"] == "Accept-Encoding"
    assert "immutable" in first.headers["cache-control"]
    assert first.headers["content-type"].startswith("text/javascript")


def test_concurrent_requests_compress_a_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, original = tmp_path / "a.js", gzip.compress
    calls: list[int] = []
    file.write_bytes(b"x" * 100_000)

    def counted(data: bytes, mtime: float | None = None) -> bytes:
        calls.append(len(data))
        return original(data, mtime=mtime)

    monkeypatch.setattr(gzip, "compress", counted)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: compressed(str(file), 1), range(8)))

    assert (len(calls), len(set(results))) == (1, 1)


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("br;q=1, GZIP;q=0.5", "gzip"),
        ("*", "gzip"),
        ("", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("*;q=0, br", None),
        ("gzip;q=nonsense", None),
    ],
)
def test_gzip_is_sent_only_where_it_is_accepted(accepted: str, encoding: str | None) -> None:
    answer = get(script(), {"accept-encoding": accepted})

    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert len(raw(answer)) == int(answer.headers["content-length"])


def test_a_known_file_is_not_sent_again() -> None:
    for accepted in ("gzip", "identity"):
        known = get(script(), {"accept-encoding": accepted}).headers["etag"]

        answer = get(script(), {"accept-encoding": accepted, "if-none-match": known})

        assert (answer.status_code, raw(answer)) == (304, b"")
        assert answer.headers["vary"] == "Accept-Encoding"
    gzipped, plain = (
        get(script(), {"accept-encoding": name}).headers["etag"] for name in ("gzip", "identity")
    )
    assert gzipped != plain


def test_a_range_is_of_the_file_itself() -> None:
    answer = get(script(), {"accept-encoding": "gzip", "range": "bytes=10-19"})

    assert answer.status_code == 206
    assert raw(answer) == (INDEX_HTML.parent / script()[1:]).read_bytes()[10:20]
    assert "content-encoding" not in answer.headers


def test_head_has_the_headers_of_get() -> None:
    answer, whole = get(script(), method="HEAD"), get(script())

    for name in ("content-length", "content-encoding", "etag", "vary", "cache-control"):
        assert answer.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    "path",
    ["/static/js/none.js", "/static/", "/static/../index.html", "/static/%00.js", "/static/js"],
)
def test_unknown_paths_are_left_to_streamlit(path: str) -> None:
    assert get(path).status_code == 404


def test_the_fonts_are_those_that_the_style_sheet_and_the_licence_name() -> None:
    folder = settings.ROOT / "store" / "web" / "static" / "fonts"
    named = set(re.findall(r"/fonts/([^)]+)\)", (folder.parent / "fonts.css").read_text("utf-8")))

    assert named == {file.name for file in folder.glob("*.woff2")}
    assert "Reserved Font Name 'Source'" in (folder / "OFL.txt").read_text("utf-8")
    for name in named:
        answer = get(f"/fonts/{name}")
        assert answer.headers["content-type"] == "font/woff2"
        assert "immutable" in answer.headers["cache-control"]


def test_files_without_text_are_sent_as_they_are() -> None:
    (font,) = (settings.ROOT / "store" / "web" / "static" / "fonts").glob("shop-sans.*.woff2")

    answer = get(f"/fonts/{font.name}")

    assert raw(answer) == font.read_bytes()
    assert {"content-encoding", "vary"}.isdisjoint(answer.headers)
