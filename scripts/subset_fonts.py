"""Cut the fonts that Streamlit ships to the characters that the shop shows.

`python scripts/subset_fonts.py` needs `pip install fonttools brotli`, and writes
`store/web/static/fonts/`. Run it again when a new Streamlit brings newer fonts.

The fonts are under the SIL Open Font License, which reserves the name "Source": what is cut from
them has to be called otherwise.
"""

import hashlib
import io
import sys
from pathlib import Path
from typing import Any

import streamlit
from fontTools.subset import Options, Subsetter  # type: ignore[import-not-found,unused-ignore]
from fontTools.ttLib import TTFont  # type: ignore[import-not-found,unused-ignore]
from fontTools.varLib.instancer import (  # type: ignore[import-not-found,unused-ignore]
    instantiateVariableFont,
)

MEDIA = Path(streamlit.__file__).parent / "static" / "static" / "media"
FONTS = Path(__file__).resolve().parents[1] / "store" / "web" / "static" / "fonts"
# Latin with its accents, punctuation, currency signs, arrows and check marks; `fonts.css` names
# the same ranges.
RANGES = (
    *((0x20, 0x7E), (0xA0, 0x17F), (0x2010, 0x2027), (0x202F, 0x203A), (0x20AC, 0x20AC)),
    *((0x2190, 0x2199), (0x2212, 0x2212), (0x2713, 0x2717)),
)
CUT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "shop-sans": ("SourceSansVF-Upright", "Shop Sans", {"wght": (400, 700)}),
    "shop-serif": ("SourceSerifVariable-Roman", "Shop Serif", {"wght": 600, "opsz": 24}),
    "shop-code": ("SourceCodeVF-Upright", "Shop Code", {"wght": 400}),
}
FAMILY, FULL_NAME, POSTSCRIPT_NAME = 1, 4, 6  # of OpenType's name table


def cut(source: Path, name: str, axes: dict[str, Any]) -> bytes:
    font = TTFont(source, recalcTimestamp=False)
    options = Options()
    options.layout_features = ["kern", "liga", "tnum", "lnum", "locl", "mark", "mkmk", "ccmp"]
    options.hinting = False
    options.name_IDs = [0, FAMILY, 2, FULL_NAME, 5, POSTSCRIPT_NAME, 13, 14]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[code for first, last in RANGES for code in range(first, last + 1)])
    subsetter.subset(font)
    font = instantiateVariableFont(font, axes)
    for record in font["name"].names:
        if record.nameID in (FAMILY, FULL_NAME):
            record.string = name
        elif record.nameID == POSTSCRIPT_NAME:
            record.string = name.replace(" ", "")
    font.flavor = "woff2"
    written = io.BytesIO()
    font.save(written)
    return written.getvalue()


for file, (source, name, axes) in CUT.items():
    (path,) = MEDIA.glob(f"{source}.*.woff2")
    data = cut(path, name, axes)
    for old in FONTS.glob(f"{file}.*.woff2"):
        old.unlink()
    made = FONTS / f"{file}.{hashlib.sha256(data).hexdigest()[:8]}.woff2"
    made.write_bytes(data)
    sys.stdout.write(f"{made.name}: {len(data):,} bytes\n")
