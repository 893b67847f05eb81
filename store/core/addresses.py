"""Host names, URLs, email addresses and database URLs in settings, validated and normalised.

Each function returns the normalised value, or raises ValueError with the rest of a sentence that
begins with the name of the setting. No sentence contains the value.
"""

import ipaddress
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

HOST = re.compile(r"([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5}))?", re.I | re.ASCII)
LABEL = re.compile(r"(?![-_])[a-z0-9_-]{1,63}(?<!-)")
HOST_HEADER = re.compile(r"([^\[\]:/@\s]+|\[[0-9a-fA-F:.]+\])(:[0-9]{0,5})?")
LOCAL_PART = re.compile(r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+)*")
PATH_CHARACTERS = "/%:@!$&'()*+,;=~-._"
POSTGRESQL = "postgresql+psycopg2://"
DEFAULT_PORTS = {"http": 80, "https": 443}
SQLITE = "sqlite:///"
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
EXAMPLE = "must be an address such as https://shop.example.com"


def host_name(text: str, *, underscores: bool = False) -> str:
    """A host as browsers send it: lower case, punycode, an IPv6 address in brackets.

    `underscores` allows them, which container networks use and no public name may have.
    """
    bracketed = text.startswith("[") and text.endswith("]")
    try:
        address = ipaddress.ip_address(text[1:-1] if bracketed else text)
    except ValueError:
        name = text.rstrip(".")
    else:
        return f"[{address}]" if address.version == 6 else str(address)
    if name.isascii():
        name = name.lower()
    else:
        import idna  # noqa: PLC0415 - large tables, which few shops need

        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise ValueError("holds no valid host name") from None
    labels = name.split(".")
    if "_" in name and not underscores:
        raise ValueError("has an underscore in its host name, which Stripe and browsers refuse")
    if len(name) > 253 or labels[-1].isdigit() or not all(map(LABEL.fullmatch, labels)):
        raise ValueError("holds no valid host name")
    return name


def host_pattern(text: str) -> str:
    """One entry of ALLOWED_HOSTS in Django's spelling: a host, `.example.com`, or `*`."""
    if text == "*":
        return text
    if "://" in text or "/" in text:
        raise ValueError("holds an address; write the host name alone, such as shop.example.com")
    text = text.removeprefix("*") if text.startswith("*.") else text
    if "*" in text:
        raise ValueError("holds a * that is no entry of its own; write .example.com for subdomains")
    if re.fullmatch(r"(\[.*\]|[^:]*):[0-9]+", text):
        raise ValueError("holds a port, which is not compared; write the host name alone")
    return f".{host_name(text[1:])}" if text.startswith(".") else host_name(text)


def host_allowed(header: str, patterns: Sequence[str]) -> bool:
    """Whether a Host header names one of the `patterns` that `host_pattern` returned.

    As in Django, `.example.com` is the domain and all its subdomains, and a port is not compared.
    """
    if "*" in patterns:
        return True
    if not (match := HOST_HEADER.fullmatch(header)):
        return False
    try:
        host = host_name(match[1], underscores=True)
    except ValueError:
        return False
    return any(
        pattern == host or (pattern.startswith(".") and f".{host}".endswith(pattern))
        for pattern in patterns
    )


def host_of(address: str) -> str:
    """The host of an address that `web_address` returned, without its port; empty for none."""
    netloc = urlsplit(address).netloc
    return f"{netloc.partition(']')[0]}]" if "]" in netloc else netloc.partition(":")[0]


def web_address(text: str, *, public: bool = False) -> str:
    """An http(s) URL to which a path can be appended; `public` ones are used by browsers."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(EXAMPLE) from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or "\\" in text:
        raise ValueError(EXAMPLE)
    if any(sign in text for sign in "?# \t\r\n") or port == 0 or not text.isprintable():
        raise ValueError(f"{EXAMPLE}, without ? or #")
    if "@" in parts.netloc:
        raise ValueError("holds a user name or a password, which nobody would send; leave it out")
    host = host_name(host_of(text), underscores=not public)  # `parts` has it in lower case
    usual = DEFAULT_PORTS[parts.scheme]  # browsers leave it out
    shown = "" if port is None or (public and port == usual) else f":{port}"
    return f"{parts.scheme}://{host}{shown}{quote(parts.path, safe=PATH_CHARACTERS).rstrip('/')}"


def api_base(text: str) -> str:
    """The URL of a server in place of Stripe's; the SDK appends `/v1`."""
    address = web_address(text)
    if address.endswith("/v1"):
        raise ValueError("ends in /v1, which is added to it anyway; leave that out")
    return address


def email(text: str) -> str:
    """An email address that Stripe accepts: ASCII before the @, a full domain after it."""
    local, _, domain = text.rpartition("@")
    try:
        host = host_name(domain)
    except ValueError:
        host = ""
    top = host.rpartition(".")[2] if "." in host else ""
    is_full = len(top) > 1 and not top.isdigit() and LOCAL_PART.fullmatch(local)
    if not is_full or len(local) > 64 or len(text) > 254:
        raise ValueError("is not an e-mail address that Stripe accepts")
    return f"{local}@{host}"


