"""evolve(state, event) -> state: every event that says something about a customer, folded."""

from typing import assert_never

from services.profile.projector import by_hand, recorded, walked
from services.profile.projector.state import Profile, first_number
from shared.bounded import Register, Shown, shown_last
from shared.codec import Event
from shared.language import (
    ChurnBandChanged,
    ClockTicked,
    ComplaintAnswered,
    ComplaintAssigned,
    ComplaintEscalated,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintResolved,
    ConsentChanged,
    CustomerDescribed,
    CustomerEdited,
    CustomerErased,
    CustomerForgotten,
    CustomerIdentified,
    CustomerNumbered,
    CustomerRegrouped,
    HistoryClosed,
    IdentifiersAdded,
    IdentifiersLinked,
    InteractionRecorded,
    InteractionRetracted,
    LifecycleChanged,
    MatrixChanged,
    MatrixReviewed,
    MessageBounced,
    MessageClicked,
    MessageComplained,
    MessageDelivered,
    MessageFailed,
    MessageOpened,
    MessageSent,
    MessageUncertain,
    MessageWithheld,
    PolicyPublished,
    PurchaseCancelled,
    PurchaseCompleted,
    PurchaseCorrected,
    PurchaseRefunded,
    RfmClassChanged,
    SegmentEntered,
    SegmentLeft,
    SurveyAnswered,
    TagAdded,
    TagDropped,
    TagGained,
    TagRemoved,
)
from shared.moments import micros


def evolve(state: Profile, event: Event) -> Profile:  # noqa: C901, PLR0912, PLR0915  (one arm a type)
    """Fold one event into the state, in place."""
    data = event.data
    stamp = micros(event.time), event.id
    match data:
        case PurchaseCompleted() | PurchaseCorrected() | PurchaseCancelled() | PurchaseRefunded():
            walked.purchase(state, event, stamp)
        case InteractionRecorded() | InteractionRetracted():
            by_hand.interaction(state, event, stamp)
        case (
            ComplaintOpened()
            | ComplaintAnswered()
            | ComplaintEscalated()
            | ComplaintResolved()
            | ComplaintReopened()
        ):
            recorded.met(state, stamp, touched=True)
            walked.complaint(state, stamp, data)
        case SurveyAnswered():
            recorded.met(state, stamp, touched=True)
            walked.survey(state, stamp, data)
        case CustomerDescribed():
            recorded.met(state, stamp)
            recorded.describe(state, stamp, data.traits)
        case CustomerEdited():
            recorded.met(state, stamp)
            recorded.edit(state, stamp, data.changes)
        case ConsentChanged():
            recorded.met(state, stamp)
            recorded.consent(state, stamp, data)
        case MessageOpened() | MessageClicked() | MessageComplained():
            recorded.met(state, stamp, touched=True)
        case CustomerIdentified() | MessageDelivered() | MessageBounced():
            recorded.met(state, stamp)
        case IdentifiersAdded():
            recorded.identify(state, stamp, data)
        case CustomerNumbered():
            state.number = first_number(state.number, Register(*stamp, data.number))
        case TagAdded() | TagRemoved():
            recorded.mark(state, stamp, data)
        case ChurnBandChanged():
            state.churn_band = shown_last(state.churn_band, Shown(event.sequence, data.band))
        case RfmClassChanged():
            state.rfm_class = shown_last(state.rfm_class, Shown(event.sequence, data.rfm_class))
        case MatrixChanged():
            state.matrix = shown_last(state.matrix, Shown(event.sequence, data.matrix))
        case ClockTicked() | HistoryClosed() | PolicyPublished():
            pass  # of the stream, not of a customer
        case MessageSent() | MessageUncertain() | MessageFailed() | MessageWithheld():
            pass  # what we did; what the customer made of it is told by others
        case ComplaintAssigned() | MatrixReviewed():
            pass  # nothing that the customer would notice
        case SegmentEntered() | SegmentLeft():
            pass  # they follow from what is known here
        case IdentifiersLinked() | LifecycleChanged() | TagGained() | TagDropped():
            pass  # what was told is the difference's business; links are for who decides on merges
        case CustomerErased():
            recorded.erase(state, stamp)
        case CustomerForgotten():
            pass  # what services kept besides is theirs to say
        case CustomerRegrouped():
            pass  # which parts are one customer is for the loop
        case _:
            assert_never(data)
    return state
