"""The address that Stripe's webhooks are posted to, behind any prefix."""

import pytest

import webhook_server


@pytest.mark.scenario("R1")
@pytest.mark.parametrize(
    ("root_path", "path"),
    [
        ("", "/webhooks/stripe/"),
        ("/hooks", "/webhooks/stripe"),
        ("/hooks", "/hooks/webhooks/stripe/"),
        ("/hooks/", "/hooks/webhooks/stripe"),
        ("/hooks", "/hooks/hooks/webhooks/stripe/"),
        ("/webhooks", "/webhooks/webhooks/stripe/"),
        ("/webhooks", "/webhooks/stripe/"),
        ("/a/b", "/a/b/webhooks/stripe/"),
    ],
)
def test_the_webhook_path_is_recognised_behind_any_prefix(root_path: str, path: str) -> None:
    assert webhook_server.is_webhook({"path": path, "root_path": root_path})


@pytest.mark.scenario("R1")
@pytest.mark.parametrize(
    "path", ["/hooks", "/hooks/", "/hooksy/webhooks/stripe/", "/x/webhooks/stripe/"]
)
def test_other_paths_are_not_the_webhook_path(path: str) -> None:
    assert not webhook_server.is_webhook({"path": path, "root_path": "/hooks"})
