"""The address `/images`: bundled images of products and uploaded ones."""

import os
import re
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from store.catalog import images

NAMED_BY_CONTENT = re.compile(r"[0-9a-f]{20}\.webp")
FOREVER, AN_HOUR = "public, max-age=31536000, immutable", "public, max-age=3600"


class ImageFiles(StaticFiles):
    """Serves bundled images and uploads.

    An upload is named by its content and cached for ever; a bundled one may be replaced by a
    release, and is revalidated after an hour.
    """

    def __init__(self) -> None:
        super().__init__(directory=images.BUNDLED_DIR)
        self.all_directories = [images.BUNDLED_DIR, images.upload_dir()]

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        immutable = NAMED_BY_CONTENT.fullmatch(Path(full_path).name)
        response.headers["Cache-Control"] = FOREVER if immutable else AN_HOUR
        return response
