"""Segment's messages as events of ours, judged by the same judge as any other."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.interaction.arrivals import Arrival
from services.interaction.judging import Refused
from services.interaction.segment.messages import Circumstances, translate
from services.interaction.segment.timing import time_of
from services.interaction.sent import Translated, Unreadable
from tests.interaction.judged import JUDGE, NOW, data_of

ORDER = {
    "checkout_id": "fksdjfsdjfisjf9sdfjsd9f",
    "order_id": "50314b8e9bcf000000000000",
    "affiliation": "Google Store",
    "total": 27.50,
    "subtotal": 22.50,
    "revenue": 25.00,
    "shipping": 3,
    "tax": 2,
    "discount": 2.5,
    "coupon": "hasbros",
    "currency": "USD",
    "products": [
        {
            "product_id": "507f1f77bcf86cd799439011",
            "sku": "45790-32",
            "name": "Monopoly: 3rd Edition",
            "price": 19,
            "quantity": 1,
            "category": "Games",
            "url": "https://www.example.com/product/path",
        },
        {"product_id": 505, "sku": "46493-32", "name": "Uno", "price": 3.10, "quantity": "2"},
    ],
}
"""The example of Segment's own specification, a little looser."""


def message(type_: str = "track", **changes: Any) -> dict[str, Any]:
    sent = {
        "type": type_,
        "messageId": "m-1",
        "userId": "u-1",
        "timestamp": "2026-11-20T04:03:11.000Z",
    } | changes
    return {name: value for name, value in sent.items() if value is not ...}


def translated(
    sent: Any, *, currency: str = "", history: bool = False, sent_at: Any = None
) -> Translated | Unreadable:
    given = Circumstances(
        received=NOW, source="web", currency=currency, history=history, new_id=lambda: "random"
    )
    return translate(sent, None, {}, sent_at, given)


def judged(sent: Any, **circumstances: Any) -> Arrival:
    """What the door makes of it. Raises `Refused`, pointers into the message."""
    made = translated(sent, **circumstances)
    if isinstance(made, Unreadable):
        assert isinstance(made.problem, Refused)
        raise made.problem
    try:
        return JUDGE.event(
            made.event, default_source="?", history=None, received=NOW, content=made.content
        )
    except Refused as refused:
        for error in refused.errors:
            object.__setattr__(error, "pointer", made.place(error.pointer))
        raise


def told(sent: Any, **circumstances: Any) -> tuple[str, dict[str, Any]]:
    arrival = judged(sent, **circumstances)
    return arrival.type, data_of(arrival)


def order(event: str = "Order Completed", **changes: Any) -> dict[str, Any]:
    properties = {n: v for n, v in (ORDER | changes).items() if v is not ...}
    return message(event=event, properties=properties)


def fault(sent: Any, **circumstances: Any) -> tuple[str, str]:
    """(pointer, code) of the one thing that is wrong."""
    with pytest.raises(Refused) as caught:
        judged(sent, **circumstances)
    [error] = caught.value.errors
    return error.pointer, error.code


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def test_an_order():
    arrival = judged(order())
    assert (arrival.id, arrival.source, arrival.type) == ("m-1", "web", "purchase.completed")
    assert arrival.customer == {"user_id": "u-1"}
    data = data_of(arrival)
    assert data == {
        "order_id": "50314b8e9bcf000000000000",
        "total": usd("27.50"),
        "discount": usd("2.50"),
        "tax": usd("2.00"),
        "shipping": usd("3.00"),
        "store": "Google Store",
        "coupons": ["hasbros"],
        "items": [
            {
                "product_id": "507f1f77bcf86cd799439011",
                "sku": "45790-32",
                "name": "Monopoly: 3rd Edition",
                "quantity": 1,
                "category": "Games",
                "url": "https://www.example.com/product/path",
                "unit_price": "19.00",
            },
            {
                "product_id": "505",
                "sku": "46493-32",
                "name": "Uno",
                "quantity": 2,
                "unit_price": "3.10",
            },
        ],
        "properties": {
            "checkout_id": "fksdjfsdjfisjf9sdfjsd9f",
            "subtotal": 22.5,
            "revenue": 25.0,
        },
    }


