"""The API process of profile."""

from typing import Any

from services.profile.api import customers, editing, policies
from services.profile.api.identities import Identities
from services.profile.api.scores import Scoring
from services.profile.service import SERVICE
from services.profile.settings import Settings
from services.profile.words import ERRORS
from shared.kernel import Kernel
from shared.parked_api import quarantine_router
from shared.roots import build_app, run_api


def build(settings: Settings | None = None) -> Any:
    """The application, as tests and the process make it."""
    own = settings or Settings()

    def extra(kernel: Kernel) -> dict[str, Any]:
        shared = kernel.settings
        return {
            "scoring": Scoring(shared.scoring_url, own.scoring_seconds),
            "identities": Identities(shared.interaction_url, own.identities_seconds),
        }

    routers = [
        customers.router,
        editing.router,
        policies.router,
        quarantine_router("profile"),
    ]
    app = build_app(SERVICE, own, routers, title="Tenure: profile", extra=extra)
    app.state.words = {**app.state.words, **ERRORS}
    return app


if __name__ == "__main__":
    settings = Settings()
    run_api(build(settings), SERVICE, settings)
