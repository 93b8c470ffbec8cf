"""Tags that facts support, by the policy `tags`: each rule answers a tag or nothing."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from services.profile.projector.lifecycle import Walker, usual_interval
from services.profile.projector.purchases import Purchases, main_currency
from services.profile.projector.rules import TagRules
from services.profile.projector.state import Profile
from services.profile.projector.view import Reason, Tag
from shared.bounded import Register, Stamp
from shared.moments import DAY, moment, whole_minute

DERIVED, MANUAL = "derived", "manual"
LONGEST_TAG = 120

_NEEDS = (
    ("need:price-sensitive", ("price", "价格", "性价比", "便宜", "优惠", "discount")),
    ("need:quality-first", ("quality", "质量", "品质")),
    ("need:service-demanding", ("service", "服务")),
)
_VALUES = ("industry", "size", "region")


def derived(state: Profile, walker: Walker, clock: int | None, rules: TagRules) -> list[Tag]:
    """Every tag that the facts support at the clock (microseconds since 1970)."""
    found = [tag for rule in _RULES if (tag := rule(state, rules)) is not None]
    if walker.days == 1:
        found += not_repurchased(walker, clock, rules)
    elif walker.days:
        found += _habits(walker, rules)
    if state.purchases.categories:
        found += _favourites(state.purchases, rules)
    if state.fields:
        found += _values(state, rules)
    return found


def not_repurchased_at(walker: Walker, rules: TagRules) -> int | None:
    """When a single purchase day becomes `not-repurchased`, unless another one follows."""
    if walker.days != 1:
        return None
    return whole_minute(walker.last[0] + round(rules.not_repurchased_days * DAY))


def not_repurchased(walker: Walker, clock: int | None, rules: TagRules) -> Iterator[Tag]:
    """One purchase day, and long enough nothing since."""
    at = not_repurchased_at(walker, rules)
    if at is None or clock is None or clock < at:
        return
    params = {"days": rules.not_repurchased_days}
    yield _tag("behaviour:not-repurchased", rules, "bought_once", params, at, walker.last)


def _tag(
    tag: str,
    rules: TagRules,
    code: str,
    params: dict[str, Any],
    since: int | None = None,
    *evidence: Stamp | None,
) -> Tag:
    return Tag(
        tag=tag,
        origin=DERIVED,
        by=f"tags@{rules.version}",
        reason=Reason(code, params),
        since=None if since is None else moment(since),
        evidence=[stamp[1] for stamp in evidence if stamp is not None],
    )


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3)


def _habits(walker: Walker, rules: TagRules) -> Iterator[Tag]:
    gap = usual_interval(walker)
    if gap is None:
        return
    params = {"days": round(gap, 1), "purchase_days": walker.days}
    if gap <= rules.frequent_gap_days and walker.days >= rules.frequent_days:
        yield _tag("behaviour:frequent", rules, "short_gaps", params, None, walker.last)
    elif gap >= rules.infrequent_gap_days:
        yield _tag("behaviour:infrequent", rules, "long_gaps", params, None, walker.last)


def _night_owl(state: Profile, rules: TagRules) -> Tag | None:
    purchases = state.purchases
    if not purchases.hours or purchases.orders <= 0:
        return None
    night = _within(purchases.hours, rules.night_from, rules.night_until)
    if night < rules.night_orders or night < rules.night_share * purchases.orders:
        return None
    params = {
        "share": _share(night, purchases.orders),
        "orders": night,
        "from": rules.night_from,
        "until": rules.night_until,
    }
    return _tag("behaviour:night-owl", rules, "night_share", params)


def _within(hours: list[int], first: int, until: int) -> int:
    """The orders from one hour of the day until another, over midnight where that is the earlier one."""
    if first <= until:
        return sum(hours[first:until])
    return sum(hours[first:]) + sum(hours[:until])


def _promotion_joiner(state: Profile, rules: TagRules) -> Tag | None:
    contacts, purchases = state.contacts, state.purchases
    tag = "behaviour:promotion-joiner"
    response = contacts.answered()
    if response is not None:
        return _tag(tag, rules, "answered_campaign", {}, response[0], response)
    if contacts.coupon is not None:
        return _tag(tag, rules, "used_coupon", {}, contacts.coupon[0], contacts.coupon)
    enough = rules.promoted_orders <= purchases.promoted
    if enough and purchases.promoted >= rules.promoted_share * purchases.orders:
        params = {"share": _share(purchases.promoted, max(purchases.orders, 1))}
        return _tag(tag, rules, "mostly_promoted", params)
    return None


def _complained(state: Profile, rules: TagRules) -> Tag | None:
    complaints = state.complaints
    if complaints.first is None:
        return None
    params = {"total": complaints.total}
    since, last = complaints.first[0], complaints.last
    return _tag("behaviour:complained", rules, "complaints", params, since, last)


def _said(state: Profile, tag: str, rules: TagRules) -> Tag | None:
    """A key need that stands in the record supports its tag directly."""
    need = state.fields.get("key_need")
    if need is None or not isinstance(need.value, str):
        return None
    text = need.value.lower()
    if any(word in text for word in dict(_NEEDS)[tag]):
        return _tag(tag, rules, "key_need", {}, need.at, (need.at, need.id))
    return None


def _price_sensitive(state: Profile, rules: TagRules) -> Tag | None:
    tag = "need:price-sensitive"
    enough = state.purchases.orders >= rules.price_orders
    currency = main_currency(state.purchases) if enough else None
    if currency is not None:
        sums = state.purchases.currencies[currency]
        listed = sums.spend + sums.discount
        if listed > 0 and sums.discount >= rules.price_discount_share * listed:
            share = _share(sums.discount, listed)
            return _tag(tag, rules, "discount_share", {"share": share})
    return _said(state, tag, rules)


def _quality_first(state: Profile, rules: TagRules) -> Tag | None:
    tag = "need:quality-first"
    purchases, complaints = state.purchases, state.complaints
    if (
        purchases.orders >= rules.quality_orders
        and 0 < purchases.promoted <= rules.quality_promoted_share * purchases.orders
    ):
        params = {"share": _share(purchases.promoted, purchases.orders)}
        return _tag(tag, rules, "rarely_promoted", params)
    if complaints.quality >= rules.quality_complaints:
        params = {"total": complaints.quality}
        return _tag(tag, rules, "quality_complaints", params, None, complaints.last)
    return _said(state, tag, rules)


def _service_demanding(state: Profile, rules: TagRules) -> Tag | None:
    tag = "need:service-demanding"
    complaints = state.complaints
    if state.contacts.served >= rules.service_contacts:
        return _tag(tag, rules, "service_contacts", {"total": state.contacts.served})
    if complaints.service >= rules.service_complaints:
        params = {"total": complaints.service}
        return _tag(tag, rules, "service_complaints", params, None, complaints.last)
    return _said(state, tag, rules)


def _favourites(purchases: Purchases, rules: TagRules) -> Iterator[Tag]:
    if purchases.lines <= 0:  # an event that was parked may leave sums that do not agree
        return
    least = max(rules.favourite_lines, rules.favourite_share * purchases.lines)
    likely = [(-lines, name) for name, lines in purchases.categories.items() if lines >= least]
    for lines, name in sorted(likely)[: rules.favourites]:
        params = {"category": name, "lines": -lines, "share": _share(-lines, purchases.lines)}
        yield _tag(f"favourite:{name}"[:LONGEST_TAG], rules, "category_share", params)


def _values(state: Profile, rules: TagRules) -> Iterator[Tag]:
    fields = state.fields
    for name in _VALUES:
        field = fields.get(name)
        text = _text(field)
        if field is not None and text:
            stamp = field.at, field.id
            tag = f"{name}:{text}"[:LONGEST_TAG]
            yield _tag(tag, rules, f"{name}_known", {"value": text}, field.at, stamp)


def _text(field: Register | None) -> str:
    if field is None or isinstance(field.value, bool):
        return ""
    if isinstance(field.value, str):
        return field.value.strip()
    return str(field.value) if isinstance(field.value, int) else ""


_RULES: tuple[Callable[[Profile, TagRules], Tag | None], ...] = (
    _night_owl,
    _promotion_joiner,
    _complained,
    _price_sensitive,
    _quality_first,
    _service_demanding,
)


def manual(state: Profile) -> Iterator[Tag]:
    """The tags that people gave and nobody took away."""
    for tag, mark in sorted(state.tags.items()):
        if mark.on:
            since: datetime = moment(mark.at)
            reason = Reason("by_hand", {"text": mark.reason})
            yield Tag(
                tag=tag, origin=MANUAL, by=mark.by, reason=reason, since=since, evidence=[mark.id]
            )
