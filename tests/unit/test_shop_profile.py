"""A mistake in `data/shop.toml` is one sentence with the file and the field."""

from pathlib import Path

import pytest

from store.core import shop_profile
from store.core.errors import SettingsError

FIELDS = {"name": '"Two Shirts"', "motto": '"As good as new."', "mark": '"mark.svg"'}


def written(folder: Path, **fields: str | None) -> Path:
    """The file with these fields instead of the good ones; None leaves one out."""
    file = folder / "shop.toml"
    lines = (f"{name} = {value}\n" for name, value in (FIELDS | fields).items() if value)
    file.write_text("".join(lines), "utf-8")
    return file


def test_the_file_of_the_shop_can_be_read() -> None:
    profile = shop_profile.read(shop_profile.FILE)

    assert profile == shop_profile.current()
    assert profile.mark.is_file()


def test_the_fields_of_the_file_are_the_profile(tmp_path: Path) -> None:
    profile = shop_profile.read(written(tmp_path))

    assert (profile.name, profile.motto) == ("Two Shirts", "As good as new.")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", None, ": name is missing."),
        ("colour", '"red"', ": colour is none of mark, motto, name."),
        ("name", "7", ': name must be text in quotes, such as name = "…".'),
        ("motto", '" "', ': motto must be text in quotes, such as motto = "…".'),
        ("name", '"a\\u0000"', ': name must be text in quotes, such as name = "…".'),
        ("motto", f'"{"x" * 81}"', ": motto is longer than 80 characters."),
        ("mark", '"gone.svg"', ": mark: there is no SVG image 'gone.svg' in data/images."),
        ("mark", '"../shop.toml"', ": mark: there is no SVG image '../shop.toml' in data/images."),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, field: str, value: str | None, sentence: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        shop_profile.read(written(tmp_path, **{field: value}))

    assert str(refused.value).startswith("data/shop.toml" + sentence)
    assert len(str(refused.value).splitlines()) == 1


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^Cannot read .*gone\.toml \(.+\)\.$"):
        shop_profile.read(tmp_path / "gone.toml")
    with pytest.raises(
        SettingsError, match=r"shop\.toml is not valid TOML: .* \(at line 1, .*\)\.$"
    ):
        shop_profile.read(written(tmp_path, name="Two Shirts"))
