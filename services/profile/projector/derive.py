"""derive(state, clock, policies) -> view: what the facts mean now, and when time changes that."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from services.profile.projector import lifecycle
from services.profile.projector.by_hand import by_hand
from services.profile.projector.items import Item
from services.profile.projector.lifecycle import Step, Walker, usual_interval
from services.profile.projector.purchases import average, main_currency
from services.profile.projector.rules import (
    BUILT_IN_LIFECYCLE,
    LifecycleRules,
    lifecycle_rules,
    tag_rules,
)
from services.profile.projector.state import Profile
from services.profile.projector.tags import derived, manual, not_repurchased_at
from services.profile.projector.view import ConsentView, Identifier, Reason, State, Tag, View
from shared.bounded import Register
from shared.language.identifiers import NUMBERED, TYPES
from shared.moments import micros, moment
from shared.projection import Policies

ATTRIBUTES = (
    *("industry", "size", "region", "source", "birthday", "gender", "occupation", "company"),
    *("key_need", "remark", "preferences"),
)
"""Attributes that are always shown, known or not."""
_APART = frozenset({"name", "kind", "status", "owner"})
_UNKNOWN = dict.fromkeys(ATTRIBUTES)

ERASED = "erased"
"""The status of whoever was."""

NO_POLICIES: Policies = {}


def needs_items(state: Profile, policies: Policies = NO_POLICIES) -> bool:
    """Whether the walk must start anew: a fact came late or was taken back, or another lifecycle policy holds."""
    return state.stale or (state.walker.rules or BUILT_IN_LIFECYCLE) != lifecycle_rules(policies)


def walk(state: Profile, policies: Policies = NO_POLICIES) -> Profile:
    """Walk from the beginning; all child rows must be in the state."""
    state.walker = lifecycle.walk(state.items, lifecycle_rules(policies))
    state.contacts.by_hand = by_hand(state.items)
    state.stale = False
    return state


def path(
    items: Mapping[str, Item], first_contact: int | None, clock: int | None, rules: LifecycleRules
) -> list[Step]:
    """Every state that the customer has been in, up to the clock (microseconds since 1970)."""
    trail: list[Step] = []
    walker = lifecycle.walk(items, rules, trail)
    if clock is not None:
        lifecycle.advance(walker, clock, trail)
    if first_contact is not None and (not trail or first_contact < trail[0].since):
        trail.insert(0, _prospect(first_contact))
    return trail


def turns_at(state: Profile, clock: int | None) -> int | None:
    """When time alone changes the lifecycle state (microseconds since 1970)."""
    return lifecycle.now(state.walker, clock)[1]


def derive(state: Profile, clock: datetime | None, policies: Policies) -> View:
    """The view at the clock (UTC; none before the first tick: then time has not passed at all).

    Every customer of every batch is derived: what most of them lack costs no more than looking whether it is there.
    """
    at = None if clock is None else micros(clock)
    rules = tag_rules(policies)
    walker, turns = lifecycle.now(state.walker, at)
    found = derived(state, walker, at, rules)
    found.sort(key=_code)
    given = list(manual(state)) if state.tags else []
    first_contact = state.contacts.earliest()
    step = walker.step or _prospect(first_contact)
    purchases = state.purchases
    currency = main_currency(purchases)
    values = {name: write.value for name, write in state.fields.items()} if state.fields else {}
    return View(
        lifecycle=_state(walker, step, turns),
        name=_name(values),
        number=_value(state.number),
        kind=_label(values.get("kind"), "person"),
        status=ERASED if state.erased is not None else _label(values.get("status"), "active"),
        owner=_label(values.get("owner"), "") or None,
        attributes=_attributes(values),
        identifiers=_identifiers(state.identifiers),
        first_contact_at=_moment(first_contact),
        last_interaction_at=_moment(state.contacts.latest()),
        last_purchase_at=moment(walker.last[0]) if walker.days else None,
        orders=purchases.orders,
        currency=currency,
        spend={code: purchases.currencies[code].spend for code in _ordered(purchases.currencies)},
        average_basket=_average_basket(state, currency),
        usual_interval_days=usual_interval(walker),
        tags=_all_tags(given, found) if given else found,
        derived=found,
        tags_policy=f"tags@{rules.version}",
        churn_band=state.churn_band.value if state.churn_band else None,
        rfm_class=state.rfm_class.value if state.rfm_class else None,
        matrix=state.matrix.value if state.matrix else None,
        complaints_open=state.complaints.open,
        complaints_total=state.complaints.total,
        consents=_consents(state),
        satisfaction={kind: state.scores[kind].value for kind in _ordered(state.scores)},
        needs_number=state.number is None and _earns_number(state),
        changed_at=_changed_at(state, step, found),
        due_at=_due_at(turns, at, not_repurchased_at(walker, rules)),
        erased=state.erased is not None,
    )


_code = attrgetter("tag")


def _all_tags(given: list[Tag], found: list[Tag]) -> list[Tag]:
    by_hand = {tag.tag for tag in given}
    return given + [tag for tag in found if tag.tag not in by_hand]


def _ordered(keys: Collection[str]) -> Iterable[str]:
    return sorted(keys) if len(keys) > 1 else keys


def _prospect(first_contact: int | None) -> Step:
    return Step(lifecycle.PROSPECT, first_contact or 0, "no_purchase_yet")


def _state(walker: Walker, step: Step, turns: int | None) -> State:
    rules = walker.rules or BUILT_IN_LIFECYCLE
    return State(
        state=step.state,
        since=moment(step.since) if step.since else None,
        reason=Reason(step.code, step.params),
        policy=f"lifecycle@{rules.version}",
        evidence=step.evidence,
        due_at=_moment(turns),
    )


def _moment(at: int | None) -> datetime | None:
    return None if at is None else moment(at)


def _value(write: Register | None) -> Any:
    return None if write is None else write.value


def _label(value: object, default: str) -> str:
    return value.strip() or default if isinstance(value, str) else default


def _name(values: Mapping[str, object]) -> str | None:
    """The customer's name; a company's traits may carry it as `company` only."""
    return _label(values.get("name"), "") or _label(values.get("company"), "") or None


def _attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    if not values:
        return dict(_UNKNOWN)
    known = {name: values.get(name) for name in ATTRIBUTES}
    others = sorted(values.keys() - known.keys() - _APART)
    return known | {name: values[name] for name in others if values[name] is not None}


def _identifiers(seen: Mapping[str, int]) -> list[Identifier]:
    if not seen:
        return []
    found = []
    for key, at in seen.items():
        type_, _, value = key.partition(":")
        found.append(Identifier(type_, value, moment(at)))
    return sorted(found, key=lambda one: (_strength(one.type), one.first_seen_at, one.value))


def _strength(type_: str) -> int:
    return TYPES.index(type_) if type_ in TYPES else len(TYPES)


def _earns_number(state: Profile) -> bool:
    return state.created or (bool(state.identifiers) and _is_numbered(state.identifiers))


def _is_numbered(identifiers: Iterable[str]) -> bool:
    return any(key.partition(":")[0] in NUMBERED for key in identifiers)


def _average_basket(state: Profile, currency: str | None) -> int | None:
    if currency is None:
        return None
    sums = state.purchases.currencies[currency]
    return average(sums.spend, sums.orders) if sums.orders > 0 else None


def _consents(state: Profile) -> list[ConsentView]:
    if not state.consents:
        return []
    found = []
    for key, word in sorted(state.consents.items()):
        channel, _, topic = key.partition("\x1f")
        found.append(ConsentView(channel, topic or None, word.granted, moment(word.at)))
    return found


def _changed_at(state: Profile, step: Step, tags: list[Tag]) -> datetime | None:
    ends = state.contacts.by_hand
    latest_fact = max(state.latest_fact, ends.last if ends else 0)
    if not latest_fact:
        return None
    changed = moment(max(latest_fact, step.since, state.erased or 0))
    since = [tag.since for tag in tags if tag.since is not None]
    return max(changed, *since) if since else changed


def _due_at(turns: int | None, clock: int | None, single_at: int | None) -> datetime | None:
    """The earliest moment ahead of the clock at which time alone changes the view."""
    ahead = [turns] if turns is not None else []
    if single_at is not None and (clock is None or clock < single_at):
        ahead.append(single_at)
    return _moment(min(ahead, default=None))