@pytest.mark.parametrize(
    ("changes", "total"),
    [
        ({"total": 12.1}, "12.10"),
        ({"total": 0.1 + 0.2}, "0.30"),
        ({"total": 27.499999999999996}, "27.50"),
        ({"total": "27.505"}, "27.51"),
        ({"total": 1e3}, "1000.00"),
        ({"total": 0}, "0.00"),
        ({"total": -0.001}, "0.00"),
        ({"total": None}, "27.50"),
        ({"total": ...}, "27.50"),
        ({"total": ..., "subtotal": ...}, "27.50"),
        ({"total": ..., "subtotal": ..., "tax": ..., "shipping": ..., "discount": ...}, "25.00"),
        ({"total": ..., "subtotal": ..., "revenue": ..., "value": 9}, "9.00"),
    ],
)
def test_what_was_paid(changes, total):
    _, data = told(order(**changes))
    assert data["total"] == usd(total)


@pytest.mark.parametrize(
    ("currency", "total", "amount"),
    [("JPY", 1250.0, "1250"), ("kwd", 1.25, "1.250"), ("CNY", 35.8, "35.80")],
)
def test_decimals_are_the_currencys(currency, total, amount):
    properties = {"order_id": 1, "total": total, "currency": currency}
    _, data = told(message(event="Order Completed", properties=properties))
    assert data == {"order_id": "1", "total": {"amount": amount, "currency": currency.upper()}}


def test_a_currency_is_assumed_only_where_it_is_set():
    assert fault(order(currency=...)) == ("/properties/currency", "missing")
    _, data = told(order(currency=...), currency="CNY")
    assert data["total"] == {"amount": "27.50", "currency": "CNY"}
    _, data = told(order(), currency="CNY")
    assert data["total"]["currency"] == "USD"


@pytest.mark.parametrize(
    ("event", "type_"),
    [
        ("Order Completed", "purchase.completed"),
        ("Completed Order", "purchase.completed"),
        ("order completed", "purchase.completed"),
        ("Order Updated", "purchase.completed"),
        ("Order Refunded", "purchase.refunded"),
        ("Order Cancelled", "purchase.cancelled"),
        ("Email Delivered", "message.delivered"),
        ("Email Opened", "message.opened"),
        ("Email Link Clicked", "message.clicked"),
        ("Email Bounced", "message.bounced"),
        ("Email Marked as Spam", "message.complained"),
        ("Unsubscribed", "consent.changed"),
    ],
)
def test_types(event, type_):
    assert told(order(event, email_id="e-1"))[0] == type_


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("Products Searched", "search"),
        ("Product List Viewed", "page_view"),
        ("Product List Filtered", "page_view"),
        ("Product Viewed", "page_view"),
        ("Viewed Product", "page_view"),
        ("Cart Viewed", "page_view"),
        ("Checkout Started", "page_view"),
        ("Checkout Step Viewed", "page_view"),
        ("Promotion Viewed", "page_view"),
        ("Product Clicked", "click"),
        ("Product Added", "click"),
        ("Product Removed", "click"),
        ("Checkout Step Completed", "click"),
        ("Payment Info Entered", "click"),
        ("Coupon Applied", "click"),
        ("Product Added to Wishlist", "click"),
        ("Promotion Clicked", "campaign_response"),
        ("Product Shared", "social"),
        ("Live Chat Message Sent", "chat"),
        ("Product Reviewed", "other"),
        ("Signed Up", "other"),
        ("注册", "other"),
    ],
)
def test_kinds(event, kind):
    type_, data = told(message(event=event, properties={"plan": "gold", "nested": {"a": [1]}}))
    assert (type_, data["kind"], data["subject"]) == ("interaction.recorded", kind, event)
    assert data["properties"] == {"plan": "gold", "nested": {"a": [1]}}


