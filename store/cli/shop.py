"""The shop that `python -m store` opens: all is checked, then three processes kept running."""

import asyncio
import http.client
import urllib.request
import webbrowser
from argparse import Namespace
from contextlib import suppress
from dataclasses import dataclass

from store.backoffice import auth
from store.cli import failures, preflight
from store.cli.child_process import Process, tethered
from store.cli.listening import addresses_of, beyond_loopback, storefront_command
from store.cli.process_log import Log
from store.cli.supervisor import GaveUp, Program, supervise
from store.core.settings import SHOP, Settings

REMINDER_SECONDS = 30
LONGEST_TURN_SECONDS = 5
LOOK_SECONDS = 0.05  # between two looks whether everything answers
SECRET = "EMULATOR_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
PID_FILE = "SIDECAR_PID_FILE"  # tells the storefront's rehearsal which process to stop
# Never through a proxy: these addresses are on this computer.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def keep_open(arguments: Namespace, storefront: Process) -> int:
    """Serve until a signal says stop; 1 where a process could not be kept running.

    Raises:
        StoreError: nothing was started.
    """
    chosen = preflight.settings_for(arguments)
    preflight.ports(chosen, arguments)
    with preflight.alone(chosen.data_dir):
        preflight.database(chosen)
        if preflight.runs_emulator(chosen, arguments):
            with preflight.emulator_alone(chosen.data_dir):
                preflight.emulator_file(chosen.data_dir)
        if not chosen.offline:
            print("Asking Stripe whether it accepts the key …", flush=True)
        account = preflight.stripe_account()
        has_emulator = preflight.runs_emulator(chosen, arguments)
        shop = Shop(chosen, arguments, has_emulator, account, storefront)
        try:
            as_json = chosen.log_format == "json"
            supervise(shop.programs(), shop.announce, as_json=as_json)
        except GaveUp as error:
            failures.say(str(error))
            return 1
    with suppress(
        OSError, failures.CannotPrint
    ):  # whatever could not be printed, the shop did its work
        failures.flush()
    return 0


@dataclass(frozen=True)
class Shop:
    """The processes of one shop, and where they answer."""

    settings: Settings
    arguments: Namespace
    has_emulator: bool
    account: preflight.StripeAccount | None = None
    storefront: Process | None = None  # stands by

    @property
    def shop(self) -> str:
        return f"http://localhost:{self.arguments.port}"

    @property
    def sidecar(self) -> str:
        return f"http://127.0.0.1:{self.arguments.webhook_port}"

    @property
    def emulator(self) -> str:
        return f"http://127.0.0.1:{self.arguments.emulator_port}"

    def programs(self) -> list[Program]:
        sidecar = tethered(
            *("store.cli.asgi", "sidecar"),
            str(self.arguments.webhook_port),
            *addresses_of(self.arguments),
        )
        pid_file = self.settings.data_dir.absolute() / "sidecar.pid"
        started = [
            Program(
                "storefront",
                tethered(*storefront_command(self.arguments)),
                {PID_FILE: str(pid_file), "SIDECAR_URL": self.sidecar},
                standing_by=self.storefront,
            ),
            Program("sidecar", sidecar, pid_file=pid_file),
        ]
        return [*started, self.emulator_program()] if self.has_emulator else started

    def emulator_program(self) -> Program:
        command = tethered(
            "stripe_emulator",
            *("--port", str(self.arguments.emulator_port)),
            *("--webhook", f"{self.sidecar}/webhooks/stripe/"),
            *("--secret", f"env:{SECRET}"),
            *("--data", str(self.settings.data_dir / "emulator.db")),
            *("--business-name", SHOP),
            *("--retries", "eager"),  # a receiver that was down hears of its payments in seconds
        )
        secret = self.settings.webhook_secrets[0]
        return Program("emulator", command, {SECRET: secret}, turn=self.page_is_there)

    async def page_is_there(self) -> None:
        """What a presenter looks for first has the processors first; three starts at once on two
        of them delay all three.
        """
        clock = asyncio.get_running_loop().time
        until, address = clock() + LONGEST_TURN_SECONDS, self.health()["storefront"]
        while clock() < until and not await asyncio.to_thread(answers, address):
            await asyncio.sleep(LOOK_SECONDS)

    def health(self) -> dict[str, str]:
        """Where each process says that it is ready; without a secret webhooks never are."""
        path = "readyz" if self.settings.accepts_webhooks else "healthz"
        addresses = {
            "sidecar": f"{self.sidecar}/{path}",
            "storefront": f"http://127.0.0.1:{self.arguments.port}/_stcore/health",
        }
        return addresses | (
            {"emulator": f"{self.emulator}/emulator/health"} if self.has_emulator else {}
        )

    async def announce(self, log: Log) -> None:
        """Wait until every process answers, then print where people find the shop."""
        clock = asyncio.get_running_loop().time
        waiting, remind_at = self.health(), clock() + REMINDER_SECONDS
        while waiting := {
            name: address
            for name, address in waiting.items()
            if not await asyncio.to_thread(answers, address)
        }:
            if clock() > remind_at:
                log.line("store", f"Still waiting for {' and '.join(waiting)}.")
                remind_at += REMINDER_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
        log.notice(self.welcome())
        if self.arguments.open and not await asyncio.to_thread(webbrowser.open, self.shop):
            log.line("store", f"No browser could be opened; the shop is at {self.shop}")

    def welcome(self) -> str:
        lines = [self.mode(), "", f"  Shop         {self.shop}"]
        lines += [f"  Webhooks     {self.sidecar}/webhooks/stripe/"]
        lines += [f"  Emulator     {self.emulator}"] if self.has_emulator else []
        lines += [f"  Back office  {auth.sign_in_url(self.shop)}"]
        lines += ["", "  Pay with card 4242 4242 4242 4242, any future date, any CVC."]
        lines += ["  Ctrl-C stops everything."]
        lines += self.reachable()
        if not self.settings.accepts_webhooks:
            lines += [
                "  No STRIPE_WEBHOOK_SECRET is set, so webhooks are not accepted; payments settle "
                "when the buyer returns,",
                "  or by asking Stripe. To have webhooks: stripe listen --forward-to "
                f"localhost:{self.arguments.webhook_port}/webhooks/stripe/",
            ]
        return "\n" + "\n".join(f"  {line}".rstrip() for line in lines) + "\n"

    def reachable(self) -> list[str]:
        """A warning, where other computers can reach the shop."""
        opened = list(beyond_loopback(addresses_of(self.arguments)))
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
                "  The emulator and its pay page stay on this computer: buyers elsewhere can look "
                "but not pay.",
                "  The rehearsal and Fresh demo need the operator to be signed in.",
            ]
        return lines

    def mode(self) -> str:
        if self.settings.offline and self.has_emulator:
            return "The shop is open, offline: an emulator plays Stripe and no money moves."
        if self.settings.offline:
            return f"The shop is open; in Stripe's place: {self.settings.api_base}"
        name, cause = self.account or preflight.StripeAccount("", "")
        if not name:
            return f"The shop is open in Stripe test mode, but cannot sell right now. {cause}"
        return f"The shop is open in Stripe test mode, account {name}: no money moves."


def answers(address: str) -> bool:
    try:
        with LOCAL.open(address, timeout=2):
            return True
    except (OSError, http.client.HTTPException):
        return False
