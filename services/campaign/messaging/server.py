"""The mail server that a setting names."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

_PORTS = {"smtp": 587, "smtps": 465}
_STARTTLS = {"required": True, "optional": None}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over, and how."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    tls: bool = False
    """From the first byte."""
    starttls: bool | None = None
    """Demanded (True), or used where it is offered (None); False with `tls`."""

    @property
    def verified(self) -> bool:
        """Whether its certificate must be good: encryption that was not demanded is better than none without that."""
        return self.tls or bool(self.starttls)


def mail_server(url: str) -> MailServer | None:
    """What a URL says: smtp://user:password@host:port?starttls=required or smtps://...; None where it is empty.

    A password is only told to a server whose certificate is good, unless `starttls=optional` says otherwise. Raises
    ValueError, without the password.
    """
    if not url:
        return None
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    wanted = options.pop("starttls", None)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or options:
        raise ValueError("not smtp://user:password@host:port or smtps://...")
    if wanted is not None and (wanted not in _STARTTLS or parts.scheme == "smtps"):
        raise ValueError("starttls is required or optional, and of smtp:// only")
    tls = parts.scheme == "smtps"
    demanded = True if parts.username else None
    return MailServer(
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password is not None else None,
        tls=tls,
        starttls=False if tls else _STARTTLS[wanted] if wanted else demanded,
    )
