"""Track events: Segment's names of them, and which of our types each is."""

from collections.abc import Callable
from typing import Any

from services.interaction.segment import baskets
from services.interaction.segment.fields import Fields, invalid, present, text_of, words_of

Told = tuple[str, dict[str, Any]]
"""Type and data of one of our events."""

_KINDS = {
    "search": ("Products Searched",),
    "page_view": (
        *("Product List Viewed", "Product List Filtered", "Viewed Product Category"),
        *("Product Viewed", "Viewed Product", "Cart Viewed", "Checkout Started"),
        *("Checkout Step Viewed", "Promotion Viewed"),
    ),
    "click": (
        *("Product Clicked", "Clicked Product", "Product Added", "Added Product"),
        *("Product Removed", "Removed Product", "Checkout Step Completed", "Payment Info Entered"),
        *("Coupon Entered", "Coupon Applied", "Coupon Denied", "Coupon Removed"),
        *("Product Added to Wishlist", "Product Removed from Wishlist"),
        "Wishlist Product Added to Cart",
    ),
    "campaign_response": ("Promotion Clicked",),
    "social": ("Product Shared", "Cart Shared"),
}
_DIRECTIONS = {
    "Live Chat Conversation Started": "inbound",
    "Live Chat Message Sent": "inbound",
    "Live Chat Message Received": "outbound",
    "Live Chat Conversation Ended": None,
}
"""Sent means: by the customer."""
_MESSAGES = {
    "Email Delivered": "message.delivered",
    "Email Opened": "message.opened",
    "Email Link Clicked": "message.clicked",
    "Email Bounced": "message.bounced",
    "Email Marked as Spam": "message.complained",
}
_COMPLETED = ("Order Completed", "Completed Order", "Order Updated", "Updated Order")

_kind_of = {name.casefold(): kind for kind, names in _KINDS.items() for name in names}
_direction_of = {name.casefold(): direction for name, direction in _DIRECTIONS.items()}
_message_of = {name.casefold(): type_ for name, type_ in _MESSAGES.items()}


def track(event: str, properties: Fields, currency: str) -> Told:
    """Which event of ours it is, whatever the case of its name. Raises `Refused`."""
    name = event.casefold()
    if name in _ORDERS:
        return _ORDERS[name](properties, currency)
    if name in _message_of:
        return _message_of[name], _message(properties)
    if name == "unsubscribed":
        return "consent.changed", _unsubscribed(properties)
    if name in _direction_of:
        data = _chat(properties) | present(direction=_direction_of[name])
    elif name == "product reviewed":
        data = {"kind": "other"} | present(feedback=words_of(properties.get("review_body")))
    else:
        data = {"kind": _kind_of.get(name, "other")} | present(content=_query(name, properties))
    return "interaction.recorded", data | _shown(event, properties)


def is_of_an_email(event: str) -> bool:
    """Whether `context.traits` are those of the one to whom an e-mail was sent."""
    return event.casefold() in {*_message_of, "unsubscribed"}


def _completed(properties: Fields, currency: str) -> Told:
    return "purchase.completed", baskets.completed(properties, currency)


def _refunded(properties: Fields, currency: str) -> Told:
    return "purchase.refunded", baskets.refunded(properties, currency)


def _cancelled(properties: Fields, _currency: str) -> Told:
    return "purchase.cancelled", baskets.cancelled(properties)


_ORDERS: dict[str, Callable[[Fields, str], Told]] = {
    **{name.casefold(): _completed for name in _COMPLETED},
    "order refunded": _refunded,
    "order cancelled": _cancelled,
}


def _message(properties: Fields) -> dict[str, Any]:
    named = (words_of(properties.get(name)) for name in ("email_id", "message_id", "campaign_id"))
    message_id = next((one for one in named if one), None)
    if message_id is None:
        raise invalid("/properties/email_id", "missing")
    campaign = words_of(properties.get("campaign_name")) or words_of(properties.get("campaign_id"))
    url = words_of(properties.get("link_url"))
    told = present(message_id=message_id, channel="email", campaign=campaign, url=url)
    return told | present(properties=dict(properties) or None)


def _unsubscribed(properties: Fields) -> dict[str, Any]:
    """Of one list, where it is named; else of everything that comes by e-mail."""
    topic = words_of(properties.get("list_name")) or words_of(properties.get("list_id"))
    told = present(channel="email", topic=topic[:64] if topic else None)
    return told | {"granted": False} | present(properties=dict(properties) or None)


def _chat(properties: Fields) -> dict[str, Any]:
    agent = words_of(properties.get("agent_id")) or words_of(properties.get("agent_username"))
    duration = properties.get("conversation_duration")
    is_number = isinstance(duration, int | float) and not isinstance(duration, bool)
    return {"kind": "chat", "channel": "chat"} | present(
        content=words_of(properties.get("message_body")),
        handled_by=agent,
        duration_s=duration if is_number else None,
    )


def _query(name: str, properties: Fields) -> str | None:
    return words_of(properties.get("query")) if name == "products searched" else None


def _shown(event: str, properties: Fields) -> dict[str, Any]:
    return {"subject": event} | present(
        product_ids=baskets.product_ids(properties),
        url=words_of(properties.get("url")),
        properties=dict(properties) or None,
    )


def event_name(message: Fields) -> str:
    """The `event` of a track message. Raises `Refused`."""
    name = text_of(message.get("event"), "/event")
    if name is None:
        raise invalid("/event", "missing")
    return name
