"""What the documentation shows: answers as they come, in English."""

from typing import Any

SCORE: dict[str, Any] = {
    "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a",
    "at": "2026-11-20T05:00:00Z",
    "churn": {
        "probability": 0.308412,
        "horizon_days": 90,
        "band": "medium",
        "label": "Medium",
        "model": "churn@4",
        "reasons": [
            {
                "feature": "days_since_last_purchase",
                "value": 41,
                "usual": 9.5,
                "effect": 0.2871,
                "text": "Days since the last purchase: 41 (usual: 9.5);"
                " this raises the risk by 28.7 percentage points.",
            }
        ],
        "evidence": ["01999a6e-41b7-7c10-8a3e-0d5f6b7c8d9e"],
        "nearest_change": {
            "text": "A purchase today would bring the risk down to 2.1 % (band: Low).",
            "band_then": "low",
            "probability_then": 0.021113,
            "change": "purchase",
            "in_days": 0,
        },
    },
    "rfm": {
        "recency_days": 41,
        "frequency": 12,
        "monetary": {"amount": "803.10", "currency": "USD"},
        "r": 2,
        "f": 4,
        "m": 4,
        "class": "at_risk",
        "label": "At risk",
        "policy": "rfm@4",
    },
}

MODEL: dict[str, Any] = {
    "name": "churn",
    "version": 4,
    "model": "churn@4",
    "kind": "bg_nbd",
    "meaning": "Probability of no purchase in the next 90 days (BG/NBD over purchase days).",
    "horizon_days": 90,
    "published_at": "2026-11-20T00:00:12Z",
    "fitted_at": "2026-11-20T00:00:00Z",
    "source": "population",
    "customers": 2469,
    "log_likelihood": -84596.615,
    "converged": True,
    "parameters": [
        {"name": "r", "value": 1.4078, "standard_error": 0.0393, "at_bound": False},
    ],
    "usual": {"gap_days": 8.68, "repeats_per_week": 0.7513},
    "notes": ["Fitted to all customers with a purchase. ..."],
}

SUMMARY: dict[str, Any] = {
    "total": 2480,
    "never_bought": 11,
    "by_band": [{"band": "low", "label": "Low", "customers": 2291}],
    "by_class": [{"class": "champion", "label": "Champion", "customers": 512}],
    "unclassified": 0,
    "model": MODEL,
}

POLICY: dict[str, Any] = {
    "name": "scoring",
    "version": 0,
    "bands": [{"band": "low", "label": "Low", "from": 0.0, "to": 0.3}],
    "classes": [
        {"class": "lost", "label": "Lost", "cells": [{"r": 1, "fm": 1}]},
    ],
    "rfm": {
        "policy": "rfm@4",
        "fitted_at": "2026-11-20T00:00:00Z",
        "customers": 2469,
        "recency": ["2026-10-28T22:10:00Z", "2026-11-08T00:00:00Z", None, None],
        "frequency": [15, 34, 58, 96],
        "monetary": {"USD": ["361.20", "900.00", "1800.50", "3200.00"]},
    },
}
