"""What the emulator's README promises is what the code has."""

import re
from pathlib import Path

import stripe_emulator
from stripe_emulator import __main__ as command
from stripe_emulator import faults
from stripe_emulator.admin import control_api, simulation_api
from stripe_emulator.api import routes
from stripe_emulator.parameters import parameters, unsupported
from tests.emulator.test_parameters import CALLS, leaves

PACKAGE = Path(stripe_emulator.__file__).parent
README = (PACKAGE / "README.md").read_text()


def test_the_readme_names_every_call_and_no_other() -> None:
    named = set(re.findall(r"`((?:GET|POST|DELETE) /v1/[a-z_/{}]+)`", README))

    assert named == set(routes.OPERATIONS)


def test_the_readme_names_every_parameter_of_a_session_and_every_one_that_is_refused() -> None:
    refused = {
        path.replace("[]", "")
        for paths in unsupported.REFUSED.values()
        for path in paths
        if unsupported.OTHER_METHODS.isdisjoint(path.replace("]", "").split("["))
    }
    of_sessions = parameters.TABLE["POST /v1/checkout/sessions"]["fields"]

    assert [path for path in refused if f"`{path}`" not in README] == []
    assert [name for name in of_sessions if not re.search(rf"`{name}\b", README)] == []


def test_the_readme_counts_the_parameters_right() -> None:
    assert f"each of the {sum(len(leaves(call)) for call in CALLS)}, right" in README


def test_the_readme_names_every_event_fault_and_option() -> None:
    source = "".join(file.read_text() for file in PACKAGE.rglob("*.py"))
    events = set(re.findall(r'(?:emit|update)\(\s*"([a-z_.]+)"', source))
    options = re.findall(r'add_argument\(\s*"(--[a-z-]+)"', Path(command.__file__).read_text())

    assert len(events) > 20
    for name in [*events, *faults.REQUEST_FAULTS, *faults.DELIVERY_FAULTS, *options]:
        assert f"`{name}`" in README, name


def test_the_readme_names_every_control() -> None:
    paths = {
        re.sub(r"\{\w+\}", "{id}", route.path.removeprefix("/emulator/"))
        for route in [*control_api.router.routes, *simulation_api.router.routes]
        if getattr(route, "include_in_schema", False) and hasattr(route, "path")
    }

    assert len(paths) > 10
    for path in paths:
        assert re.search(rf"(GET|POST|DELETE) {re.escape(path)}[` ]", README), path
