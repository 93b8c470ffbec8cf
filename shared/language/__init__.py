"""The published language: every event type, what publishers may say, and what consumers read.

A family's module holds the door models (what a publisher's `data` must look like), the Structs
(what folds read of it), and the family's `EVENTS`. `Data` is the closed union of all Structs: match
on it and end in `assert_never`, so that a new type cannot be overlooked.
"""

from shared.language.complaint import (
    ComplaintAnswered,
    ComplaintAssigned,
    ComplaintEscalated,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintResolved,
)
from shared.language.consent import ConsentChanged
from shared.language.customer import (
    CustomerDescribed,
    CustomerEdited,
    CustomerIdentified,
    CustomerNumbered,
    CustomerRegrouped,
)
from shared.language.erasure import CustomerErased, CustomerForgotten
from shared.language.event_type import EventType
from shared.language.identifiers import IdentifiersAdded, IdentifiersLinked
from shared.language.interaction import (
    Contact,
    InteractionRecorded,
    InteractionRetracted,
    contact_of,
)
from shared.language.lifecycle import LifecycleChanged
from shared.language.message import (
    MessageBounced,
    MessageClicked,
    MessageComplained,
    MessageDelivered,
    MessageFailed,
    MessageOpened,
    MessageSent,
    MessageUncertain,
    MessageWithheld,
)
from shared.language.money import Money
from shared.language.personal import personal_paths
from shared.language.purchase import (
    Contribution,
    Item,
    PurchaseCancelled,
    PurchaseCompleted,
    PurchaseCorrected,
    PurchaseRefunded,
    Settled,
    contribution,
    effect,
)
from shared.language.registry import EVENT_TYPES, PUBLISHABLE
from shared.language.score import (
    ChurnBandChanged,
    MatrixChanged,
    MatrixReviewed,
    RfmClassChanged,
)
from shared.language.segment import SegmentEntered, SegmentLeft
from shared.language.stream import ClockTicked, HistoryClosed, PolicyPublished
from shared.language.survey import SurveyAnswered
from shared.language.tag import TagAdded, TagDropped, TagGained, TagRemoved
from shared.language.validation import UnknownEventType, field_errors, validated

Data = (
    PurchaseCompleted
    | PurchaseCancelled
    | PurchaseRefunded
    | PurchaseCorrected
    | InteractionRecorded
    | InteractionRetracted
    | ComplaintOpened
    | ComplaintAnswered
    | ComplaintAssigned
    | ComplaintEscalated
    | ComplaintResolved
    | ComplaintReopened
    | SurveyAnswered
    | CustomerDescribed
    | CustomerIdentified
    | CustomerNumbered
    | CustomerRegrouped
    | CustomerEdited
    | CustomerErased
    | CustomerForgotten
    | ConsentChanged
    | MessageDelivered
    | MessageOpened
    | MessageSent
    | MessageUncertain
    | MessageFailed
    | MessageWithheld
    | MessageClicked
    | MessageBounced
    | MessageComplained
    | IdentifiersAdded
    | IdentifiersLinked
    | ClockTicked
    | HistoryClosed
    | PolicyPublished
    | TagAdded
    | TagRemoved
    | TagGained
    | TagDropped
    | LifecycleChanged
    | ChurnBandChanged
    | RfmClassChanged
    | MatrixChanged
    | MatrixReviewed
    | SegmentEntered
    | SegmentLeft
)
"""The closed union of everything that may stand on the log."""

__all__ = [
    "EVENT_TYPES",
    "PUBLISHABLE",
    "ChurnBandChanged",
    "ClockTicked",
    "ComplaintAnswered",
    "ComplaintAssigned",
    "ComplaintEscalated",
    "ComplaintOpened",
    "ComplaintReopened",
    "ComplaintResolved",
    "ConsentChanged",
    "Contact",
    "Contribution",
    "CustomerDescribed",
    "CustomerEdited",
    "CustomerErased",
    "CustomerForgotten",
    "CustomerIdentified",
    "CustomerNumbered",
    "CustomerRegrouped",
    "Data",
    "EventType",
    "HistoryClosed",
    "IdentifiersAdded",
    "IdentifiersLinked",
    "InteractionRecorded",
    "InteractionRetracted",
    "Item",
    "LifecycleChanged",
    "MatrixChanged",
    "MatrixReviewed",
    "MessageBounced",
    "MessageClicked",
    "MessageComplained",
    "MessageDelivered",
    "MessageFailed",
    "MessageOpened",
    "MessageSent",
    "MessageUncertain",
    "MessageWithheld",
    "Money",
    "PolicyPublished",
    "PurchaseCancelled",
    "PurchaseCompleted",
    "PurchaseCorrected",
    "PurchaseRefunded",
    "RfmClassChanged",
    "SegmentEntered",
    "SegmentLeft",
    "Settled",
    "SurveyAnswered",
    "TagAdded",
    "TagDropped",
    "TagGained",
    "TagRemoved",
    "UnknownEventType",
    "contact_of",
    "contribution",
    "effect",
    "field_errors",
    "personal_paths",
    "validated",
]
