"""Judging what publishers send, without a database."""

import contextlib
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.interaction import arrivals
from services.interaction.judging import FIRST, FUTURE, Judge, Refused, _content_hash
from shared.language import EVENT_TYPES, PUBLISHABLE
from shared.settings import KernelSettings
from tests.interaction.judged import NOW, data_of, fault, faults, judge, refusal, sent


def test_a_good_event():
    arrival = judge(sent(), history="import-1")
    assert (arrival.id, arrival.source, arrival.type) == (
        "pos-7-1",
        "store-7/pos",
        "purchase.completed",
    )
    assert arrival.time == datetime(2026, 11, 20, 4, 3, 11, tzinfo=UTC)
    assert (arrival.utcoffset, arrival.receivedtime, arrival.history) == (480, NOW, "import-1")
    assert arrival.customer == {"member_no": "M42"}
    assert data_of(arrival) == sent()["data"]
    assert arrivals.decode(arrivals.encode(arrival)) == arrival


@pytest.mark.parametrize("name", sorted(PUBLISHABLE))
def test_every_example_is_good_as_it_is(name):
    example = EVENT_TYPES[name].example
    arrival = judge(sent(type=name, data=example))
    assert example.items() <= data_of(arrival).items()


@pytest.mark.parametrize("event", [None, 5, "event", [], [sent()], True])
def test_an_event_is_an_object(event):
    assert fault(event) == ("", "not_an_object")


@pytest.mark.parametrize("field", ["id", "source", "type"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        (7, "not_a_string"),
        ({"a": 1}, "not_a_string"),
        ("", "too_short"),
        (" \n", "too_short"),
        ("x" * 257, "too_long"),
        ("a\0b", "invalid_text"),
        (None, "missing"),
    ],
)
def test_texts_of_the_envelope(field, value, code):
    assert fault(sent(**{field: value})) == (f"/{field}", code)


def test_what_is_required():
    assert fault(sent(id=...)) == ("/id", "missing")
    assert fault(sent(type=...)) == ("/type", "missing")
    assert faults(sent(customer=...)) == ("no_customer", [("/customer", "missing")])
    assert set(faults(sent(data=...))[1]) == {
        ("/data/order_id", "missing"),
        ("/data/total", "missing"),
    }


def test_the_source_is_the_keys_name_where_none_is_given():
    assert judge(sent(source=...)).source == "the-key"


@pytest.mark.parametrize("name", ["nope", "purchase.corrected", "history.closed", "clock.ticked"])
def test_types_that_no_publisher_may_send(name):
    refused = refusal(sent(type=name))
    assert (refused.code, refused.params) == ("unknown_type", {"type": name})
    assert refused.errors[0].pointer == "/type"
    assert "purchase.completed" in refused.errors[0].params["allowed"]
    assert "clock.ticked" not in refused.errors[0].params["allowed"]


