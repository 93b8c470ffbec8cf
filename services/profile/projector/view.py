"""What is shown of a customer: codes and parameters, words come when it is read. Times are UTC."""

from datetime import datetime
from typing import Any

import msgspec


class Reason(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Why something is so: a stable code with its parameters."""

    code: str
    params: dict[str, Any] = {}


class Tag(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A tag that holds. `origin`: derived, or manual."""

    tag: str
    origin: str
    by: str
    """The policy's version (`tags@1`), or who gave it."""
    reason: Reason
    since: datetime | None = None
    evidence: list[str] = []


class State(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The lifecycle state."""

    state: str
    since: datetime | None
    reason: Reason
    policy: str
    evidence: list[str] = []
    due_at: datetime | None = None
    """When time alone changes the state, if nothing happens before."""


class Identifier(msgspec.Struct, frozen=True, gc=False):
    """One of the names by which other systems know the customer."""

    type: str
    value: str
    first_seen_at: datetime


class ConsentView(msgspec.Struct, frozen=True, gc=False):
    """What was last said about a channel and topic (none: everything on the channel)."""

    channel: str
    topic: str | None
    granted: bool
    at: datetime


class View(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One customer, whole."""

    lifecycle: State
    name: str | None = None
    number: str | None = None
    kind: str = "person"
    status: str = "active"
    owner: str | None = None
    attributes: dict[str, Any] = {}
    identifiers: list[Identifier] = []
    first_contact_at: datetime | None = None
    last_interaction_at: datetime | None = None
    last_purchase_at: datetime | None = None
    orders: int = 0
    currency: str | None = None
    """The main one: most purchases, ties by code."""
    spend: dict[str, int] = {}
    """Minor units per currency, net of refunds and cancellations."""
    average_basket: int | None = None
    """Minor units of the main currency."""
    usual_interval_days: float | None = None
    tags: list[Tag] = []
    """Manual ones first, then derived ones; each code once."""
    derived: list[Tag] = []
    """All that the policy finds, also where somebody gave the same tag by hand."""
    tags_policy: str = "tags@1"
    churn_band: str | None = None
    rfm_class: str | None = None
    matrix: str | None = None
    complaints_open: int = 0
    complaints_total: int = 0
    consents: list[ConsentView] = []
    satisfaction: dict[str, float] = {}
    """The latest score of each kind of survey."""
    needs_number: bool = False
    changed_at: datetime | None = None
    """The latest moment at which a fact or time itself changed something."""
    due_at: datetime | None = None
    """When time alone changes anything."""
    erased: bool = False
    """Whether all that identified the customer was erased."""
