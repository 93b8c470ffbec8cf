"""The API process of campaign."""

from fastapi import FastAPI

from services.campaign.api import editing, merging, messages, segments
from services.campaign.service import SERVICE
from services.campaign.settings import Settings
from services.campaign.words import ERRORS
from shared.parked_api import quarantine_router
from shared.roots import build_app, run_api
from shared.settings import KernelSettings


def build(own: Settings, settings: KernelSettings | None = None) -> FastAPI:
    """The application, as tests and the process make it."""
    routers = [
        segments.router,
        editing.router,
        messages.router,
        merging.router,
        quarantine_router("campaign"),
    ]
    app = build_app(SERVICE, own, routers, title="Tenure: campaign", settings=settings)
    app.state.words = {**app.state.words, **ERRORS}
    return app


if __name__ == "__main__":
    own = Settings()
    run_api(build(own), SERVICE, own)
