"""Thresholds of the policies `lifecycle` and `tags`: version 1 is built in."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from shared.projection import Policies

LIFECYCLE = "lifecycle"
TAGS = "tags"

Days = Annotated[float, Meta(gt=0, le=3650)]
Times = Annotated[float, Meta(ge=1, le=100)]
Count = Annotated[int, Meta(ge=1, le=10_000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Hour = Annotated[int, Meta(ge=0, le=23)]

SHORTEST_SILENCE_DAYS = 3.0
"""Silence is longer than any local day, so that a day's own purchases never end one."""


class LifecycleRules(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False
):
    """When a customer moves from one state to the next, relative to the customer's own rhythm."""

    version: int = 1
    default_interval_days: Days = 30.0
    """Usual interval of somebody with a single purchase day."""
    shortest_interval_days: Days = 7.0
    longest_interval_days: Days = 90.0
    """Bounds of the usual interval (mean gap of purchase days so far) where it judges silence."""
    silent_after: Times = 3.0
    """Silent after so many usual intervals without a purchase."""
    lost_after: Times = 6.0
    """Lost after so many usual intervals without a purchase."""
    mature_after: Count = 4
    """Mature from so many purchase days, if satisfied; growing from two."""
    recovery: Count = 2
    """Won back until so many further purchase days."""
    unhappy_days: Days = 180.0
    """A low score counts for so long, or until the next answer."""
    low_csat: float = 2.0
    low_nps: float = 6.0
    low_ces: float = 3.0
    """Scores up to here are low. Satisfied: no open complaint, no low score that still counts."""

    def low(self, kind: str) -> float | None:
        """The highest low score of a kind of survey; None where the kind has no scale."""
        return {"csat": self.low_csat, "nps": self.low_nps, "ces": self.low_ces}.get(kind)


class TagRules(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False
):
    """Which facts support which derived tag."""

    version: int = 1
    frequent_gap_days: Days = 7.0
    frequent_days: Count = 4
    """Frequent: a mean gap up to this, over so many purchase days at least."""
    infrequent_gap_days: Days = 30.0
    """Infrequent: a mean gap from this on."""
    night_from: Hour = 22
    night_until: Hour = 6
    night_share: Share = 0.3
    night_orders: Count = 3
    """Night owl: so many orders, and this share of all, between these local hours."""
    promoted_share: Share = 0.95
    promoted_orders: Count = 3
    """Promotion joiner: answered a campaign, used a coupon, or nearly always buys at a discount."""
    not_repurchased_days: Days = 60.0
    """Not repurchased: one purchase day, and nothing for so long since."""
    price_discount_share: Share = 0.2
    price_orders: Count = 3
    """Price sensitive: discounts were this share of the list price, over so many orders."""
    quality_promoted_share: Share = 0.2
    quality_orders: Count = 5
    quality_complaints: Count = 2
    """Quality first: takes promotions, but rarely; or complained so often about quality."""
    service_contacts: Count = 5
    service_complaints: Count = 2
    """Service demanding: asked for service so often; or complained so often about service."""
    favourite_lines: Count = 3
    favourite_share: Share = 0.12
    favourites: Count = 3
    """Favourites: up to so many categories with so many lines and this share of all lines."""


BUILT_IN_LIFECYCLE = LifecycleRules()
BUILT_IN_TAGS = TagRules()

Rules = LifecycleRules | TagRules
BUILT_IN: Mapping[str, Rules] = {LIFECYCLE: BUILT_IN_LIFECYCLE, TAGS: BUILT_IN_TAGS}
KINDS: Mapping[str, type[LifecycleRules] | type[TagRules]] = {
    LIFECYCLE: LifecycleRules,
    TAGS: TagRules,
}


def lifecycle_rules(policies: Policies) -> LifecycleRules:
    """The lifecycle policy in force."""
    policy = policies.get(LIFECYCLE)
    if policy is None:
        return BUILT_IN_LIFECYCLE
    return msgspec.convert({**policy.body, "version": policy.version}, LifecycleRules)


def tag_rules(policies: Policies) -> TagRules:
    """The tag policy in force."""
    policy = policies.get(TAGS)
    if policy is None:
        return BUILT_IN_TAGS
    return msgspec.convert({**policy.body, "version": policy.version}, TagRules)


def faults(rules: Rules) -> list[tuple[str, str]]:
    """What is wrong with thresholds that are each possible: (field, why)."""
    if isinstance(rules, TagRules):
        return []
    found = []
    if rules.shortest_interval_days > rules.longest_interval_days:
        found.append(("longest_interval_days", "shorter than shortest_interval_days"))
    if rules.lost_after < rules.silent_after:
        found.append(("lost_after", "earlier than silent_after"))
    if _shortest(rules) * rules.silent_after < SHORTEST_SILENCE_DAYS:
        found.append(("silent_after", f"silence shorter than {SHORTEST_SILENCE_DAYS} days"))
    return found


def _shortest(rules: LifecycleRules) -> float:
    return min(rules.shortest_interval_days, rules.default_interval_days)


def body(rules: Rules) -> dict[str, Any]:
    """All thresholds of a policy, by name, without its version."""
    return {name: getattr(rules, name) for name in rules.__struct_fields__ if name != "version"}
