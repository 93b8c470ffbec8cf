"""What strangers send, and what each is answered: (status, code, codes of its fields)."""

import gzip
import zlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.api.sending import contact, purchase

EVENTS = "/v1/events"
JSON = {"Content-Type": "application/json"}
GZIP = {**JSON, "Content-Encoding": "gzip"}
MOST = 4 << 20


@dataclass(frozen=True)
class Bad:
    """A request that must be refused."""

    name: str
    status: int
    code: str
    fields: frozenset[tuple[str, str]] = frozenset()
    method: str = "POST"
    path: str = EVENTS
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=lambda: JSON)


def body(name: str, status: int, code: str, content: bytes, headers: dict[str, str] = JSON) -> Bad:
    return Bad(name, status, code, body=content, headers=headers)


def event(name: str, code: str, *fields: tuple[str, str], **changes: Any) -> Bad:
    """A purchase with something wrong; it is judged, and refused with 422."""
    content = orjson.dumps(purchase("bad", **changes))
    return Bad(name, 422, code, frozenset(fields), body=content)


def wrong(name: str, pointer: str, code: str, **changes: Any) -> Bad:
    """One field of the event is wrong."""
    return event(name, "validation_failed", (pointer, code), **changes)


def early_or_late(name: str, time: str) -> Bad:
    return event(name, "time_out_of_range", ("/time", "time_out_of_range"), time=time)


def of_nobody(name: str, customer: str) -> Bad:
    return event(name, "customer_not_found", ("/customer", "customer_not_found"), customer=customer)


def data(name: str, *fields: tuple[str, str], **changes: Any) -> Bad:
    """A purchase with something wrong in its data."""
    good = purchase("bad")["data"] | changes
    content = {name: value for name, value in good.items() if value is not ...}
    return event(name, "validation_failed", *fields, data=content)


def total(name: str, pointer: str, code: str, amount: object, currency: object = "CNY") -> Bad:
    fault = (f"/data/total{pointer}", code)
    return data(name, fault, total={"amount": amount, "currency": currency})


def raw_total(name: str, status: int, code: str, amount: bytes) -> Bad:
    """An amount that no encoder of JSON would write."""
    text = orjson.dumps(purchase("bad")).replace(b'"35.80"', amount)
    return body(name, status, code, text)


def get(
    name: str, status: int, code: str, path: str, *fields: tuple[str, str], **headers: str
) -> Bad:
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    return Bad(name, status, code, frozenset(fields), "GET", path, None, given)


