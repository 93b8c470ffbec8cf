"""The API process of interaction."""

from typing import Any

from fastapi import FastAPI

from services.interaction.api import (
    complaints,
    contacts,
    event_types,
    events,
    internal,
    purchases,
    segment,
    timelines,
    webhooks,
)
from services.interaction.door import Door
from services.interaction.service import SERVICE
from services.interaction.settings import Settings
from services.interaction.words import ERRORS
from shared.kernel import Kernel
from shared.language import EVENT_TYPES
from shared.parked_api import quarantine_router
from shared.roots import build_app, run_api
from shared.settings import KernelSettings


def build(own: Settings, settings: KernelSettings | None = None) -> FastAPI:
    """The application, as tests and the process make it."""

    def extra(kernel: Kernel) -> dict[str, Any]:
        for kind in EVENT_TYPES.values():
            if kind.door is not None:
                _ = kind.adapter  # built at the first use, which should not be a request
        return {
            "door": Door(kernel, in_flight_bytes=own.in_flight_bytes),
            "segment_currency": own.segment_currency,
        }

    routers = [
        events.router,
        segment.router,
        event_types.router,
        timelines.router,
        contacts.router,
        purchases.router,
        complaints.router,
        webhooks.router,
        quarantine_router("interaction"),
        internal.router,
    ]
    app = build_app(
        SERVICE,
        own,
        routers,
        title="Tenure: interaction",
        extra=extra,
        settings=settings,
        shortcuts=[events.SHORTCUT],
    )
    app.state.words = {**app.state.words, **ERRORS}
    return app


if __name__ == "__main__":
    own = Settings()
    run_api(build(own), SERVICE, own)
