"""Access to the back office: the password, operators' sessions, and the throttle of guesses.

A session is a random cookie that ends with the browser; only this process stores its hash. Signing
out deletes it, and a restart signs everybody out. Every action checks the session first, so an old
tab can do nothing.
"""

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from store.core import clock, secret_files, settings
from store.core.errors import StoreError
from store.core.text import counted
from store.web.request_origin import client_networks

COOKIE = "store_office"
SESSION_LIFETIME = timedelta(hours=12)  # some browsers bring their last session's cookies back
MAX_SESSIONS = 100
DEFAULT_NAME = "operator"
MAX_NAME_LENGTH = 40
LINK_SECRET = "sign_in_token"  # noqa: S105 - the name of a file in the data folder

FREE_ATTEMPTS = 3  # by one client, before it has to wait
FREE_ATTEMPTS_PER_SITE = 12  # by all networks of one IPv6 site
MAX_WAIT = timedelta(minutes=1)
RESET_AFTER = timedelta(minutes=15)
MAX_CLIENTS = 10_000
GLOBAL_LIMIT_PER_MINUTE = 60  # misses of all clients; above, no client has free attempts


class WrongPassword(StoreError):
    sentence = "That is not the password."
    status = HTTPStatus.FORBIDDEN


class TooManyAttempts(StoreError):
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, seconds: int) -> None:
        wait = counted(seconds, "second")
        super().__init__(f"Too many wrong passwords. Wait {wait}, then try again.")
        self.seconds = seconds


class NotSignedIn(StoreError):
    sentence = "You are not signed in, or your session has ended. Nothing was changed."
    status = HTTPStatus.FORBIDDEN


def password() -> str:
    """`ADMIN_PASSWORD`, or the one generated for this data folder."""
    current = settings.current()
    if current.admin_password:
        return current.admin_password.get_secret_value()
    return secret_files.read_or_create_secret(current.data_dir / "admin_password")


def sign_in_url(shop: str) -> str:
    """The sign-in link. A generated password stands behind the `#`, which browsers do not send."""
    if settings.current().admin_password:
        return f"{shop}/back-office"
    return f"{shop}/back-office/sign-in#{password()}"


def is_link_secret(secret: str) -> bool:
    """True for the secret behind the `#` of the sign-in link.

    Its 256 random bits cannot be guessed, so it is never throttled and always lets its reader in.
    """
    expected = password()
    if settings.current().admin_password:
        try:
            folder = settings.current().data_dir
            expected = secret_files.read_or_create_secret(folder / LINK_SECRET)
        except StoreError:  # a data folder that cannot be written has no link
            return False
    return hmac.compare_digest(_digest(secret), _digest(expected))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@dataclass
class FailedLogins:
    """The wrong passwords from one network."""

    last_at: datetime
    count: int = 0

    def wait(self, now: datetime, free: int, *, crowded: bool) -> timedelta:
        """How long until its next password is checked; zero or less if that may be now."""
        if crowded and self.count:
            return self.last_at + MAX_WAIT - now
        if self.count < free:
            return timedelta(0)
        doubled = timedelta(seconds=2 ** min(self.count - free, 10))
        return self.last_at + min(doubled, MAX_WAIT) - now


class Throttle:
    """Limits password guessing per client, and further while many clients guess.

    A password that comes too soon is refused unchecked and does not lengthen the wait. While many
    guess at once, each client still has one password checked, and then one a minute.
    """

    def __init__(self) -> None:
        self.networks: dict[str, FailedLogins] = {}
        self.recent: list[datetime] = []
        self.lock = threading.Lock()

    def admit(self, *networks: str) -> None:
        """Count a password as wrong before it is checked, so that concurrent guesses count, too.

        `networks` are those of one client, narrowest first. Raises TooManyAttempts.
        """
        now = clock.now()
        with self.lock:
            self.recent = [at for at in self.recent if now - at < MAX_WAIT]
            crowded = len(self.recent) >= GLOBAL_LIMIT_PER_MINUTE
            misses = [self._misses(network, now) for network in networks]
            wait = max(
                one.wait(now, free, crowded=crowded)
                for one, free in zip(misses, (FREE_ATTEMPTS, FREE_ATTEMPTS_PER_SITE), strict=False)
            )
            if wait > timedelta(0):
                raise TooManyAttempts(-int(-wait.total_seconds() // 1))
            self.recent.append(now)
            for one in misses:
                one.count, one.last_at = one.count + 1, now

    def _misses(self, network: str, now: datetime) -> FailedLogins:
        failed = self.networks.pop(network, None)
        if failed is None or now - failed.last_at > RESET_AFTER:
            failed = FailedLogins(now)
        self.networks[network] = failed  # the newest is last
        while len(self.networks) > MAX_CLIENTS:
            del self.networks[next(iter(self.networks))]
        return failed

    def forgive(self, *networks: str) -> None:
        with self.lock:
            for network in networks:
                self.networks.pop(network, None)
            if self.recent:
                self.recent.pop()


@dataclass(frozen=True)
class OperatorSession:
    name: str
    since: datetime


class OperatorSessions:
    def __init__(self) -> None:
        self.sessions: dict[bytes, OperatorSession] = {}
        self.throttle = Throttle()
        self.lock = threading.Lock()

    def sign_in(self, secret: str, name: str, client: str) -> str:
        """Open a session; returns its cookie. Raises WrongPassword or TooManyAttempts."""
        if not is_link_secret(secret):
            self.throttle.admit(*client_networks(client))
            if not hmac.compare_digest(_digest(secret), _digest(password())):
                raise WrongPassword
            self.throttle.forgive(*client_networks(client))
        cookie = secrets.token_urlsafe(32)
        printable = "".join(char for char in name if char.isprintable()).strip()
        session = OperatorSession(printable[:MAX_NAME_LENGTH] or DEFAULT_NAME, clock.now())
        with self.lock:
            self.sessions[_digest(cookie)] = session
            while len(self.sessions) > MAX_SESSIONS:
                del self.sessions[next(iter(self.sessions))]
        return cookie

    def session(self, cookie: str) -> OperatorSession:
        """The session of this cookie, at this moment. Raises NotSignedIn."""
        with self.lock:
            session = self.sessions.get(_digest(cookie))
            if session and clock.now() - session.since < SESSION_LIFETIME:
                return session
            self.sessions.pop(_digest(cookie), None)
        raise NotSignedIn

    def sign_out(self, cookie: str) -> None:
        with self.lock:
            self.sessions.pop(_digest(cookie), None)
