"""A mistake in `data/products.toml` is one sentence with the file, the product and the field."""

from pathlib import Path

import pytest

from store.catalog import seeding
from store.core.errors import SettingsError

SHIRT = {
    "slug": '"red-t-shirt"',
    "name": '"Red T-Shirt"',
    "description": '"Heavy organic cotton."',
    "price": '"19.99"',
    "image": '"red-t-shirt.svg"',
}


def written(*products: dict[str, str | None]) -> str:
    """A file of products; each differs from the shirt as given, None leaves the field out."""
    return "".join(
        "[[products]]\n"
        + "".join(f"{name} = {text}\n" for name, text in (SHIRT | product).items() if text)
        for product in products
    )


def refusal(tmp_path: Path, content: str | bytes, currency: str = "usd") -> str:
    """What reading such a file says."""
    file = tmp_path / "products.toml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SettingsError) as refused:
        seeding.first_products(currency, file)
    return str(refused.value)


@pytest.mark.scenario("N11")
@pytest.mark.parametrize(
    ("field", "written_as", "reason"),
    [
        ("price", "19.99", 'it must be text in quotes, such as "19.99"'),
        ("price", "20", "it must be text in quotes"),
        ("price", "true", "it must be text in quotes"),
        ("price", '["19.99"]', "it must be text in quotes"),
        ("price", "nan", "it must be text in quotes"),
        ("price", "1979-05-27", "it must be text in quotes"),
        ("price", None, "it is missing"),
        ("price", '""', "is no price"),
        ("price", '"-1"', "is no price"),
        ("price", '"0"', "is no price"),
        ("price", '"0.00"', "is no price"),
        ("price", '"free"', "is no price"),
        ("price", '"$5"', "is no price"),
        ("price", '"1,99"', "is no price"),
        ("price", '"1_000"', "is no price"),
        ("price", '"1e400"', "is no price"),
        ("price", '"NaN"', "is no price"),
        ("price", '"٥"', "is no price"),
        ("price", '"19.9999"', "is no price"),
        ("price", '"19.999"', "cannot be charged in USD; write it like 19.99"),
        ("price", '"1000000"', "a payment by card is at most $999,999.99"),
        ("name", None, "it is missing"),
        ("name", "7", 'it must be text in quotes, such as name = "…"'),
        ("name", '" "', "write something"),
        ("name", f'"{"x" * 121}"', "at most 120 characters"),
        ("name", '"a\\u0000b"', "invisible control character"),
        ("description", None, "it is missing"),
        ("description", '""', "write something"),
        ("description", f'"{"x" * 501}"', "at most 500 characters"),
        ("slug", None, "it is missing"),
        ("slug", '""', "small letters, digits and hyphens"),
        ("slug", '"Red T-Shirt"', "small letters, digits and hyphens"),
        ("slug", '"../etc"', "small letters, digits and hyphens"),
        ("slug", f'"{"x" * 61}"', "at most 60"),
        ("image", None, "it is missing"),
        ("image", '"gone.svg"', "there is no 'gone.svg' in data/images"),
        ("image", '"../products.toml"', "there is no"),
        ("colour", '"red"', "there is no such field, only slug, name, description, price, image"),
    ],
)
def test_a_wrong_field_is_named_with_its_product_and_file(
    tmp_path: Path, field: str, written_as: str | None, reason: str
) -> None:
    sentence = refusal(tmp_path, written({}, {"slug": '"second"', field: written_as}))

    assert sentence.startswith("data/products.toml, product ")
    product = "number 2" if field == "slug" and written_as in (None, '""') else "'"
    assert sentence.removeprefix("data/products.toml, product ").startswith(product)
    assert f": {field}: " in sentence
    assert reason in sentence
    assert len(sentence.splitlines()) == 1


@pytest.mark.scenario("N11")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "has no products; each starts with [[products]]"),
        ("products = []", "has no products"),
        ("[products]\nslug = 'x'", "has no products"),
        ("products = 'x'", "has no products"),
        ("products = ['x']", "product number 1: it is not a table of fields"),
        ("[[product]]\nslug = 'x'", "has 'product' outside of any product"),
        ("title = 'Shop'\n", "has 'title' outside of any product"),
        ("[[products]\n", "is not valid TOML: "),
        ("[[products]]\nslug = \n", "(at line 2, column 8)"),
        ("[[products]]\nslug = 'a'\nslug = 'b'\n", "is not valid TOML: "),
        (b"\xff\xfe[\x00[\x00", "is UTF-16 or no text at all"),
        ("[[products]]\nname = 'Šárka'\n".encode("iso8859-2"), "Line 2 of "),
        (b"\x00\x01\x02", "is UTF-16 or no text at all"),
        ("x = " + "[" * 5000, "is not valid TOML: "),
        (written({}, {}), "product 'red-t-shirt': slug: another product before it has the same"),
    ],
)
def test_a_file_that_is_no_price_list_is_refused_in_one_sentence(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    sentence = refusal(tmp_path, content)

    assert "products.toml" in sentence
    assert reason in sentence
    assert len(sentence.splitlines()) == 1


@pytest.mark.scenario("N11")
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for nothing in (tmp_path / "gone.toml", tmp_path):
        with pytest.raises(SettingsError, match=r"gone.toml \(.+\)\.$|is a folder"):
            seeding.first_products("usd", nothing)


@pytest.mark.scenario("K2")
@pytest.mark.parametrize("currency", ["isk", "ugx"])
def test_a_price_with_small_change_in_a_currency_of_whole_units_is_refused(
    tmp_path: Path, currency: str
) -> None:
    assert refusal(tmp_path, written({}), currency) == (
        "data/products.toml, product 'red-t-shirt': price: '19.99' cannot be charged in "
        f"{currency.upper()}; write it like 20."
    )


def test_the_products_of_the_file_become_rows(tmp_path: Path) -> None:
    file = tmp_path / "products.toml"
    file.write_bytes(b"\xef\xbb\xbf" + written({}, {"slug": '"two"', "price": '"5"'}).encode())

    shirt, two = seeding.first_products("usd", file)

    assert (shirt["slug"], shirt["unit_amount"], shirt["currency"]) == ("red-t-shirt", 1999, "usd")
    assert (two["slug"], two["unit_amount"]) == ("two", 500)
    assert [row["unit_amount"] for row in seeding.first_products("isk", _whole(tmp_path))] == [2000]


def _whole(tmp_path: Path) -> Path:
    file = tmp_path / "whole.toml"
    file.write_text(written({"price": '"20"'}), "utf-8")
    return file
