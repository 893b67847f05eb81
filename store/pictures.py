"""Pictures of products: those that come with the shop, and those that operators bring.

What is brought is decoded and written anew, so that nothing of the file but its pixels reaches
a buyer: no script, no second meaning, no place where the photo was taken.
"""

import hashlib
import io
import os
import re
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from store import private_files, settings
from store.errors import StoreError

OURS = settings.ROOT / "data" / "images"
SHOWN = (".svg", ".webp", ".png", ".jpg", ".jpeg")
LARGEST_BYTES = 1024 * 1024
LARGEST_SIDE = 6000  # pixels, as they come
KEPT_SIDE = 1000  # pixels, as they are kept
NAMED_BY_CONTENT = re.compile(r"[0-9a-f]{20}\.webp")
FOREVER, AN_HOUR = "public, max-age=31536000, immutable", "public, max-age=3600"


class PictureRefused(StoreError):
    sentence = "This is not a PNG, JPEG or WebP picture that can be read."


def brought() -> Path:
    return settings.current().data_dir / "pictures"


def listed() -> list[str]:
    """The names a product's picture can have."""
    found = {
        file.name
        for folder in (OURS, brought())
        if folder.is_dir()
        for file in folder.iterdir()
        if file.suffix in SHOWN and file.name != settings.BRAND.name
    }
    return sorted(found)


def keep(data: bytes) -> str:
    """Keep a picture that was brought; answers its name, which follows from its content.

    Raises:
        PictureRefused
    """
    # Few pictures are ever brought, and each start would load what draws them.
    from PIL import Image, ImageOps  # noqa: PLC0415

    if len(data) > LARGEST_BYTES:
        raise PictureRefused("The picture is larger than 1 MB. Save it smaller, then try again.")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as picture:
            if max(picture.size) > LARGEST_SIDE:  # before anything is unpacked
                raise PictureRefused(f"No side of a picture may exceed {LARGEST_SIDE} pixels.")
            plain = ImageOps.exif_transpose(picture).convert("RGBA")
    except PictureRefused:
        raise
    except Exception as error:
        raise PictureRefused from error  # decoders meet nonsense with every kind of error
    plain.thumbnail((KEPT_SIDE, KEPT_SIDE))
    written = io.BytesIO()
    plain.save(written, "WEBP", quality=88)
    name = f"{hashlib.sha256(written.getvalue()).hexdigest()[:20]}.webp"
    private_files.make_folder(brought().parent)
    brought().mkdir(exist_ok=True)
    (brought() / name).write_bytes(written.getvalue())
    return name


class Pictures(StaticFiles):
    """Serves both folders; the one for what is brought may not exist yet.

    What was brought is named by its content, so a browser need never ask for it again; one of
    ours may be drawn anew, and is asked for again, by its tag, after an hour.
    """

    def __init__(self) -> None:
        super().__init__(directory=OURS)
        self.all_directories = [OURS, brought()]

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        answer = super().file_response(full_path, stat_result, scope, status_code)
        lasting = NAMED_BY_CONTENT.fullmatch(Path(full_path).name)
        answer.headers["Cache-Control"] = FOREVER if lasting else AN_HOUR
        return answer