BODIES = [
    body("nothing", 400, "invalid_json", b""),
    body("spaces", 400, "invalid_json", b"   "),
    body("not JSON", 400, "invalid_json", b"purchase!"),
    body("half of it", 400, "invalid_json", b'{"id": "x"'),
    body("two values", 400, "invalid_json", b"{} {}"),
    body("XML", 400, "invalid_json", b"<event/>"),
    body("a form", 400, "invalid_json", b"id=1&type=purchase.completed"),
    body("a byte order mark", 400, "invalid_json", b"\xef\xbb\xbf{}"),
    body("UTF-16", 400, "invalid_text", '{"id": "x"}'.encode("utf-16")),
    body("binary garbage", 400, "invalid_text", bytes(range(256))[128:] * 100),
    body("a NUL byte", 400, "invalid_json", b'{"id": "x\x00"}'),
    body("a NUL character", 400, "invalid_text", b'{"id": "x\\u0000"}'),
    body("a NUL in a name", 400, "invalid_text", b'{"id\\u0000": "x"}'),
    body("half a surrogate pair", 400, "invalid_text", b'{"id": "\\ud83d"}'),
    body("surrogates the wrong way round", 400, "invalid_text", b'{"id": "\\ude00\\ud83d"}'),
    body("a surrogate in UTF-8", 400, "invalid_text", b'{"id": "\xed\xa0\x80"}'),
    body("2^70", 400, "number_out_of_range", b'{"id": 1180591620717411303424}'),
    body("a hundred thousand digits", 400, "number_out_of_range", b'{"id": %s}' % (b"9" * 100_000)),
    body("1e999", 400, "number_out_of_range", b'{"id": 1e999}'),
    body("65 levels", 400, "too_deep", b'{"data":' * 65 + b"1" + b"}" * 65),
    body("a million levels", 400, "too_deep", b"[" * 1_000_000 + b"]" * 1_000_000),
    body("5 MB", 413, "too_large", b" " * 5_000_000),
    body("one byte too many", 413, "too_large", b" " * (MOST + 1)),
    body("5 MB, packed", 413, "too_large", gzip.compress(b" " * 5_000_000), GZIP),
    body("a zip bomb", 413, "too_large", gzip.compress(b"[" * 64_000_000, 9), GZIP),
    body("a bomb in a bomb", 400, "invalid_text", gzip.compress(gzip.compress(b"0" * MOST)), GZIP),
    body("truncated gzip", 400, "invalid_encoding", gzip.compress(b'{"id": "x"}')[:-9], GZIP),
    body("gzip's first bytes", 400, "invalid_encoding", b"\x1f\x8b", GZIP),
    body("not gzip", 400, "invalid_encoding", b'{"id": "x"}', GZIP),
    body("zlib as gzip", 400, "invalid_encoding", zlib.compress(b"{}"), GZIP),
    body("something after gzip", 400, "invalid_encoding", gzip.compress(b"{}") + b"more", GZIP),
    body("brotli", 415, "unsupported_encoding", b"{}", {**JSON, "Content-Encoding": "br"}),
    body("gzip twice", 415, "unsupported_encoding", b"{}", {**JSON, "Content-Encoding": "gzip, gzip"}),
    body("nonsense encoding", 415, "unsupported_encoding", b"{}", {**JSON, "Content-Encoding": "é".encode().hex()}),
    body("no content type", 415, "unsupported_media_type", b"{}", {}),
    *(
        body(f"content type {kind}", 415, "unsupported_media_type", b"{}", {"Content-Type": kind})
        for kind in ("text/plain", "application/xml", "text/json", "multipart/form-data", ";", "*/*")
    ),
    body("2,501 events", 413, "too_many_events", b"[" + b",".join([b"{}"] * 2501) + b"]"),
    body("2,501 times nothing", 413, "too_many_events", b"[" + b",".join([b"null"] * 2501) + b"]"),
    *(
        Bad(f"a bare {text.decode()}", 422, "validation_failed", frozenset({("", "not_an_object")}), body=text)
        for text in (b"null", b"true", b"5", b'"event"', b"1.5e3")
    ),
]  # fmt: skip

DOLLAR = {"amount": "1.00", "currency": "USD"}
LARGE = {"note": "x" * 132_000}
HISTORY = frozenset({("?history", "wrong_format")})