class TestCustomer:
    """Identifiers are normalised; those that name nobody are left out."""

    @pytest.mark.parametrize(
        ("customer", "found"),
        [
            ({"member_no": " M42 "}, {"member_no": "M42"}),
            ({"phone": "138 0013 8000"}, {"phone": "+8613800138000"}),
            ({"phone": "+86-138-0013-8000"}, {"phone": "+8613800138000"}),
            ({"email": " Li.Lei@Example.COM "}, {"email": "li.lei@example.com"}),
            ({"member_no": "M42", "email": None}, {"member_no": "M42"}),
            ({"member_no": "M42", "user_id": "null"}, {"member_no": "M42"}),
            ({"member_no": "M42", "phone": "00000000000"}, {"member_no": "M42"}),
            ({"member_no": "M42", "id": None, "number": ""}, {"member_no": "M42"}),
            ("member_no:M42", {"member_no": "M42"}),
            (" member_no:M42  phone:13800138000 ", {"member_no": "M42", "phone": "+8613800138000"}),
            ("user_id:a:b", {"user_id": "a:b"}),
            ("C2026000123", {"number": "C2026000123"}),
            ("c2026000123", {"number": "C2026000123"}),
            ({"number": "C7"}, {"number": "C7"}),
            (
                "01934b5c-7a00-7000-8000-000000000001",
                {"id": "01934b5c-7a00-7000-8000-000000000001"},
            ),
            (
                {"id": "01934B5C-7A00-7000-8000-000000000001"},
                {"id": "01934b5c-7a00-7000-8000-000000000001"},
            ),
        ],
    )
    def test_who(self, customer, found):
        assert judge(sent(customer=customer)).customer == found

    @pytest.mark.parametrize(
        "customer",
        [
            None,
            {},
            "",
            "  ",
            {"member_no": None},
            {"member_no": ""},
            {"user_id": "undefined"},
            {"phone": "000-0000-0000"},
            {"phone": "call me"},
            {"email": "nobody"},
            {"anonymous_id": "[object Object]"},
            "member_no:",
            "cookie:null phone:0",
        ],
    )
    def test_nobody(self, customer):
        assert refusal(sent(customer=customer)).code == "no_customer"

    @pytest.mark.parametrize(
        ("customer", "pointer", "code"),
        [
            (5, "/customer", "not_an_object"),
            (["member_no:M42"], "/customer", "not_an_object"),
            ({"member_no": 42}, "/customer/member_no", "not_a_string"),
            ({"id": 42}, "/customer/id", "not_a_string"),
            ({"shoe_size": "42"}, "/customer/shoe_size", "unknown_identifier_type"),
            ({"a/b~c": "42"}, "/customer/a~1b~0c", "unknown_identifier_type"),
            ({"x" * 5000: "42"}, f"/customer/{'x' * 64}", "unknown_identifier_type"),
            ({"id": "M42"}, "/customer/id", "wrong_format"),
            ({"number": "M42"}, "/customer/number", "wrong_format"),
            ({"number": "member_no:M42"}, "/customer/number", "wrong_format"),
            ("M42", "/customer", "wrong_format"),
            ("C²", "/customer", "wrong_format"),
            ("shoe_size:42", "/customer/shoe_size", "unknown_identifier_type"),
            ("id:" * 50_000, "/customer", "too_long"),
            ("id:" * 1_000, "/customer/id", "wrong_format"),
        ],
    )
    def test_not_a_customer(self, customer, pointer, code):
        assert fault(sent(customer=customer)) == (pointer, code)

    def test_an_event_that_identifies_brings_its_identifiers(self):
        data = {"identifiers": {"user_id": "u-1", "email": "A@B.cn", "phone": "null"}}
        event = sent(type="customer.identified", data=data, customer={"user_id": "u-2"})
        assert judge(event).customer == {"user_id": "u-2", "email": "a@b.cn"}


class TestContent:
    """Is it the same event again?"""

    def test_the_order_of_fields_does_not_matter(self):
        event = sent()
        other = dict(reversed(event.items()))
        other["data"] = dict(reversed(event["data"].items()))
        assert judge(other).contenthash == judge(event).contenthash

    @pytest.mark.parametrize(
        "name", ["sentAt", "sent_at", "receivedAt", "received_at", "originalTimestamp"]
    )
    def test_what_is_set_anew_on_every_attempt_does_not_matter(self, name):
        assert judge(sent(**{name: "1"})).contenthash == judge(sent()).contenthash

    def test_when_it_was_received_does_not_matter(self):
        event = sent(time=...)
        later = judge(event, received=NOW + timedelta(hours=1))
        assert later.contenthash == judge(event).contenthash
        assert judge(event, history="x").contenthash == judge(event).contenthash

    @pytest.mark.parametrize(
        "change",
        [
            {"time": "2026-11-20T12:03:12+08:00"},
            {"customer": {"member_no": "M43"}},
            {"data": {"order_id": "A-1", "total": {"amount": "35.81", "currency": "CNY"}}},
            {"note": "other"},
        ],
    )
    def test_everything_else_does(self, change):
        assert judge(sent(**change)).contenthash != judge(sent()).contenthash


