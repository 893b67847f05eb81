"""The checks before a start, then the shop's three processes, kept running."""

import asyncio
import webbrowser
from argparse import Namespace
from contextlib import suppress
from dataclasses import dataclass

from store.backoffice import auth
from store.cli import failures, preflight
from store.cli.child_process import Process, child_command
from store.cli.listening import addresses, beyond_loopback
from store.cli.preflight import StripeAccount
from store.cli.supervisor import Log, Program, RestartLimitReached, supervise
from store.core import shop_profile
from store.core.local_http import is_up
from store.core.settings import Settings

WEBHOOK_SERVER = "webhook server"  # the name of the process
REMINDER_SECONDS = 30
MAX_PAGE_WAIT_SECONDS = 5
POLL_SECONDS = 0.05
SECRET = "EMULATOR_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
PID_FILE = "WEBHOOK_SERVER_PID_FILE"  # for the storefront: the rehearsal stops that process


def run(arguments: Namespace, storefront: Process) -> int:
    """Serve until a signal; 1 if a process could not be kept running.

    `storefront` is a preloaded process. A StoreError is raised before any of the shop's own starts.
    """
    config = preflight.settings_for(arguments)
    shop_profile.current()  # a mistake in its file is found before anything starts
    preflight.ports(config, arguments)
    with preflight.lock_data_folder(config.data_dir):
        preflight.database(config)
        if has_emulator := preflight.runs_emulator(config, arguments):
            with preflight.lock_emulator(config.data_dir):
                preflight.emulator_file(config.data_dir)
        account = None
        if not config.offline:
            print("Asking Stripe whether it accepts the key …", flush=True)
            account = preflight.stripe_account()
        shop = ShopProcesses(config, arguments, has_emulator, account, storefront)
        try:
            supervise(shop.programs(), shop.announce, as_json=config.log_format == "json")
        except RestartLimitReached as error:
            failures.print_error(str(error))
            return 1
    with suppress(OSError, failures.CannotPrint):  # the shop has run; only its last lines are lost
        failures.flush()
    return 0


