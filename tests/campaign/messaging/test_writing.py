"""What stands in a mail: what was written, and nothing that was not."""

import email
import email.policy
from datetime import UTC, datetime
from email.headerregistry import Address
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.campaign.messaging.addresses import sender_of, usable
from services.campaign.messaging.writing import (
    PLACEHOLDERS,
    compose,
    filled,
    is_one_line,
    one_line,
    unknown_placeholders,
)

ID = UUID("01934b5c-7a00-7000-8000-0000000000dd")
AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SENDER = Address("小店", addr_spec="news@shop.example")
HEADERS = {
    *("Content-Type", "MIME-Version", "Content-Transfer-Encoding"),
    *("Message-ID", "Date", "From", "To", "Subject"),
}
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=300)


def written(subject: str = "您好", text: str = "您好", sender: Address = SENDER):
    raw = compose(
        sender=sender, to="li@example.com", subject=subject, text=text, message_id=ID, at=AT
    )
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    return email.message_from_bytes(raw, policy=email.policy.default)


def lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@given(texts)
@example("x" * 2000)
@example("\n.\n..\n")
@example("第一行\r\n第二行")
def test_the_text_arrives(text):
    found = written(text=text)
    assert found.get_content_charset() == "utf-8"
    assert lines(found.get_content()) == lines(text)


@given(texts.map(one_line).filter(bool))
@example("您好，" + "这是一个很长的主题" * 20)
@example("a b  c 中 d e 文 f" * 12)
@example("=?utf-8?q?x?=")
@example("x" * 200)
def test_the_subject_arrives(subject):
    assert written(subject)["Subject"] == one_line(subject)


@given(texts)
@example("x\r\nBcc: eve@example.com")
@example("x\nBcc: eve@example.com")
@example("x\rBcc: eve@example.com\r\n\r\nwhat follows")
@example("x\x85Bcc: eve@example.com")
@example("x\u2028Bcc: eve@example.com")
@example("x\x0bBcc: eve@example.com")
def test_no_subject_begins_another_header(subject):
    found = written(subject)
    assert set(found.keys()) == HEADERS
    assert len(found.keys()) == len(HEADERS)
    assert lines(found.get_content()) == "您好"
    assert is_one_line(one_line(subject))


def test_the_envelope_of_headers():
    found = written()
    assert found["Message-ID"] == f"<{ID}@shop.example>"
    assert found["Date"].datetime == AT
    assert (found["From"].addresses[0].display_name, found["To"]) == ("小店", "li@example.com")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Li.Lei+x@Example.COM", "Li.Lei+x@Example.COM"),
        (" li@example.com ", "li@example.com"),
        ("li@例子.公司", "li@xn--fsqu00a.xn--55qx5d"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_usable(address, expected):
    assert usable(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "li",
            "@b.cn",
            "li@",
            "李@example.com",
            "a b@c.cn",
            "a@b c.cn",
            "a..b@c.cn",
            ".a@c.cn",
        ),
        *("a@-b.cn", "a@b-.cn", "a@.cn", "a@b..cn", "a@[1.2.3.4]", '"a b"@c.cn', "a@b@c.cn"),
        *("a@b.cn\r\nRCPT TO:<eve@c.cn>", "a\n@b.cn", "a@b.cn>", "<a@b.cn", "a\0@b.cn"),
        *("a@b\x85.cn", "x" * 65 + "@b.cn", "a@" + ".".join(["b" * 60] * 5)),
    ],
)
def test_not_usable(address):
    assert usable(address) is None


@given(st.text() | st.text(st.sampled_from('ab@.<>\r\n\t ,;:"\\例')))
def test_what_is_usable_is_nothing_but_an_address(address):
    found = usable(address)
    if found is not None:
        assert found.isascii()
        assert not set(found) & set('\r\n\t <>,;:"\\()[]\0\x7f')
        assert len(found) <= 254


def test_senders():
    assert sender_of("news@shop.example") == Address("", addr_spec="news@shop.example")
    assert sender_of("小店 <news@shop.example>") == SENDER
    assert sender_of('"Shop, Ltd." <a@b.cn>').display_name == "Shop, Ltd."
    assert sender_of(" ") is None
    for wrong in ("shop", "Shop <shop>", "Shop <a@b.cn>\r\nBcc: c@d.cn", "a@b.cn, c@d.cn"):
        with pytest.raises(ValueError):
            sender_of(wrong)
    found = written(sender=sender_of('"Shop, Ltd." <a@b.cn>'))
    assert found["From"].addresses[0].display_name == "Shop, Ltd."


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("Dear {{name}},", {"name": "李雷"}, "Dear 李雷,"),
        ("Dear {{ name | customer }},", {}, "Dear customer,"),
        ("Dear {{name}},", {}, "Dear ,"),
        ("{{name|x}} of {{company|y}}", {"company": "Acme"}, "x of Acme"),
        ("{{name}}", {"name": "{{company}}", "company": "no"}, "{{company}}"),
        ("{name} }} { {", {"name": "x"}, "{name} }} { {"),
    ],
)
def test_placeholders(text, values, expected):
    assert filled(text, values) == expected
    assert list(unknown_placeholders(text)) == []


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("{{nmae}}", ["nmae"]),
        ("{{phone|x}} {{name}}", ["phone|x"]),
        ("{{ name", ["name"]),
        ("{{}}", [""]),
        ("{{name|{{company}}}}", ["name|"]),
    ],
)
def test_unknown_placeholders(text, unknown):
    assert list(unknown_placeholders(text)) == unknown


def test_every_placeholder_is_filled():
    text = " ".join(f"{{{{{name}}}}}" for name in PLACEHOLDERS)
    assert filled(text, dict.fromkeys(PLACEHOLDERS, "x")) == " ".join("x" for _ in PLACEHOLDERS)
