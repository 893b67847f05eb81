"""Who may enter the back office: one password, the sessions it opens, and the wait after misses.

A session is a random cookie that ends with the browser. Its hash is kept in this process and
nowhere else: signing out forgets it, a restart signs everybody out, and whatever an old tab
still shows, each action asks here first.
"""

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from store import clock, secret_files, settings
from store.errors import StoreError
from store.handshake import client_networks

COOKIE = "store_office"
LIFE = timedelta(hours=12)  # some browsers bring their last session's cookies back
MOST_VISITS = 100
NAMELESS = "operator"
LONGEST_NAME = 40
LINK_SECRET = "sign_in_token"  # noqa: S105 - the name of a file in the data folder

FREE_MISSES = 3  # by one client, before it has to wait
FREE_MISSES_OF_SITE = 12  # by all networks of one IPv6 site
LONGEST_WAIT = timedelta(minutes=1)
FORGOTTEN = timedelta(minutes=15)
MOST_CLIENTS = 10_000
CROWD = 60  # misses of all clients together within a minute, from which on none is free


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


def is_link_secret(given: str) -> bool:
    """True for what stands behind the `#` of the sign-in link.

    It has 256 random bits, so it cannot be guessed and is never throttled: whatever others do at
    the sign-in page, an operator who can read the data folder gets in.
    """
    if settings.current().admin_password is None:
        return hmac.compare_digest(_digest(given), _digest(password()))
    try:
        secret = secret_files.kept_secret(settings.current().data_dir / LINK_SECRET)
    except StoreError:  # a data folder that cannot be written has no link
        return False
    return hmac.compare_digest(_digest(given), _digest(secret))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@dataclass
class Misses:
    """The wrong passwords of one network that were compared."""

    last_at: datetime
    count: int = 0

    def wait(self, now: datetime, free: int, *, crowded: bool) -> timedelta:
        """How long until its next password is compared; zero or less where it may be now."""
        if crowded and self.count:
            return self.last_at + LONGEST_WAIT - now
        if self.count < free:
            return timedelta(0)
        doubled = timedelta(seconds=2 ** min(self.count - free, 10))
        return self.last_at + min(doubled, LONGEST_WAIT) - now


class Throttle:
    """Makes guessing slow for each client, and slower while many clients guess.

    A password that comes too soon is refused without being compared and does not lengthen the
    wait. Nobody waits for misses outside their own networks: while many guess at once, each still
    has a first password compared, and then one a minute.
    """

    def __init__(self) -> None:
        self.networks: dict[str, Misses] = {}
        self.recent: list[datetime] = []
        self.lock = threading.Lock()

    def admit(self, *networks: str) -> None:
        """Count a password as wrong beforehand, so that a hundred at once are no loophole.

        `networks` are those of one client, narrowest first.

        Raises:
            TooManyTries
        """
        now = clock.now()
        with self.lock:
            self.recent = [at for at in self.recent if now - at < LONGEST_WAIT]
            crowded = len(self.recent) >= CROWD
            misses = [self._misses(network, now) for network in networks]
            wait = max(
                one.wait(now, free, crowded=crowded)
                for one, free in zip(misses, (FREE_MISSES, FREE_MISSES_OF_SITE), strict=False)
            )
            if wait > timedelta(0):
                raise TooManyTries(-int(-wait.total_seconds() // 1))
            self.recent.append(now)
            for one in misses:
                one.count, one.last_at = one.count + 1, now

    def _misses(self, network: str, now: datetime) -> Misses:
        known = self.networks.pop(network, None)
        if known is None or now - known.last_at > FORGOTTEN:
            known = Misses(now)
        self.networks[network] = known  # the newest stands last
        while len(self.networks) > MOST_CLIENTS:
            del self.networks[next(iter(self.networks))]
        return known

    def forgive(self, *networks: str) -> None:
        with self.lock:
            for network in networks:
                self.networks.pop(network, None)
            if self.recent:
                self.recent.pop()


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
        if not is_link_secret(given):
            self.throttle.admit(*client_networks(client))
            if not hmac.compare_digest(_digest(given), _digest(password())):
                raise WrongPassword
            self.throttle.forgive(*client_networks(client))
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


OFFICE = Office()