def database_url(text: str, root: Path) -> str:
    """A database URL as SQLAlchemy takes it; a relative SQLite file lies under `root`."""
    for scheme in ("postgres://", "postgresql://"):  # SQLAlchemy would take another driver
        if text.startswith(scheme):
            text = f"{POSTGRESQL}{text.removeprefix(scheme)}"
    if text.startswith(POSTGRESQL):
        return _postgresql_url(text)
    if text.startswith(("sqlite://", "sqlite+")):
        return _sqlite_url(text, root)
    raise ValueError("must begin with postgresql:// or sqlite:///")


def _sqlite_url(text: str, root: Path) -> str:
    name, _, parameters = text.removeprefix(SQLITE).partition("?")
    in_memory = name.lower() in ("", ":memory:", "file::memory:") or "mode=memory" in parameters
    if text == "sqlite://" or in_memory:
        raise ValueError("must name a file, which all processes of the shop can share")
    if not text.startswith(SQLITE):
        raise ValueError("must begin with sqlite:/// and then name a file")
    if parameters or name.startswith("file:"):
        raise ValueError("must be sqlite:/// and a plain path, without parameters")
    path = local_path(unquote(name), root)
    with suppress(OSError):
        if path.is_dir():
            raise ValueError("names a folder; it must name a file")
    return sqlite_url(path)


def sqlite_url(path: Path) -> str:
    """The URL of a file; in a URL a % or ? of its path would mean something else."""
    return f"{SQLITE}{quote(path.as_posix(), safe='/:')}"


def _postgresql_url(text: str) -> str:
    """The URL, unchanged once it is valid.

    An unescaped `@`, `/`, `?` or `#` in the password would end the host part early; such a URL is
    recognised by an `@` in the wrong place.
    """
    try:
        parts = urlsplit(text)
        _port = parts.port
    except ValueError:
        raise ValueError(
            "cannot be read as postgresql://user:password@host:5432/name; special characters in "
            "the password must be percent-encoded"
        ) from None
    behind = parts.path if "@" in parts.netloc else parts.path + parts.query
    if parts.netloc.count("@") > 1 or "@" in behind or parts.fragment or " " in parts.netloc:
        raise ValueError(
            "holds special characters in its password that must be percent-encoded (@ is %40, "
            "/ is %2F, # is %23, ? is %3F)"
        )
    if parts.query:
        _check_parameters([name for name, _ in parse_qsl(parts.query, keep_blank_values=True)])
    return text


def _check_parameters(names: Sequence[str]) -> None:
    # Imported here: the driver takes a twentieth of a second, and few URLs have parameters.
    from psycopg2 import ProgrammingError  # noqa: PLC0415
    from psycopg2.extensions import parse_dsn  # noqa: PLC0415

    for name in names:
        shown = name if re.fullmatch(r"\w{1,40}", name) else "one"
        try:
            if not name.isidentifier():
                raise ProgrammingError
            parse_dsn(f"{name}=''")
        except ProgrammingError:
            hint = "; for a schema write options=-csearch_path=NAME" if name == "schema" else ""
            raise ValueError(
                f"has a parameter that PostgreSQL does not know: {shown}{hint}"
            ) from None
        if names.count(name) > 1 and name not in ("host", "port"):
            raise ValueError(f"has the parameter {shown} more than once")


def local_path(text: str, root: Path) -> Path:
    """An absolute path: `~` is the home folder, and a relative path lies under `root`."""
    if text.startswith("$") or "${" in text:
        raise ValueError("holds a variable, which is not replaced; write the path out")
    if not text.isprintable():
        raise ValueError("holds characters that no path here may have")
    try:
        return root / Path(text).expanduser()
    except RuntimeError:
        raise ValueError("begins with ~ and a user that has no home folder") from None


def folder(text: str, root: Path) -> Path:
    """A folder that exists or can be created; never a file."""
    path = local_path(text, root)
    try:
        taken = next((each for each in (path, *path.parents) if each.exists()), path)
        if not taken.is_dir():
            raise ValueError("names a file; it must name a folder")
    except OSError as error:
        raise ValueError(f"names a folder that cannot be used ({error.strerror})") from None
    return path


class Host(NamedTuple):
    """A host name in lower case (an IPv6 address in brackets), and its port where one is given."""

    name: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> "Host | None":
        """None for anything that is not exactly a host and an optional port."""
        if not (match := HOST.fullmatch(text)):
            return None
        port = int(match[2]) if match[2] else None
        return None if port is not None and not 0 < port < 65536 else cls(match[1].lower(), port)

    def __str__(self) -> str:
        return self.name if self.port is None else f"{self.name}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """True for names and addresses of this machine itself."""
        if self.name == "localhost" or self.name.endswith(".localhost"):
            return True
        address = ip_address(self.name.strip("[]"))
        return address is not None and address.is_loopback

    def same(self, other: "Host", scheme: str) -> bool:
        """Equal where a missing port is the default port of `scheme`."""
        default = DEFAULT_PORTS[scheme]
        return (self.name, self.port or default) == (other.name, other.port or default)


def ip_address(text: str) -> IPAddress | None:
    """The IP address, with `::ffff:a.b.c.d` as IPv4; None if the text is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(address: str) -> bool:
    """True for a URL of this machine."""
    host = Host.parse(host_of(address))
    return host is not None and host.is_loopback
