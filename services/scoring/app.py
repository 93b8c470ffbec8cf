"""The API process of scoring."""

from fastapi import FastAPI

from services.scoring.api import (
    forecasts,
    matrix,
    merging,
    models,
    offers,
    policies,
    prospects,
    recommendations,
    scores,
    series,
)
from services.scoring.service import SERVICE
from services.scoring.settings import Settings
from services.scoring.words import ERRORS
from shared.parked_api import quarantine_router
from shared.roots import build_app, run_api
from shared.settings import KernelSettings


def build(own: Settings, settings: KernelSettings | None = None) -> FastAPI:
    """The application, as tests and the process make it."""
    routers = [
        scores.router,
        matrix.router,
        prospects.router,
        policies.router,
        models.router,
        recommendations.router,
        forecasts.router,
        series.router,
        merging.router,
        quarantine_router("scoring"),
    ]
    app = build_app(
        SERVICE, own, routers, title="Tenure: scoring", extra=offers.extra, settings=settings
    )
    app.state.words = {**app.state.words, **ERRORS}
    return app


if __name__ == "__main__":
    own = Settings()
    run_api(build(own), SERVICE, own)
