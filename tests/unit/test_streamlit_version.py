"""The shop starts with the Streamlit whose internals it was checked with, and with no other."""

import pytest

from store.web import streamlit_internals


@pytest.mark.parametrize("installed", ["1.67.0", "1.67.3", "1.67"])
def test_the_checked_version_and_its_patches_are_accepted(
    monkeypatch: pytest.MonkeyPatch, installed: str
) -> None:
    monkeypatch.setattr(streamlit_internals, "version", lambda _: installed)

    streamlit_internals.require_checked_version()


@pytest.mark.parametrize("installed", ["1.66.9", "1.68.0", "1.670.0", "2.67.0"])
def test_another_version_ends_the_start_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], installed: str
) -> None:
    monkeypatch.setattr(streamlit_internals, "version", lambda _: installed)

    with pytest.raises(SystemExit) as ended:
        streamlit_internals.require_checked_version()

    assert ended.value.code == 2
    assert f"{installed} is installed" in capsys.readouterr().err
