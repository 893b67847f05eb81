"""The virtual environment that the first start makes, and the later ones use."""

import ast
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.command_line import BASE_PYTHON, PACKAGES, ROOT, clean, one_sentence, store


def a_project(folder: Path) -> Path:
    """A copy of the shop whose only requirement is a package that borrows ours."""
    ignored = shutil.ignore_patterns("*.pyc.*", "*.db*")
    for name in ("store", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    borrowed = a_wheel(folder, "borrowed", {"borrowed.pth": f"{PACKAGES}\n"})
    (folder / "requirements.txt").write_text(borrowed)
    return folder


def start(
    project: Path, python: Path = BASE_PYTHON, **environment: str
) -> subprocess.CompletedProcess[str]:
    log = {"PIP_LOG": str(project / "pip.log")}
    return store("migrate", python=python, cwd=project, **{**log, **environment})


def a_wheel(folder: Path, name: str = "tiny", files: Mapping[str, str] | None = None) -> str:
    """A package, of one file if nothing else is said; the line that requires it."""
    files = files or {f"{name}.py": "SIZE = 1\n"}
    info = f"{name}-1.0.dist-info"
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
    }
    record = {f"{info}/RECORD": "".join(f"{file},,\n" for file in [*files, *about])}
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, content in {**files, **about, **record}.items():
            archive.writestr(file, content)
    return f"{name} @ {wheel.as_uri()}\n"


@pytest.fixture(scope="module")
def first_starts(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[subprocess.CompletedProcess[str]]]:
    """A project, and what its first two starts, made at the same moment, said."""
    project = a_project(tmp_path_factory.mktemp("made"))
    with ThreadPoolExecutor() as pool:
        return project, list(pool.map(start, [project, project]))


@pytest.fixture
def project(
    first_starts: tuple[Path, list[subprocess.CompletedProcess[str]]], tmp_path: Path
) -> Path:
    """A copy of a project that has been started before."""
    return shutil.copytree(first_starts[0], tmp_path / "project", symlinks=True)


def test_two_first_starts_at_once_make_one_environment_and_one_shop(
    first_starts: tuple[Path, list[subprocess.CompletedProcess[str]]],
) -> None:
    project, results = first_starts

    assert [result.returncode for result in results] == [0, 0], results
    assert sorted("Making" in result.stdout for result in results) == [False, True]
    assert sorted("Installing" in result.stdout for result in results) == [False, True]
    assert (project / "data" / "store.db").exists()


def test_a_second_start_asks_neither_pip_nor_the_network(project: Path) -> None:
    (project / "pip.log").unlink()

    second = start(project)

    assert second.returncode == 0
    assert "Making" not in second.stdout
    assert "Installing" not in second.stdout
    assert not (project / "pip.log").exists()


def test_changed_requirements_are_installed_at_the_next_start(project: Path) -> None:
    (project / "requirements.txt").write_text(a_wheel(project))

    start(project)

    assert next((project / ".venv").rglob("tiny.py")).exists()


def test_an_install_killed_in_the_middle_is_repaired(project: Path) -> None:
    (project / "requirements.txt").write_text(a_wheel(project))
    start(project)
    package = next((project / ".venv").rglob("tiny.py"))
    package.unlink()
    (project / ".venv" / "store-install-unfinished").touch()
    (project / ".venv" / "store-requirements.installed").unlink()

    start(project)

    assert package.exists()


def test_an_incomplete_environment_is_created_again(project: Path) -> None:
    pip = next((project / ".venv").rglob("site-packages/pip"))
    shutil.rmtree(pip)
    (pip.parent / "borrowed.pth").unlink()  # else ours is found

    result = start(project)

    assert result.returncode == 0, result.stderr
    assert "Making a virtual environment" in result.stdout


def test_pip_without_a_network_ends_in_one_sentence(project: Path) -> None:
    (project / "requirements.txt").write_text("nowhere-to-be-found==1\n")

    result = start(project, PIP_INDEX_URL="http://127.0.0.1:1/", PIP_RETRIES="0")

    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("pip could not install requirements.txt")
    assert "Traceback" not in result.stderr