def test_particulars_of_track():
    _, data = told(message(event="Products Searched", properties={"query": "tea"}))
    assert data["content"] == "tea"
    _, data = told(
        message(event="Product Viewed", properties={"product_id": 7, "url": "https://x"})
    )
    assert (data["product_ids"], data["url"]) == (["7"], "https://x")
    _, data = told(message(event="Cart Viewed", properties=ORDER))
    assert data["product_ids"] == ["507f1f77bcf86cd799439011", "505"]
    chat = {"agent_id": "a-1", "conversation_duration": 45, "message_body": "But my stapler"}
    _, data = told(message(event="Live Chat Message Received", properties=chat))
    assert (data["direction"], data["handled_by"], data["duration_s"]) == ("outbound", "a-1", 45)
    assert data["content"] == "But my stapler"
    review = {"product_id": "P", "review_body": "Good"}
    assert told(message(event="Product Reviewed", properties=review))[1]["feedback"] == "Good"
    _, data = told(message(event="Unsubscribed", properties={"list_name": "New customers"}))
    assert (data["channel"], data["granted"], data["topic"]) == ("email", False, "New customers")
    mail = {"email_id": "e-1", "campaign_name": "Autumn", "link_url": "https://x"}
    _, data = told(message(event="Email Link Clicked", properties=mail))
    assert (data["message_id"], data["campaign"], data["url"]) == ("e-1", "Autumn", "https://x")
    assert data["channel"] == "email"


@pytest.mark.parametrize(
    ("changes", "amount"),
    [({}, "27.50"), ({"total": ..., "revenue": ...}, "25.20"), ({"total": ...}, "25.00")],
)
def test_refunds(changes, amount):
    type_, data = told(order("Order Refunded", refund_id="R-1", **changes))
    assert (type_, data["amount"], data["refund_id"]) == ("purchase.refunded", usd(amount), "R-1")


def test_a_refund_of_an_unknown_amount_is_refused():
    sent = message(event="Order Refunded", properties={"order_id": "1", "currency": "USD"})
    assert fault(sent) == ("/properties/total", "missing")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (order(order_id=...), ("/properties/order_id", "missing")),
        (order(order_id=True), ("/properties/order_id", "not_a_string")),
        (order(order_id="x" * 257), ("/properties/order_id", "too_long")),
        (order(total="many"), ("/properties/total", "invalid_amount")),
        (order(total=True), ("/properties/total", "invalid_amount")),
        (order(total=[1]), ("/properties/total", "invalid_amount")),
        (order(total="NaN"), ("/properties/total", "invalid_amount")),
        (order(total="1e999999999"), ("/properties/total", "not_below")),
        (order(total="9" * 41), ("/properties/total", "invalid_amount")),
        (order(total=1e15), ("/properties/total", "not_below")),
        (order(total=-5), ("/properties/total", "too_small")),
        (order(discount=-5), ("/properties/discount", "too_small")),
        (order(currency="XXX"), ("/properties/currency", "unknown_currency")),
        (order(currency=7), ("/properties/currency", "unknown_currency")),
        (order(products={}), ("/properties/products", "not_a_list")),
        (order(products=["x"]), ("/properties/products/0", "not_an_object")),
        (order(products=[{"price": "x"}]), ("/properties/products/0/price", "invalid_amount")),
        (order(products=[{"quantity": -1}]), ("/properties/products/0/quantity", "too_small")),
        (order(products=[{"name": []}]), ("/properties/products/0/name", "not_a_string")),
        (message(event=...), ("/event", "missing")),
        (message(event="x" * 513), ("/event", "too_long")),
        (message(event="x", properties=[]), ("/properties", "not_an_object")),
        (message(event="Email Opened"), ("/properties/email_id", "missing")),
        (message("identify", traits="x"), ("/traits", "not_an_object")),
        (message("identify", traits={"name": []}), ("/traits/name", "not_a_string")),
        (message("identify", context=5), ("/context", "not_an_object")),
        (message("group"), ("/groupId", "missing")),
        (message("alias"), ("/previousId", "missing")),
        (message("alias", userId=..., previousId="x"), ("/userId", "missing")),
        (message("page", userId=...), ("/userId", "no_customer")),
        (message("page", userId="null"), ("/userId", "no_customer")),
        (message("page", userId=[]), ("/userId", "not_a_string")),
        (message("page", messageId="x" * 101), ("/messageId", "too_long")),
        (message("page", messageId=[]), ("/messageId", "not_a_string")),
        (message("page", timestamp="yesterday"), ("/timestamp", "not_a_time")),
        (message("page", timestamp=5), ("/timestamp", "not_a_time")),
        (message("page", timestamp="2999-01-01T00:00:00Z"), ("/timestamp", "time_out_of_range")),
        (
            message("page", timestamp="0001-01-01T00:00:00+09:00"),
            ("/timestamp", "time_out_of_range"),
        ),
        (message("delete"), ("/type", "not_allowed")),
        (message(...), ("/type", "not_allowed")),
        (5, ("", "not_an_object")),
    ],
)
def test_refused(sent, expected):
    assert fault(sent) == expected


