"""E-mail addresses that can be written into an envelope and a header, and nothing else."""

import re
from email.headerregistry import Address
from email.utils import getaddresses

LONGEST = 254
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"(?=.{{1,64}}\Z){_ATOM}(?:\.{_ATOM})*", re.ASCII)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def usable(address: str) -> str | None:
    """An address as any mail server takes it: ASCII, a domain in other letters as IDNA writes it. None where it is
    none, or its own part is not ASCII (few servers take that)."""
    local, at, domain = address.strip().rpartition("@")
    if not at or not _LOCAL.fullmatch(local):
        return None
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    if not _DOMAIN.fullmatch(ascii_domain):
        return None
    found = f"{local}@{ascii_domain}"
    return found if len(found) <= LONGEST else None


def sender_of(text: str) -> Address | None:
    """Who sends: `address` or `Name <address>`. None where nothing is said; raises ValueError for what is none."""
    if not text.strip():
        return None
    found = getaddresses([text])
    name, written = found[0] if len(found) == 1 else ("", "")
    address = usable(written)
    if address is None or not name.isprintable() or len(text.splitlines()) > 1:
        raise ValueError("not an address, nor a name and <address>")
    return Address(display_name=name, addr_spec=address)