@dataclass(frozen=True)
class ShopProcesses:
    """The processes of one shop and their addresses."""

    settings: Settings
    arguments: Namespace
    has_emulator: bool
    account: StripeAccount | None = None
    preloaded: Process | None = None  # for the storefront

    @property
    def storefront_url(self) -> str:
        return f"http://localhost:{self.arguments.port}"

    @property
    def webhook_server_url(self) -> str:
        return f"http://127.0.0.1:{self.arguments.webhook_port}"

    @property
    def emulator_url(self) -> str:
        return f"http://127.0.0.1:{self.arguments.emulator_port}"

    def programs(self) -> list[Program]:
        pid_file = self.settings.data_dir.absolute() / "webhook-server.pid"
        environment = {PID_FILE: str(pid_file), "SIDECAR_URL": self.webhook_server_url}
        storefront = self.server("storefront", self.arguments.port)
        webhook_server = self.server(WEBHOOK_SERVER, self.arguments.webhook_port)
        return [
            Program("storefront", storefront, environment, preloaded=self.preloaded),
            Program(WEBHOOK_SERVER, webhook_server, pid_file=pid_file),
            *([self.emulator_program()] if self.has_emulator else []),
        ]

    def server(self, name: str, port: int) -> list[str]:
        return child_command("store.cli.serve", name, str(port), *addresses(self.arguments.host))

    def emulator_program(self) -> Program:
        command = child_command(
            "stripe_emulator",
            *("--port", str(self.arguments.emulator_port)),
            *("--webhook", f"{self.webhook_server_url}/webhooks/stripe/"),
            *("--secret", f"env:{SECRET}"),
            *("--data", str(self.settings.data_dir / "emulator.db")),
            *("--business-name", shop_profile.current().name),
            *("--retries", "eager"),  # a webhook server that was down gets its events in seconds
        )
        secret = self.settings.webhook_secrets[0]
        return Program("emulator", command, {SECRET: secret}, start_after=self.wait_for_page)

    async def wait_for_page(self) -> None:
        """Wait until the storefront answers: on two cores, the page comes in two thirds of the
        time, and the whole start takes no longer (measured: 1.2 s instead of 1.9 s).
        """
        with suppress(TimeoutError):
            page = until_up(self.health_urls()["storefront"])
            await asyncio.wait_for(page, MAX_PAGE_WAIT_SECONDS)

    def health_urls(self) -> dict[str, str]:
        """The health URL of each process, by name; without a webhook secret `readyz` is 503."""
        path = "readyz" if self.settings.accepts_webhooks else "healthz"
        urls = {
            WEBHOOK_SERVER: f"{self.webhook_server_url}/{path}",
            "storefront": f"http://127.0.0.1:{self.arguments.port}/_stcore/health",
        }
        if self.has_emulator:
            urls["emulator"] = f"{self.emulator_url}/emulator/health"
        return urls

    async def announce(self, log: Log) -> None:
        """Wait until every process answers, then print the addresses."""
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(until_up(url)) for name, url in self.health_urls().items()
            }
            while (await asyncio.wait(tasks.values(), timeout=REMINDER_SECONDS))[1]:
                waiting = [name for name, task in tasks.items() if not task.done()]
                log.line("store", f"Still waiting for {' and '.join(waiting)}.")
        log.notice(self.welcome())
        url = self.storefront_url
        if self.arguments.open and not await asyncio.to_thread(webbrowser.open, url):
            log.line("store", f"No browser could be opened; the shop is at {url}")

    def welcome(self) -> str:
        lines = [self.mode_sentence(), "", f"  Shop         {self.storefront_url}"]
        lines += [f"  Webhooks     {self.webhook_server_url}/webhooks/stripe/"]
        lines += [f"  Emulator     {self.emulator_url}"] if self.has_emulator else []
        lines += [f"  Back office  {auth.sign_in_url(self.storefront_url)}"]
        lines += ["", "  Pay with card 4242 4242 4242 4242, any future date, any CVC."]
        lines += ["  Ctrl-C stops everything.", *self.warning_lines()]
        if not self.settings.accepts_webhooks:
            lines += [
                "  No STRIPE_WEBHOOK_SECRET is set, so webhooks are not accepted; payments are "
                "confirmed when the buyer returns,",
                "  or by asking Stripe. To have webhooks: stripe listen --forward-to "
                f"localhost:{self.arguments.webhook_port}/webhooks/stripe/",
            ]
        return "\n" + "\n".join(f"  {line}".rstrip() for line in lines) + "\n"

    def warning_lines(self) -> list[str]:
        """A warning if other computers can reach the shop."""
        opened = beyond_loopback(addresses(self.arguments.host))
        if not opened:
            return []
        shop = ", ".join(f"http://{address}:{self.arguments.port}" for address in opened)
        lines = [
            f"  WARNING: other computers can reach the shop ({shop}) and the webhooks "
            f"(port {self.arguments.webhook_port}).",
            "  The back office needs its password: keep the link above to yourself.",
        ]
        if self.has_emulator:
            lines += [
                "  The emulator and its pay page stay on this computer: buyers elsewhere "
                "cannot pay.",
                "  The rehearsal and Fresh demo need the operator to be signed in.",
            ]
        return lines

    def mode_sentence(self) -> str:
        if self.settings.offline and self.has_emulator:
            return "The shop is open, offline: an emulator stands in for Stripe and no money moves."
        if self.settings.offline:
            return f"The shop is open; in Stripe's place: {self.settings.api_base}"
        name, cause = self.account or StripeAccount()
        if not name:
            return f"The shop is open in Stripe test mode, but cannot sell right now. {cause}"
        return f"The shop is open in Stripe test mode, account {name}: no money moves."


async def until_up(url: str) -> None:
    while not await asyncio.to_thread(is_up, url):
        await asyncio.sleep(POLL_SECONDS)