def test_one_event_has_a_limit():
    data = sent()["data"] | {"note": "x" * (128 * 1024)}
    refused = refusal(sent(data=data))
    assert (refused.code, refused.params) == ("event_too_large", {"limit": 131_072})
    assert judge(sent(data=data | {"note": "x" * (127 * 1024)}))


def test_unknown_fields_of_data_are_kept_and_those_of_the_envelope_are_not():
    data = sent()["data"] | {"colour": "red"}
    assert data_of(judge(sent(data=data, colour="blue")))["colour"] == "red"


def test_a_refusal_keeps_places_and_codes_but_no_values():
    refused = refusal(sent(data={"order_id": "A-1", "total": {"amount": "secret"}}))
    assert "secret" not in str(refused.detail())
    assert refused.detail()["errors"] == [{"pointer": "/data/total/currency", "code": "missing"}]


def test_the_strongest_identifier_says_where_it_goes():
    customer = {"cookie": "c", "member_no": "M1", "phone": "+1"}
    assert arrivals.strongest(customer) == ("member_no", "M1")
    assert arrivals.strongest(customer | {"id": "x"}) == ("id", "x")
    assert arrivals.partition_for(customer, 8) == arrivals.partition_for({"member_no": "M1"}, 8)


def test_only_our_own_secret_signs():
    value = arrivals.encode(judge(sent()))
    signature = arrivals.sign(value, b"ours")
    assert arrivals.is_ours(value, signature, b"ours")
    assert not arrivals.is_ours(value, signature, b"theirs")
    assert not arrivals.is_ours(value + b" ", signature, b"ours")
    assert not arrivals.is_ours(value, None, b"ours")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(("id", "source", "type", "time", "customer", "data", "x")), json_values
    ),
    st.sampled_from(sorted(PUBLISHABLE)),
    st.booleans(),
)
def test_whatever_is_sent_it_is_taken_or_refused(changes, type_, typed):
    event = sent(**changes) | ({"type": type_} if typed else {})
    with contextlib.suppress(Refused):
        assert arrivals.decode(arrivals.encode(judge(event)))


_moments = st.integers(-86_400, 4_102_444_800).map(lambda s: datetime.fromtimestamp(s, UTC))


@given(_moments, st.integers(-3, 3), st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York"]))
def test_times_by_the_rule(received, hours, zone):
    """Neither before 1970 nor more than a day after whichever is later, the arrival or the clock."""
    now = received + timedelta(hours=hours)
    judge_ = Judge(KernelSettings(timezone=zone), lambda: now)
    for hours_ahead in (0, 22, 24, 25, 27):
        at = received + timedelta(hours=hours_ahead)
        allowed = FIRST <= at <= max(received, now) + FUTURE
        event = sent(time=at.isoformat().replace("+00:00", "Z"))
        if not allowed:
            with pytest.raises(Refused, match="time_out_of_range"):
                judge_.event(event, default_source="x", history=None, received=received)
            continue
        arrival = judge_.event(event, default_source="x", history=None, received=received)
        local = at.astimezone(ZoneInfo(zone)).utcoffset()
        assert (arrival.time, arrival.utcoffset) == (at, int(local.total_seconds() // 60))


_fields = st.sampled_from(["id", "sentAt", "sent_at", "receivedAt", "originalTimestamp", "b", "a"])


@given(st.dictionaries(_fields, st.integers(0, 3)))
def test_the_hash_of_content_is_that_of_what_counts(event):
    """Written down by the door for ever: the same bytes as always."""
    ignored = {"sentAt", "sent_at", "receivedAt", "originalTimestamp"}
    counts = {name: event[name] for name in sorted(event) if name not in ignored}
    text = orjson.dumps(counts)
    assert _content_hash(event) == blake2b(text, digest_size=16).hexdigest()


@given(st.binary(max_size=64), st.binary(min_size=1, max_size=80))
def test_a_signature_is_a_keyed_hash(value, secret):
    expected = blake2b(value, digest_size=16, key=secret[:64]).digest()
    assert arrivals.sign(value, secret) == expected
    assert arrivals.is_ours(value, expected, secret)
    assert not arrivals.is_ours(value + b"x", expected, secret)