def test_a_python_without_venv_gets_the_name_of_the_missing_package(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project")
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['ensurepip'] = None")

    said = one_sentence(start(project, PYTHONPATH=str(tmp_path)))

    assert "apt install python3-venv" in said
    assert not (project / ".venv").exists()


PIP_CONFIGURATION = """\
[global]
target = elsewhere
[install]
user = true
dry-run = true
"""
ELSEWHERE = {
    "PIP_USER": "1",
    "PIP_TARGET": "elsewhere",
    "PIP_PREFIX": "elsewhere",
    "PIP_ROOT": "elsewhere",
    "PIP_DRY_RUN": "1",
    "PIP_NO_DEPS": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_REQUIRE_HASHES": "1",
    "PIP_ONLY_BINARY": ":none:",
    "PIP_NO_BINARY": ":all:",
    "PIP_CONSTRAINT": "nowhere.txt",
    "PIP_REQUIREMENT": "nowhere.txt",
    "PIP_PYTHON": "/nowhere",
    "PIP_EDITABLE": "/nowhere",
    "PIP_PROGRESS_BAR": "nonsense",
    "PIP_USE_FEATURE": "nonsense",
}


@pytest.mark.scenario("L4")
def test_pip_variables_that_change_the_target_have_no_effect(project: Path) -> None:
    (project / "requirements.txt").write_text(a_wheel(project))

    result = start(project, BASE_PYTHON, **ELSEWHERE)

    assert result.returncode == 0, result.stderr
    assert next((project / ".venv").rglob("tiny.py")).exists()
    assert not (project / "elsewhere").exists()


@pytest.mark.scenario("L4")
def test_a_pip_configuration_file_has_no_effect(project: Path) -> None:
    """Each of these options alone would end in an error, or leave the package out."""
    (project / "requirements.txt").write_text(a_wheel(project))
    configuration = project / "pip.conf"
    configuration.write_text(PIP_CONFIGURATION)

    result = start(project, PIP_CONFIG_FILE=str(configuration))

    assert result.returncode == 0, result.stderr
    assert next((project / ".venv").rglob("tiny.py")).exists()
    assert not (project / "elsewhere").exists()


@pytest.mark.scenario("L4")
def test_an_installation_that_put_nothing_there_is_not_remembered_as_done(project: Path) -> None:
    (project / "requirements.txt").write_text(a_wheel(project))
    pip = next((project / ".venv").rglob("site-packages/pip/__main__.py"))
    honest = pip.read_text()
    pip.write_text("raise SystemExit(0)\n")

    result = start(project)

    assert result.returncode == 2
    assert "pip reports that requirements.txt is installed" in result.stderr
    assert "but tiny is not installed" in result.stderr
    pip.write_text(honest)
    assert start(project).returncode == 0
    assert next((project / ".venv").rglob("tiny.py")).exists()


def test_a_package_that_does_not_load_is_named(project: Path) -> None:
    broken = a_wheel(project, "broken", {"broken.py": "raise ImportError('no such library')\n"})
    (project / "requirements.txt").write_text(broken)

    result = start(project)

    assert result.returncode == 2
    assert "broken cannot be imported (no such library)" in result.stderr


@pytest.mark.scenario("N7")
def test_a_complete_environment_that_cannot_be_written_is_used_as_it_is(project: Path) -> None:
    """Folders stand where files would be written; the tests may run as a user who writes anywhere.

    `scripts/foreign_environments.py` starts it from a read-only mount.
    """
    (project / ".venv" / "store-requirements.installed").unlink()
    for name in (".venv/store-requirements.installed", ".venv/store-install.lock"):
        (project / name).mkdir()
    (project / "data" / "store-install.lock").unlink()
    (project / "data" / "store-install.lock").mkdir()

    outside = start(project, DATA_DIR=str(project / "elsewhere"))
    inside = start(
        project, project / ".venv" / "bin" / "python", DATA_DIR=str(project / "elsewhere")
    )

    for result in (outside, inside):
        assert result.returncode == 0, result.stderr
        assert "Installing" not in result.stdout


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project")
    (project / ".venv").write_text("in the way, as a read-only folder would be")

    assert "Cannot write to" in one_sentence(start(project))


def test_help_needs_nothing_but_python() -> None:
    command = [str(BASE_PYTHON), "-S", "-m", "store", "--help"]

    said = subprocess.run(
        command, cwd=ROOT, env=clean(), capture_output=True, text=True, check=True
    )

    assert "python -m store" in said.stdout


def test_an_old_python_can_read_the_sentence_meant_for_it() -> None:
    source = (ROOT / "store" / "__main__.py").read_text(encoding="ascii")

    ast.parse(source, feature_version=(3, 4))