JUDGED = [
    wrong("no id", "/id", "missing", id=...),
    wrong("a number as id", "/id", "not_a_string", id=7),
    wrong("an object as id", "/id", "not_a_string", id={"$ne": ""}),
    wrong("an empty id", "/id", "too_short", id=""),
    wrong("a long id", "/id", "too_long", id="x" * 257),
    wrong("no type", "/type", "missing", type=...),
    event("an unknown type", "unknown_type", ("/type", "unknown_type"), type="purchase.imagined"),
    event("a template as type", "unknown_type", ("/type", "unknown_type"), type="[limit] %s $1"),
    event("a type of ours", "unknown_type", ("/type", "unknown_type"), type="history.closed"),
    wrong("a list as type", "/type", "not_a_string", type=["a"]),
    wrong("a number as source", "/source", "not_a_string", source=1),
    wrong("null as source", "/source", "missing", source=None),
    event("no customer", "no_customer", ("/customer", "missing"), customer=...),
    event("null as customer", "no_customer", ("/customer", "missing"), customer=None),
    event("nobody", "no_customer", ("/customer", "no_customer"), customer={}),
    event("a worthless phone", "no_customer", ("/customer", "no_customer"), customer={"phone": "00000000000"}),
    event("a worthless name", "no_customer", ("/customer", "no_customer"), customer={"user_id": "null"}),
    wrong("a number as customer", "/customer", "not_an_object", customer=42),
    wrong("a list of customers", "/customer", "not_an_object", customer=["member_no:1"]),
    wrong("a number as identifier", "/customer/member_no", "not_a_string", customer={"member_no": 42}),
    wrong("an unknown identifier", "/customer/shoe", "unknown_identifier_type", customer={"shoe": "42"}),
    wrong("no reference", "/customer", "wrong_format", customer="M42"),
    wrong("ids in ids", "/customer/id", "wrong_format", customer="id:" * 1000),
    wrong("a novel as customer", "/customer", "too_long", customer="id:" * 100_000),
    of_nobody("an id of nobody", "01934b5c-7a00-7000-8000-000000000001"),
    of_nobody("a number of nobody", "C1999999999"),
    early_or_late("year 0001", "0001-01-01T00:00:00Z"),
    early_or_late("year 0001, further east", "0001-01-01T00:00:00+14:00"),
    early_or_late("year 1969", "1969-12-31T23:59:59Z"),
    early_or_late("year 2999", "2999-01-01T00:00:00Z"),
    early_or_late("year 9999, further west", "9999-12-31T23:59:59-14:00"),
    wrong("year 10000", "/time", "not_a_time", time="10000-01-01T00:00:00Z"),
    wrong("a local time", "/time", "not_a_time", time="2026-11-20T12:00:00"),
    wrong("a number as time", "/time", "not_a_time", time=1763611391),
    wrong("the 30th of February", "/time", "not_a_time", time="2026-02-30T12:00:00Z"),
    wrong("an empty time", "/time", "not_a_time", time=""),
    event("no data", "validation_failed", ("/data/order_id", "missing"), ("/data/total", "missing"), data=...),
    wrong("a list as data", "/data", "not_an_object", data=[]),
    wrong("text as data", "/data", "not_an_object", data="{}"),
    wrong("null as data", "/data", "not_an_object", data=None),
    data("a number as order", ("/data/order_id", "not_a_string"), order_id=1),
    data("an object as order", ("/data/order_id", "not_a_string"), order_id={}),
    data("a blank order", ("/data/order_id", "wrong_format"), order_id="  "),
    data("text as items", ("/data/items", "not_a_list"), items=1),
    data("a line of text", ("/data/items/0", "not_an_object"), items=["milk"]),
    data("a quantity below 0", ("/data/items/1/quantity", "too_small"), items=[{}, {"quantity": -1}]),
    data("a quantity as text", ("/data/items/0/quantity", "not_a_number"), items=[{"quantity": "2"}]),
    data("an endless quantity", ("/data/items/0/quantity", "too_big"), items=[{"quantity": 1e300}]),
    data("2,001 lines", ("/data/items", "too_long"), items=[{}] * 2001),
    data("an unknown zone", ("/data/timezone", "unknown_timezone"), timezone="Mars/Olympus"),
    data("another currency", ("/data/discount/currency", "other_currency"), discount=DOLLAR),
    data("what only we may say", ("/data/settled", "reserved_field"), settled={"before": None}),
    data("no money", ("/data/total", "not_an_object"), total="35.80"),
    total("an unknown currency", "/currency", "unknown_currency", "1.00", "XXQ"),
    total("a currency in small letters", "/currency", "unknown_currency", "1.00", "cny"),
    total("a number as currency", "/currency", "not_a_string", "1.00", 156),
    total("NaN as text", "/amount", "invalid_amount", "NaN"),
    total("Infinity as text", "/amount", "invalid_amount", "Infinity"),
    total("1e3 as text", "/amount", "invalid_amount", "1e3"),
    total("words as amount", "/amount", "invalid_amount", "a lot"),
    total("Arabic digits", "/amount", "invalid_amount", "١٢"),
    total("true as amount", "/amount", "invalid_amount", True),
    total("null as amount", "/amount", "invalid_amount", None),
    total("below zero", "/amount", "too_small", "-1.00"),
    total("half a cent", "/amount", "too_many_decimals", "1.005"),
    total("half a yen", "/amount", "too_many_decimals", "1.5", "JPY"),
    total("more than there is", "/amount", "not_below", "1000000000000000"),
    total("forty digits", "/amount", "not_below", "9" * 40),
    total("a thousand digits", "/amount", "invalid_amount", "9" * 1000),
    raw_total("NaN", 400, "invalid_json", b"NaN"),
    raw_total("Infinity", 400, "invalid_json", b"-Infinity"),
    raw_total("2^70 as amount", 400, "number_out_of_range", b"1180591620717411303424"),
    raw_total("1e400 as amount", 400, "number_out_of_range", b"1e400"),
    raw_total("1e300 as amount", 422, "validation_failed", b"1e300"),
    body("129 KB in one event", 413, "event_too_large", orjson.dumps(contact("cookie:x", data=LARGE))),
    Bad("a bogus import", 422, "validation_failed", HISTORY, path=f"{EVENTS}?history=a%20b", body=b"[]"),
    Bad("NUL in the query", 400, "invalid_text", path=f"{EVENTS}?history=%00", body=b"[]"),
]  # fmt: skip