def test_too_large():
    with pytest.raises(Refused) as caught:
        judged(message("page", properties={"x": "x" * 32_768}))
    assert caught.value.code == "event_too_large"
    assert judged(message("page", properties={"x": "x" * 32_000}))


def test_identify():
    sent = message(
        "identify",
        anonymousId="a-1",
        traits={
            "email": "Li@Example.com",
            "phone": 13800138000,
            "firstName": "Han Meimei",
            "lastName": "Wu",
            "title": "engineer",
            "birthday": "1988-05-17T00:00:00.000Z",
            "company": {"name": "Initech", "industry": "Software", "employee_count": 120},
            "address": {"state": "CA", "city": "San Jose"},
            "plan": "gold",
        },
        context={
            "traits": {"email": "old@example.com", "gender": "female"},
            "externalIds": [
                {"id": "o-1", "type": "openid", "collection": "users", "encoding": "none"},
                {"id": "M42", "type": "member_no"},
                {"id": "h", "type": "unionid", "encoding": "sha256"},
                {"id": "acme", "type": "external_id", "collection": "accounts"},
                {"id": "t", "type": "ios.push_token"},
                "x",
                {"type": []},
            ],
        },
    )
    arrival = judged(sent)
    assert arrival.customer == {
        "user_id": "u-1",
        "anonymous_id": "a-1",
        "email": "li@example.com",
        "phone": "+8613800138000",
        "openid": "o-1",
        "member_no": "M42",
    }
    traits = data_of(arrival)["traits"]
    assert arrival.type == "customer.described"
    assert traits["name"] == "Han Meimei Wu"
    assert (traits["company"], traits["industry"], traits["size"]) == ("Initech", "Software", "120")
    assert (traits["gender"], traits["occupation"]) == ("female", "engineer")
    assert (traits["birthday"], traits["region"]) == ("1988-05-17", "CA")
    assert (traits["plan"], traits["company_details"]["employee_count"]) == ("gold", 120)


@pytest.mark.parametrize(
    ("traits", "name"),
    [
        ({"name": "李雷"}, "李雷"),
        ({"firstName": "雷", "lastName": "李"}, "李雷"),
        ({"first_name": "Lei", "last_name": "Li"}, "Lei Li"),
        ({"firstName": "Lei"}, "Lei"),
        ({"name": "Li Lei", "firstName": "x", "lastName": "y"}, "Li Lei"),
    ],
)
def test_names(traits, name):
    assert told(message("identify", traits=traits))[1]["traits"]["name"] == name


def test_an_identify_that_describes_nothing_joins():
    type_, data = told(message("identify", anonymousId="a-1"))
    assert type_ == "customer.identified"
    assert data == {"identifiers": {"user_id": "u-1", "anonymous_id": "a-1"}}


def test_alias():
    arrival = judged(message("alias", previousId="a-1"))
    assert (arrival.type, arrival.customer) == (
        "customer.identified",
        {"user_id": "u-1", "anonymous_id": "a-1"},
    )


def test_group_names_no_customer():
    traits = {"name": "Initech", "industry": "Software", "employees": 50, "email": "i@x.io"}
    arrival = judged(message("group", groupId=7, traits=traits))
    assert arrival.customer == {"user_id": "u-1"}
    assert data_of(arrival)["traits"] == {
        "company": "Initech",
        "industry": "Software",
        "size": "50",
        "group": {"id": "7", **traits},
    }


def test_page_and_screen():
    page = {"url": "https://shop.example/tea", "referrer": "https://x"}
    sent = message("page", name="Tea", category="Drinks", properties=page)
    type_, data = told(sent)
    assert type_ == "interaction.recorded"
    assert data == {
        "kind": "page_view",
        "channel": "web",
        "subject": "Tea",
        "url": "https://shop.example/tea",
        "properties": {"category": "Drinks", **page},
    }
    _, data = told(message("page", context={"page": {"url": "https://y"}}))
    assert data == {"kind": "page_view", "channel": "web", "url": "https://y"}
    assert told(message("screen", name="Basket"))[1]["channel"] == "app"


