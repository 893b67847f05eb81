"""Streamlit's own page under the shop's name: the first thing that a browser is given.

What leans on the inside of Streamlit's page and scripts is here; checked with Streamlit 1.67.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from html import escape
from pathlib import Path

from starlette.responses import HTMLResponse

from store.core import settings, shop_profile

WEB = settings.ROOT / "store" / "web" / "static"
STYLES = (
    WEB / "fonts.css",
    settings.ROOT / ".streamlit" / "storefront.css",
    WEB / "first_page.css",
)
SCRIPTS = (WEB / "boot.js", settings.ROOT / ".streamlit" / "storefront.js")
FONTS = ("shop-sans", "shop-serif")  # what every page shows
# Streamlit loads these once it has connected and knows that the page has such an element; each
# would be a wait of its own for whoever is far away.
ELEMENTS = (
    "../lib/src/components/elements/Html/Html.tsx",
    "../lib/src/components/widgets/NumberInput/NumberInput.tsx",
    "../lib/src/components/widgets/Button/Button.tsx",
)
ASSET = re.compile(
    r'<(?:script type="module"|link rel="(?:modulepreload|stylesheet)")[^>]*>(?:</script>)?'
)
NO_SCRIPT = "<noscript><p>This shop needs JavaScript: allow it, then reload.</p></noscript>"
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Referrer-Policy": "same-origin",  # order numbers stay in the shop
    "X-Content-Type-Options": "nosniff",
}


class Shell:
    """Streamlit's page, which shows something before its scripts are there.

    Left alone, it shows "Streamlit" and nothing else until then, asks the server twice where it
    is, and loads a megabyte of fonts.
    """

    def __init__(self, frontend: Path) -> None:
        self.frontend = frontend

    def page(self, headers: Mapping[str, str] = {}, *, said: str = "") -> HTMLResponse:
        """`said` is what can be read until Streamlit has loaded."""
        before, after = self._halves
        return HTMLResponse(f"{before}{said}{after}", headers={**HEADERS, **headers})

    @cached_property
    def _halves(self) -> tuple[str, str]:
        """The page up to where its body begins, and what follows.

        Scripts are fetched last, and the style sheet, which holds up whatever stands after it,
        comes behind what can be read at once.
        """
        page = self.frontend.read_text(encoding="utf-8")
        assets = [*ASSET.findall(page), *self.preloads()]
        page = ASSET.sub("", page)
        page = re.sub(r'<link\s+rel="preload"[^>]*>', "", page)  # of a font that is not used
        page = re.sub(r'<link rel="service-desc"[^>]*>', "", page)  # of a route that is closed
        page = re.sub(r"<noscript>.*?</noscript>", NO_SCRIPT, page, flags=re.DOTALL)
        page = page.replace("<title>Streamlit</title>", head())
        before, body, after = page.partition("<body>")
        return before + body, after.replace("</body>", "\n".join(assets) + "</body>")

    def preloads(self) -> Iterable[str]:
        """Links to what Streamlit loads later, and that its page does not name."""
        file = self.frontend.parent / "manifest.json"
        if not file.exists():
            return
        manifest = json.loads(file.read_text("utf-8"))
        known, wanted = imports(manifest, ["index.html"]), imports(manifest, ELEMENTS)
        for name in (name for name in wanted if name not in known):
            yield f'<link rel="modulepreload" crossorigin href="./{manifest[name]["file"]}">'


def imports(manifest: Mapping[str, Mapping[str, list[str]]], names: Iterable[str]) -> list[str]:
    """These entries of Vite's manifest and all that they import, each once."""
    found: dict[str, None] = {}
    waiting = [name for name in names if name in manifest]
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = None
            waiting += manifest[name].get("imports", [])
    return list(found)


@cache
def styles(*more: Path) -> str:
    """The style sheets of every page and `more`, as text without comments."""
    text = "\n".join(file.read_text("utf-8") for file in (*STYLES, *more))
    return re.sub(r"/\*.*?\*/\s*", "", text, flags=re.DOTALL)


def head() -> str:
    scripts = "\n".join(file.read_text("utf-8") for file in SCRIPTS)
    fonts = "".join(
        f'<link rel="preload" as="font" type="font/woff2" crossorigin href="/fonts/{file.name}">'
        for name in FONTS
        for file in (WEB / "fonts").glob(f"{name}.*.woff2")
    )
    return f"""<title>{escape(shop_profile.current().name)}</title>
{fonts}<style>{styles()}</style>
<script>{scripts}</script>"""
