"""Who may enter the back office: one password, the sessions it opens, and the wait after misses.

A session is a random cookie that ends with the browser. Its hash is kept in this process and
nowhere else: signing out forgets it, a restart signs everybody out, and whatever an old tab
still shows, each action asks here first.
"""

import hashlib
import hmac
import ipaddress
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from store import clock, secret_files, settings
from store.errors import StoreError

COOKIE = "store_office"
LIFE = timedelta(hours=12)  # some browsers bring their last session's cookies back
MOST_VISITS = 100
NAMELESS = "operator"
LONGEST_NAME = 40

FREE_MISSES = 3  # by one client, before it has to wait
LONGEST_WAIT = timedelta(minutes=1)
FORGOTTEN = timedelta(minutes=15)
MOST_CLIENTS = 10_000
EVERYBODY = 60  # misses of all clients together, within a minute


class WrongPassword(StoreError):
    sentence = "That is not the password."
    status = HTTPStatus.FORBIDDEN


class TooManyTries(StoreError):
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, seconds: int) -> None:
        unit = "second" if seconds == 1 else "seconds"
        super().__init__(f"Too many wrong passwords. Wait {seconds} {unit}, then try again.")
        self.seconds = seconds


class NotSignedIn(StoreError):
    sentence = "You are not signed in, or your session has ended. Nothing was changed."
    status = HTTPStatus.FORBIDDEN


def password() -> str:
    """`ADMIN_PASSWORD`, or the one made for this data folder; never print it by accident."""
    chosen = settings.current()
    if chosen.admin_password:
        return chosen.admin_password.get_secret_value()
    return secret_files.kept_secret(chosen.data_dir / "admin_password")


def link(shop: str) -> str:
    """Where an operator enters. A made password rides behind the `#`, which no browser sends."""
    if settings.current().admin_password:
        return f"{shop}/back-office"
    return f"{shop}/back-office/sign-in#{password()}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@dataclass
class Misses:
    """The tries of one client that were looked at."""

    next_try_at: datetime
    last_at: datetime
    count: int = 0


class Throttle:
    """Makes guessing slow, for each client and for all of them together.

    What comes too soon is refused unseen and does not lengthen the wait, so that whoever knows
    the password is in a minute later at the latest.
    """

    def __init__(self) -> None:
        self.clients: dict[str, Misses] = {}
        self.everybody: list[datetime] = []
        self.lock = threading.Lock()

    def admit(self, client: str) -> None:
        """Count a try as a miss beforehand, so that a hundred at once are no loophole.

        Raises:
            TooManyTries
        """
        now = clock.now()
        with self.lock:
            self.everybody = [at for at in self.everybody if now - at < LONGEST_WAIT]
            known = self.clients.pop(client, None)
            if known is None or now - known.last_at > FORGOTTEN:
                known = Misses(now, now)
            self.clients[client] = known  # the newest stands last
            while len(self.clients) > MOST_CLIENTS:
                del self.clients[next(iter(self.clients))]
            wait = known.next_try_at - now
            if len(self.everybody) >= EVERYBODY:
                wait = max(wait, self.everybody[0] + LONGEST_WAIT - now)
            if wait > timedelta(0):
                raise TooManyTries(-int(-wait.total_seconds() // 1))
            self.everybody.append(now)
            known.count, known.last_at = known.count + 1, now
            if known.count >= FREE_MISSES:
                doubled = timedelta(seconds=2 ** min(known.count - FREE_MISSES, 10))
                known.next_try_at = now + min(doubled, LONGEST_WAIT)

    def forgive(self, client: str) -> None:
        with self.lock:
            self.clients.pop(client, None)
            if self.everybody:
                self.everybody.pop()


@dataclass
class Visit:
    """An operator who is signed in; `word` is what their last click came to, shown once."""

    name: str
    since: datetime
    word: tuple[str, str] | None = None

    def say(self, sentence: str, tone: str = "good") -> None:
        self.word = (sentence, tone)

    def hear(self) -> tuple[str, str] | None:
        word, self.word = self.word, None
        return word


class Office:
    """Everybody who is signed in at this process."""

    def __init__(self) -> None:
        self.visits: dict[bytes, Visit] = {}
        self.throttle = Throttle()
        self.lock = threading.Lock()

    def sign_in(self, given: str, name: str, client: str) -> str:
        """Open a session; answers its cookie.

        Raises:
            WrongPassword, TooManyTries
        """
        self.throttle.admit(client_of(client))
        if not hmac.compare_digest(_digest(given), _digest(password())):
            raise WrongPassword
        self.throttle.forgive(client_of(client))
        cookie = secrets.token_urlsafe(32)
        shown = "".join(sign for sign in name if sign.isprintable()).strip()[:LONGEST_NAME]
        with self.lock:
            self.visits[_digest(cookie)] = Visit(shown or NAMELESS, clock.now())
            while len(self.visits) > MOST_VISITS:
                del self.visits[next(iter(self.visits))]
        return cookie

    def visit(self, cookie: str) -> Visit:
        """Who holds this cookie; to be asked anew for each page and each action.

        Raises:
            NotSignedIn
        """
        with self.lock:
            found = self.visits.get(_digest(cookie))
            if found and clock.now() - found.since < LIFE:
                return found
            self.visits.pop(_digest(cookie), None)
        raise NotSignedIn

    def sign_out(self, cookie: str) -> None:
        with self.lock:
            self.visits.pop(_digest(cookie), None)


def client_of(address: str) -> str:
    """Who counts as one guesser: an address, or the network that one IPv6 subscriber owns."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((int(found), 64), strict=False))


OFFICE = Office()
