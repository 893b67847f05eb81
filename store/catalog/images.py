"""Images of products: bundled with the shop or uploaded by operators.

An upload is decoded and encoded again, so that only its pixels are served: no script, no second
file format, no location of the photo.
"""

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

from store.core import private_files, settings, shop_profile
from store.core.errors import StoreError

BUNDLED_DIR = shop_profile.IMAGES
SUFFIXES = (".svg", ".webp", ".png", ".jpg", ".jpeg")
UPLOAD_TYPES = ("png", "jpg", "jpeg", "webp")
MAX_UPLOAD_MB = 5  # also in .streamlit/config.toml
MAX_UPLOAD_PIXELS = 25_000_000  # before decoding: 100 MB of memory
MAX_STORED_PX = 1000  # a side, as stored


class ImageRefused(StoreError):
    sentence = "This is not a PNG, JPEG or WebP picture that can be read."


class Image(NamedTuple):
    """An upload as it is stored: WebP, with a name that follows from its content."""

    name: str
    data: bytes


def upload_dir() -> Path:
    """The folder of uploads; it may not exist yet."""
    return settings.current().data_dir / "pictures"


def listed() -> list[str]:
    """The file names of all images, sorted; the shop's mark is none of them."""
    files = (file for folder in (BUNDLED_DIR, upload_dir()) for file in folder.glob("*"))
    names = {file.name for file in files if file.suffix in SUFFIXES}
    return sorted(names - {shop_profile.current().mark.name})


def path_of(name: str) -> Path | None:
    """The file of an image, or None if there is none of this name."""
    if Path(name).name != name:
        return None
    files = (folder / name for folder in (BUNDLED_DIR, upload_dir()))
    return next((file for file in files if file.is_file()), None)


def read_upload(data: bytes) -> Image:
    """An uploaded image as it will be stored; ImageRefused has a sentence for the form."""
    # Imported here: uploads are rare, and the decoder would slow down every start.
    from PIL import Image as Pillow  # noqa: PLC0415
    from PIL import ImageOps  # noqa: PLC0415

    smaller = "Save it smaller, then try again."
    if len(data) > MAX_UPLOAD_MB * 1024 * 1024:
        raise ImageRefused(f"The picture is larger than {MAX_UPLOAD_MB} MB. {smaller}")
    try:
        with Pillow.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as picture:
            width, height = picture.size
            if width * height > MAX_UPLOAD_PIXELS:  # before anything is decoded
                size = f"{width} × {height} pixels"
                raise ImageRefused(f"The picture has {size}, which is too many. {smaller}")
            picture.draft("RGB", (MAX_STORED_PX * 2, MAX_STORED_PX * 2))  # JPEG: decode smaller
            plain = ImageOps.exif_transpose(picture).convert("RGBA")
    except ImageRefused:
        raise
    except Exception as error:
        raise ImageRefused from error  # decoders raise every kind of error on broken files
    plain.thumbnail((MAX_STORED_PX, MAX_STORED_PX))
    encoded = io.BytesIO()
    plain.save(encoded, "WEBP", quality=88)
    digest = hashlib.sha256(encoded.getvalue()).hexdigest()
    return Image(f"{digest[:20]}.webp", encoded.getvalue())


def store(image: Image) -> str:
    """Write an upload into the folder of uploads; returns its name.

    A crash between this and the change of the product leaves a file that no product uses.
    """
    file = upload_dir() / image.name
    try:
        private_files.make_folder(file.parent.parent)
        file.parent.mkdir(exist_ok=True)
        if not file.is_file():
            with private_files.written_whole(file) as draft:
                draft.write_bytes(image.data)
    except OSError as error:
        raise ImageRefused(f"The picture could not be saved: {error.strerror}.") from error
    return image.name