TIMELINE = "/v1/timelines/cookie:bad-input"
FROM_BEFORE = f"{TIMELINE}?from=0001-01-01T00:00:00%2B14:00"
NOBODY = "/v1/timelines/01934b5c-7a00-7000-8000-000000000001"
QUARANTINE = "/v1/quarantine/interaction"
CONTACTS = "/v1/interactions"
RETRACT = f"{CONTACTS}/01934b5c-7a00-7000-8000-000000000001/retract"

READS = [
    *(
        get(f"limit {limit!r}", 422, "validation_failed", f"{TIMELINE}?limit={limit}", ("?limit", code))
        for limit, code in (
            ("0", "too_small"),
            ("-1", "too_small"),
            ("501", "too_big"),
            ("99999999999999999999999", "too_big"),
            ("abc", "not_an_integer"),
            ("", "not_an_integer"),
            ("1.5", "not_an_integer"),
            ("%FF", "not_an_integer"),
        )
    ),
    *(
        get(f"cursor {cursor!r}", 400, "invalid_cursor", f"{path}?cursor={cursor}")
        for path in (TIMELINE, QUARANTINE)
        for cursor in ("x", "AAAA", "%ED%A0%80", "W10", "WzEsMl0", "bnVsbA", "'%3B--", "=" * 50)
    ),
    get("an endless cursor", 422, "validation_failed", f"{TIMELINE}?cursor={'A' * 2001}", ("?cursor", "too_long")),
    get("a bogus sort", 422, "validation_failed", f"{TIMELINE}?sort=colour", ("?sort", "not_allowed")),
    get("count of maybe", 422, "validation_failed", f"{TIMELINE}?count=maybe", ("?count", "not_a_boolean")),
    get("from tomorrow", 422, "validation_failed", f"{TIMELINE}?from=tomorrow", ("?from", "not_a_time")),
    get("from no zone", 422, "validation_failed", f"{TIMELINE}?from=2026-11-20T00:00:00", ("?from", "not_a_time")),
    get("from year 0", 422, "validation_failed", f"{TIMELINE}?from=0000-01-01T00:00:00Z", ("?from", "not_a_time")),
    get("from before all", 422, "validation_failed", FROM_BEFORE, ("?from", "not_a_time")),
    get("to after all", 422, "validation_failed", f"{TIMELINE}?to=9999-12-31T23:59:59-14:00", ("?to", "not_a_time")),
    *(
        get(f"position {position!r}", 400, "invalid_position", TIMELINE, Tenure_Wait_For=position)
        for position in (
            "", "x", "interaction.0", "interaction.0.x", "interaction.-1.1", "interaction.8.1",
            "interaction.99999.1", "nobody.0.1", "interaction.0.1,", "interaction.0.1;interaction.1.1",
            "interaction.0." + "9" * 30, ",".join(["interaction.0.1"] * 1025), "profile.0.1 OR 1=1",
        )
    ),
    get("NUL in the path", 404, "not_found", "/v1/timelines/member_no:%00"),
    get("NUL in the query of a read", 400, "invalid_text", f"{TIMELINE}?type=a%00b"),
    get("nobody's id", 404, "customer_not_found", NOBODY),
    get("no id at all", 404, "customer_not_found", "/v1/timelines/not-a-uuid"),
    get("a reference to nobody", 404, "customer_not_found", "/v1/timelines/member_no:null"),
    get("a surrogate in the path", 404, "customer_not_found", "/v1/timelines/member_no:%ED%A0%80"),
    get("no UTF-8 in the path", 404, "customer_not_found", "/v1/timelines/%FF%FE"),
    get("an endless path", 404, "customer_not_found", f"/v1/timelines/member_no:{'x' * 5000}"),
    get("a path that climbs", 404, "not_found", "/v1/timelines/..%2F..%2Fetc%2Fpasswd"),
    get("an unknown path", 404, "not_found", "/v1/nothing"),
    get("a slash too many", 404, "not_found", "/v1/event-types/"),
    get("a bad UUID", 404, "not_found", f"{QUARANTINE}/not-a-uuid"),
    get("an entry of nobody", 404, "quarantine_entry_not_found", f"{QUARANTINE}/01934b5c-7a00-7000-8000-000000000001"),
    get("another service's quarantine", 404, "not_found", "/v1/quarantine/profile"),
    get("an unknown status", 422, "validation_failed", f"{QUARANTINE}?status=lost", ("?status", "wrong_format")),
    get("a reason too long", 422, "validation_failed", f"{QUARANTINE}?reason={'x' * 101}", ("?reason", "too_long")),
    get("events cannot be read here", 405, "method_not_allowed", EVENTS),
    Bad("events cannot be deleted", 405, "method_not_allowed", method="DELETE", headers={}),
    Bad("a bogus history", 400, "invalid_history", path="/v1/history/a%20b/close", headers={}),
    get("a bogus choice", 422, "validation_failed", f"{CONTACTS}?retracted=1", ("?retracted", "not_allowed")),
    Bad("a contact of nobody taken back", 404, "interaction_not_found", path=RETRACT, headers={}),
    Bad("no contact's id taken back", 404, "not_found", path=f"{CONTACTS}/x/retract", body=b"{}"),
    *(
        Bad(f"taken back with {text.decode()}", 422, "validation_failed", frozenset({field}), path=RETRACT, body=text)
        for text, field in (
            (b"[]", ("", "not_an_object")),
            (b'{"why": "x"}', ("/why", "unknown_field")),
            (b'{"reason": {}}', ("/reason", "not_a_string")),
            (b'{"reason": " "}', ("/reason", "too_short")),
        )
    ),
    Bad("NUL in a reason", 400, "invalid_text", path=RETRACT, body=b'{"reason": "\\u0000"}'),
    get("no key", 401, "unauthorised", TIMELINE, Authorization=""),
    get("a wrong key", 401, "invalid_credentials", TIMELINE, Authorization="Bearer tn_0123456789abcdef0123456789"),
    get("an endless key", 401, "invalid_credentials", TIMELINE, Authorization="Bearer " + "x" * 5000),
    get("a broken Basic", 401, "invalid_credentials", TIMELINE, Authorization="Basic %%%"),
    get("another scheme", 401, "unauthorised", TIMELINE, Authorization="Digest x"),
]  # fmt: skip
