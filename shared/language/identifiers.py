"""Identifiers: the names by which the world's systems know a customer, and the events that map
them.

Normalising decides whether two spellings are the same customer, so it is part of the published
language: it must give the same answer in every service and for ever.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from shared.language.door import Personal
from shared.language.event_type import INTERACTION, EventType

TYPES = (
    "member_no",
    "user_id",
    "external_id",
    "unionid",
    "openid",
    "phone",
    "email",
    "device_id",
    "cookie",
    "anonymous_id",
)
"""Types of identifiers, strongest first."""

NUMBERED = frozenset(TYPES) - {"device_id", "cookie", "anonymous_id"}
"""Types that earn a customer number."""

LINK_LIMITS: Mapping[str, int] = {
    **dict.fromkeys(TYPES, 3),
    **dict.fromkeys(("member_no", "user_id", "external_id", "unionid", "openid"), 10),
}
"""How many customers an identifier of a type may link before it names nobody, unless the policy `merging` says
otherwise: a shop's own phone, or the tablet on its counter, is nobody's."""

MAX_LENGTH = 256
DEFAULT_REGION = "CN"
"""Where a phone number without a country code is taken to be."""

_WORTHLESS = frozenset(
    {
        *("", "null", "nil", "none", "undefined", "nan", "true", "false", "n/a", "na", "unknown"),
        *("anonymous", "guest", "not_authenticated", "not set", "(not set)", "[object object]"),
        *(
            "id",
            "email",
            "phone",
            "distinct_id",
            "distinctid",
            "user_id",
            "userid",
            "-",
            "无",
            "未知",
        ),
    }
)
_NOTHING = re.compile(r"[0\s._+()/:-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")


class IdentifiersAdded(Struct, frozen=True, gc=False):
    """These identifiers (type -> normalised value) are this customer's from now on."""

    identifiers: Personal[dict[str, str]] = {}


class IdentifiersLinked(Struct, frozen=True, gc=False):
    """One event named several known customers: they may be one person."""

    parts: list[str]
    """Ids of the customers that were named."""
    evidence: Personal[dict[str, str]] = {}
    """The identifiers (type -> normalised value) that named them."""
    named: dict[str, str] | None = None
    """Whom each of them named (type -> id); who is missing was named by our own id or number."""
    anonymous: list[str] | None = None
    """Those of the customers who had only anonymous identifiers until then."""


def normalise(type: str, value: str) -> str | None:  # noqa: A002  (the domain's own word)
    """Return the value in the one spelling under which it is kept; None where it names nobody.

    E-mail addresses are lower-cased, phone numbers brought to E.164 (default region: China),
    everything else is stripped. Placeholders ("", "null", 0000...) and what cannot be an address or
    a number name nobody.
    """
    stripped = value.strip()
    if len(stripped) > MAX_LENGTH or _is_worthless(stripped):
        return None
    if not stripped.isprintable() and _CONTROL.search(stripped):
        return None
    if type == "email":
        return _email(stripped)
    if type == "phone":
        return _phone(stripped)
    return stripped


def _is_worthless(value: str) -> bool:
    if value.lower() in _WORTHLESS:
        return True
    return not value[:1].isalpha() and _NOTHING.fullmatch(value) is not None


def _email(value: str) -> str | None:
    address = unicodedata.normalize("NFKC", value).lower()  # Chinese keyboards write ＠
    return address if _EMAIL.fullmatch(address) else None


@lru_cache(maxsize=65_536)
def _phone(value: str) -> str | None:
    import phonenumbers  # its tables take a tenth of a second to load

    try:
        number = phonenumbers.parse(value, DEFAULT_REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number) or len(set(str(number.national_number))) == 1:
        return None  # "possible", since new prefixes are given out before our tables know them
    text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{text};ext={number.extension}" if number.extension else text


EVENTS = (
    EventType(
        name="identifiers.added",
        struct=IdentifiersAdded,
        emitters=INTERACTION,
        example={"identifiers": {"member_no": "M42", "phone": "+8613800138000"}},
        description={
            "en": "Identifiers were added to a customer.",
            "zh": "客户新增了标识。",
        },
    ),
    EventType(
        name="identifiers.linked",
        struct=IdentifiersLinked,
        emitters=INTERACTION,
        example={
            "parts": [
                "01934b5c-7a00-7000-8000-000000000001",
                "01934b5c-7a00-7000-8000-000000000002",
            ],
            "evidence": {"member_no": "M42", "email": "li@example.com"},
        },
        description={
            "en": "One event named several known customers, who may be one person.",
            "zh": "同一事件指向多个已知客户，他们可能是同一人。",
        },
    ),
)
