"""Marks: texts that nobody else has. They stand in whatever says who somebody is, so that one can look for a person
in heaps of bytes. A mark is lower-case letters and digits, or a telephone number."""

import base64
import re
from random import Random

PREFIX = "zqmark"
DIGITS = 14
PHONE = "+861390"
"""Every telephone number of this workload begins so; seven digits follow."""

# Looked for by how they begin, in what was made lower case before: that is many times as fast as to have `re` try both
# cases at every place. It holds up all that runs in this process, the proxies among it.
_NAME = re.compile(rb"%s[0-9a-f]{%d}" % (PREFIX.encode(), DIGITS))
_NUMBER = re.compile(rb"86(1390\d{7})")
_LENGTH = len(PREFIX) + DIGITS
_HEX = re.compile(rb"%s(?:3[0-9]|6[1-6]){%d}" % (PREFIX.encode().hex().encode(), DIGITS))


def _in_base64(before: int) -> tuple[bytes, re.Pattern[bytes]]:
    """How to find what base64 makes of a mark that begins at byte `before` of a group of three, and what to put
    before that to read it."""
    made = base64.b64encode(bytes(before) + PREFIX.encode()).rstrip(b"=")
    first = before and before + 1  # the first character that tells of the mark alone
    last = len(made) - (1 if (before + len(PREFIX)) % 3 else 0)
    most = 4 * -(-(before + _LENGTH) // 3) - last
    known = re.escape(made[first:last])
    return made[:first], re.compile(known + rb"[A-Za-z0-9+/_-]{16,%d}" % most)


_BASE64 = [_in_base64(before) for before in range(3)]


def new_mark(random: Random) -> str:
    return f"{PREFIX}{random.getrandbits(4 * DIGITS):0{DIGITS}x}"


def new_phone(random: Random) -> str:
    return f"{PHONE}{random.randrange(10**7):07}"


def marks_in(value: bytes) -> set[str]:
    """All marks in there: as they are, in hexadecimal digits, or as base64 writes them."""
    lower = value.lower()
    found = _plain(lower)
    for one in _HEX.finditer(lower):
        found |= _plain(bytes.fromhex(one[0].decode()))
    for before, pattern in _BASE64:
        for one in pattern.finditer(value):
            text = before + one[0].replace(b"-", b"+").replace(b"_", b"/")
            found |= _plain(base64.b64decode(text[: len(text) // 4 * 4] + _rest(text)).lower())
    return found


def _rest(text: bytes) -> bytes:
    """The last group of four, filled up."""
    over = text[len(text) // 4 * 4 :]
    return over + b"=" * (4 - len(over)) if len(over) > 1 else b""


def _plain(lower: bytes) -> set[str]:
    return {one.decode() for one in (*_NAME.findall(lower), *_NUMBER.findall(lower))}