def test_the_recipient_of_an_email_is_a_customer():
    context = {"traits": {"email": "p@initech.com"}}
    mail = message(event="Email Opened", userId=..., properties={"email_id": "e"}, context=context)
    assert judged(mail).customer == {"email": "p@initech.com"}
    other = message(event="Signed Up", context=context)
    assert judged(other).customer == {"user_id": "u-1"}


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("written", "sent", "at"),
    [
        # The clock is right: as written, also after a slow way through the network.
        (NOW - minutes(10), NOW, NOW - minutes(10)),
        (NOW - minutes(10), NOW - timedelta(seconds=4), NOW - minutes(10)),
        # It is behind, ahead, or years off: what counts is how long before sending it was.
        (NOW - minutes(70), NOW - minutes(60), NOW - minutes(10)),
        (NOW + minutes(50), NOW + minutes(60), NOW - minutes(10)),
        (
            datetime(2000, 1, 1, tzinfo=UTC),
            datetime(2000, 1, 1, 0, 10, tzinfo=UTC),
            NOW - minutes(10),
        ),
        (
            datetime(2999, 1, 1, tzinfo=UTC),
            datetime(2999, 1, 1, 0, 10, tzinfo=UTC),
            NOW - minutes(10),
        ),
        # An old event, sent by a right clock.
        (datetime(2020, 1, 1, tzinfo=UTC), NOW, datetime(2020, 1, 1, tzinfo=UTC)),
        # `sentAt` cannot be.
        (NOW - minutes(10), NOW - minutes(60), NOW - minutes(10)),
        (NOW - minutes(10), datetime(2050, 1, 1, tzinfo=UTC), NOW - minutes(10)),
        (NOW + minutes(5), NOW + minutes(1), NOW + minutes(5)),
        (
            datetime(1970, 1, 2, tzinfo=UTC),
            NOW + minutes(600),
            datetime(1970, 1, 1, 14, tzinfo=UTC),
        ),
    ],
)
def test_clock_skew(written, sent, at):
    found = time_of({"timestamp": text(written)}, text(sent), NOW, correct=True)
    assert found == text(at)


@pytest.mark.parametrize("sent", [None, "", "now", 5, [], "9999-12-31T23:59:59-12:00"])
def test_without_a_sane_sent_at_the_time_holds_as_written(sent):
    assert time_of({"timestamp": "2026-11-20T04:03:11Z"}, sent, NOW, correct=True) == (
        "2026-11-20T04:03:11Z"
    )


def test_what_was_corrected_before_and_a_backfill_are_left_alone():
    old = "2026-11-20T04:03:11Z"
    assert time_of({"timestamp": old}, old, NOW, correct=False) == old
    forwarded = {"timestamp": old, "originalTimestamp": "2026-11-20T05:00:00Z"}
    assert time_of(forwarded, old, NOW, correct=True) == old
    assert time_of({"originalTimestamp": old}, None, NOW, correct=True) == old


def test_where_the_customer_was():
    assert judged(message("page", timestamp="2026-11-20T12:03:11+09:00")).utcoffset == 540
    assert judged(message("page", timestamp="2026-11-20T12:03:11+00:00")).utcoffset == 480
    assert judged(message("page", timestamp="2026-11-20T12:03:11")).utcoffset == 480
    zone = {"timezone": "America/New_York"}
    assert judged(message("page", context=zone)).utcoffset == -300
    assert judged(message("page", context={"timezone": "Mars"})).utcoffset == 480
    assert judged(message("page", timestamp=...)).time == NOW


def test_another_attempt_is_the_same():
    """A new `sentAt` changes the corrected time, and nothing that a repeat is known by."""
    first = judged(message("page", sentAt=text(NOW + minutes(60))))
    again = judged(
        message("page", sentAt=text(NOW + minutes(61)), writeKey="k", _metadata={"n": 1})
    )
    assert first.time != again.time
    assert first.contenthash == again.contenthash
    other = judged(message("page", name="x", sentAt=text(NOW + minutes(60))))
    assert other.contenthash != first.contenthash


def test_a_message_without_an_id():
    named = [judged(message("page", messageId=missing)).id for missing in (..., None, "")]
    assert len(set(named)) == 1
    assert judged(message("page", messageId=..., sentAt=text(NOW))).id == named[0]
    assert judged(message("page", messageId=..., name="x")).id != named[0]
    assert judged(message("page", messageId=..., timestamp=...)).id == "random"
