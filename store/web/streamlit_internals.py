"""What the shop uses of Streamlit's page, files and routes although Streamlit does not document it.

Checked with Streamlit 1.67 only; `require_checked_version` refuses to start with another. Beside
this module, `static/boot.js` relies on the page's `window.__streamlit` and data attributes.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

CHECKED_VERSION = "1.67"

_spec = find_spec("streamlit")  # does not import it: that takes a second
assert _spec and _spec.origin, "requirements.txt installs Streamlit"
INDEX_HTML = Path(_spec.origin).parent / "static" / "index.html"

# What an ordinary page needs, and every prefix that Streamlit serves.
USED_ROUTES = ("/_stcore/health", "/_stcore/host-config", "/_stcore/stream", "/media/", "/static/")
ALL_ROUTES = (
    *("/_stcore", "/media", "/static", "/component", "/app", "/auth", "/oauth2callback"),
    *("/healthz", "/stream", "/vendor", "/svg"),
)
UPLOADS = "/_stcore/upload_file/"
ASSETS_PREFIX = "/static"

# Streamlit fetches these after it has connected and knows that the page has such an element: one
# more round trip each.
ELEMENTS = (
    "../lib/src/components/elements/Html/Html.tsx",
    "../lib/src/components/widgets/NumberInput/NumberInput.tsx",
    "../lib/src/components/widgets/Button/Button.tsx",
)
ASSET = re.compile(
    r'<(?:script type="module"|link rel="(?:modulepreload|stylesheet)")[^>]*>(?:</script>)?'
)
UNUSED = re.compile(  # a font that no page shows, a route that is closed
    r'<link\s+rel="preload"[^>]*>|<link rel="service-desc"[^>]*>'
)
NO_SCRIPT = re.compile(r"<noscript>.*?</noscript>", re.DOTALL)
TITLE = "<title>Streamlit</title>"


def require_checked_version() -> None:
    """End the process with one sentence and exit code 2 under any other Streamlit."""
    installed = version("streamlit")
    if not f"{installed}.".startswith(f"{CHECKED_VERSION}."):
        sys.stderr.write(
            f"The shop was checked with Streamlit {CHECKED_VERSION}, and {installed} is installed. "
            "Install requirements.txt, or check store/web/streamlit_internals.py with it.\n"
        )
        raise SystemExit(2)


def split_page(index_html: Path, head: str, no_script: str) -> tuple[str, str]:
    """Streamlit's page up to the start of its body, and the rest, with our `head`.

    Its scripts and style sheet go to the end of the body, so that they delay nothing before them.
    """
    page = index_html.read_text(encoding="utf-8")
    assets = [*ASSET.findall(page), *preloads(index_html)]
    page = UNUSED.sub("", ASSET.sub("", page))
    page = NO_SCRIPT.sub(no_script, page).replace(TITLE, head)
    before, body, after = page.partition("<body>")
    return before + body, after.replace("</body>", "\n".join(assets) + "</body>")


def preloads(index_html: Path) -> Iterable[str]:
    """Links to scripts of `ELEMENTS` that Streamlit's page does not name."""
    file = index_html.parent / "manifest.json"
    if not file.exists():
        return
    manifest = json.loads(file.read_text("utf-8"))
    named, needed = imports(manifest, ["index.html"]), imports(manifest, ELEMENTS)
    for name in (name for name in needed if name not in named):
        yield f'<link rel="modulepreload" crossorigin href="./{manifest[name]["file"]}">'


def imports(manifest: Mapping[str, Mapping[str, list[str]]], names: Iterable[str]) -> list[str]:
    """These entries of Vite's manifest and all that they import, each once."""
    waiting = [name for name in names if name in manifest]
    for name in waiting:  # which grows meanwhile
        waiting += [new for new in manifest[name].get("imports", []) if new not in waiting]
    return waiting
