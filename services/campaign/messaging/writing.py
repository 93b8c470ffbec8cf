"""A message as it is sent: placeholders filled in, as RFC 5322 wants it."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, formataddr
from uuid import UUID

PLACEHOLDERS = ("name", "company", "occupation", "region", "industry")
"""Attributes of the customer that a text may name."""
_PLACEHOLDER = re.compile(r"\{\{ *(\w+) *(?:\|([^{}]*))?\}\}", re.ASCII)
_OPENED = re.compile(r"\{\{([^{}\n]{0,64})")
_LINE_END = re.compile(r"\r\n|\r|\n")
_POLICY = compat32.clone(linesep="\r\n")
_PLAIN = 60
"""Characters of a subject that stand on one line."""


def unknown_placeholders(text: str) -> Iterator[str]:
    """What stands in double braces and is no placeholder."""
    rest = _PLACEHOLDER.sub(lambda one: "" if one[1] in PLACEHOLDERS else one[0], text)
    return (found[1].strip() for found in _OPENED.finditer(rest))


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with each `{{name}}` replaced by what is known; where nothing is, by what stands behind `|`."""
    return _PLACEHOLDER.sub(lambda one: values.get(one[1]) or (one[2] or "").strip(), text)


def is_one_line(text: str) -> bool:
    """Whether a text has neither control characters nor ends of lines, of any kind."""
    return not any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in text)


def one_line(text: str) -> str:
    """The text without them: what stands in a header can never begin another."""
    return " ".join("".join(char if is_one_line(char) else " " for char in text).split())


def compose(
    *, sender: Address, to: str, subject: str, text: str, message_id: UUID, at: datetime
) -> bytes:
    """The message, in ASCII. Its Message-ID is made of our id, so that one sent twice can be known by it."""
    mail = MIMEText(_LINE_END.sub("\r\n", text), "plain", "utf-8")
    mail["Message-ID"] = f"<{message_id}@{sender.domain}>"
    mail["Date"] = format_datetime(at)
    mail["From"] = formataddr((sender.display_name, sender.addr_spec))
    mail["To"] = to
    mail["Subject"] = _subject(one_line(subject))
    return mail.as_bytes(policy=_POLICY)


def _subject(text: str) -> str:
    """As it stands, or in encoded words: the ones that `EmailMessage` makes lose spaces."""
    if text.isascii() and len(text) <= _PLAIN and "=?" not in text:
        return text
    return Header(text, "utf-8", header_name="Subject").encode(linesep="\r\n")
