"""The API process of profile."""

from typing import Any

import httpx
from fastapi import FastAPI

from services.profile.api import (
    customers,
    editing,
    erasures,
    merge_preview,
    merges,
    merging_policy,
    policies,
)
from services.profile.api.identities import Identities
from services.profile.api.merge_preview import Asking
from services.profile.api.scores import Scoring
from services.profile.service import SERVICE
from services.profile.settings import Settings
from services.profile.words import ERRORS
from shared.kernel import Kernel
from shared.parked_api import quarantine_router
from shared.roots import build_app, run_api
from shared.settings import KernelSettings


def _client(url: str, seconds: float) -> httpx.AsyncClient | None:
    """How another service is asked, with its limit in seconds; None where its address is not set."""
    return httpx.AsyncClient(base_url=url, timeout=seconds) if url else None


def build(own: Settings, settings: KernelSettings | None = None) -> FastAPI:
    """The application, as tests and the process make it."""

    def extra(kernel: Kernel) -> dict[str, Any]:
        others = kernel.settings
        return {
            "scoring": Scoring(_client(others.scoring_url, own.scoring_seconds)),
            "merging": {
                "scores": Asking(_client(others.scoring_url, own.scoring_seconds)),
                "segments": Asking(_client(others.campaign_url, own.scoring_seconds)),
            },
            "identities": Identities(
                _client(others.interaction_url, own.identities_seconds), others.inbound_secret
            ),
        }

    routers = [
        *(customers.router, editing.router, merge_preview.router, merges.router),
        *(policies.router, merging_policy.router, erasures.router, quarantine_router("profile")),
    ]
    app = build_app(
        SERVICE,
        own,
        routers,
        title="Tenure: profile",
        extra=extra,
        settings=settings,
        shortcuts=[customers.SHORTCUT],
    )
    app.state.words = {**app.state.words, **ERRORS}
    return app


if __name__ == "__main__":
    own = Settings()
    run_api(build(own), SERVICE, own)
