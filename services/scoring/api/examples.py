"""What the documentation shows: answers as they come, in English."""

from typing import Any

from services.scoring.api.answers import MADE_OF, events_path

SCORE: dict[str, Any] = {
    "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a",
    "erased": False,
    "at": "2026-11-20T16:00:00Z",
    "churn": {
        "probability": 0.253983,
        "horizon_days": 90,
        "band": "low",
        "label": "Low",
        "model": "churn@1",
        "horizons": [
            {"horizon_days": 28, "probability": 0.34087},
            {"horizon_days": 90, "probability": 0.253983},
        ],
        "reasons": [
            {
                "feature": "purchase_days",
                "value": 12,
                "usual": 16,
                "effect": -0.2628,
                "text": "Days with a purchase: 12 (usual in the same time: "
                "16); this lowers the risk by 26.3 percentage "
                "points.",
            }
        ],
        "evidence": ["01999a6e-41b7-7c10-8a3e-0d5f6b7c8d00"],
        "nearest_change": {
            "text": "One purchase in the next 3 days keeps the band; "
            "without one the risk would be 30.3 % (band: "
            "Medium).",
            "band_then": "medium",
            "probability_then": 0.303197,
            "change": "silence",
            "in_days": 3,
        },
    },
    "rfm": {
        "recency_days": 41,
        "frequency": 12,
        "monetary": {"amount": "804.00", "currency": "CNY"},
        "r": 4,
        "f": 4,
        "m": 4,
        "class": "loyal",
        "label": "Loyal",
        "policy": "rfm@1",
        "reasons": [
            {
                "feature": "recency_days",
                "value": 41,
                "usual": 8.7,
                "text": "Days since the last purchase: 41 (usual from one to the next: 8.7).",
            }
        ],
        "evidence": ["01999a6e-41b7-7c10-8a3e-0d5f6b7c8d00"],
        "nearest_change": {
            "text": "One purchase more would not change it: Loyal.",
            "class_then": "loyal",
            "change": "none",
            "until": None,
            "in_days": None,
            "months": None,
            "amount": None,
        },
    },
    "matrix": {
        "class": "potential",
        "label": "Potential",
        "found": "potential",
        "by": "quantile",
        "spend_year": {"amount": "804.00", "currency": "CNY"},
        "active_months": 4,
        "override": None,
        "confirmed": None,
        "policy": "scoring@0",
        "reasons": [
            {
                "feature": "spend_year",
                "value": {"amount": "804.00", "currency": "CNY"},
                "usual": {"amount": "160.00", "currency": "CNY"},
                "text": "Spent in twelve months: 804.00 CNY (high value from: 160.00 CNY).",
            }
        ],
        "evidence": ["01999a6e-41b7-7c10-8a3e-0d5f6b7c8d00"],
        "nearest_change": {
            "text": "An order in each of 6 months, this one first "
            "(until 2027-04-30), would make it: Core.",
            "class_then": "core",
            "change": "purchases",
            "until": "2027-04-30",
            "in_days": None,
            "months": 6,
            "amount": None,
        },
    },
    "value": {
        "profit": {"amount": "241.20", "currency": "CNY"},
        "margin": 0.3,
        "spend": {"amount": "804.00", "currency": "CNY"},
        "spend_year": {"amount": "804.00", "currency": "CNY"},
        "purchase_value": {"amount": "76.72", "currency": "CNY"},
        "expected": [
            {
                "days": 90,
                "spend": {"amount": "418.81", "currency": "CNY"},
                "low": {"amount": "0.00", "currency": "CNY"},
                "high": {"amount": "877.00", "currency": "CNY"},
                "certainty": 0.8,
            },
            {
                "days": 365,
                "spend": {"amount": "1611.86", "currency": "CNY"},
                "low": {"amount": "0.00", "currency": "CNY"},
                "high": {"amount": "3152.28", "currency": "CNY"},
                "certainty": 0.8,
            },
        ],
        "clv": {"amount": "1163.67", "currency": "CNY", "years": 3, "discount_rate": 0.1},
        "fitted": True,
        "model": "purchases@1",
        "spend_model": "population@1",
        "reasons": [
            {
                "feature": "order_value",
                "value": {"amount": "67.00", "currency": "CNY"},
                "usual": {"amount": "20.00", "currency": "CNY"},
                "text": "Mean order: 67.00 CNY (usual: 20.00 CNY).",
            }
        ],
        "evidence": ["01999a6e-41b7-7c10-8a3e-0d5f6b7c8d00"],
    },
    "loyalty": {
        "probability": 0.746017,
        "horizon_days": 90,
        "level": "high",
        "label": "High",
        "model": "churn@1",
        "horizons": [
            {"horizon_days": 90, "probability": 0.746017},
            {"horizon_days": 365, "probability": 0.748186},
        ],
        "reasons": [
            {
                "feature": "gap_days",
                "value": 9,
                "usual": 8.7,
                "text": "Days from one purchase to the next: 9 (usual: 8.7).",
            }
        ],
        "evidence": ["01999a6e-41b7-7c10-8a3e-0d5f6b7c8d00"],
        "nearest_change": {
            "text": "One purchase in the next 3 days keeps it; without one it would be: Medium.",
            "level_then": "medium",
            "change": "silence",
            "in_days": 3,
        },
    },
    "next_purchase": {
        "expected_on": "2026-11-29",
        "between": {"from": "2026-11-21", "to": "2026-12-21", "certainty": 0.8},
        "returns": 0.748186,
        "expected": [{"days": 90, "purchases": 5.459}, {"days": 365, "purchases": 21.011}],
        "model": "purchases@1",
        "reasons": [
            {
                "feature": "gap_days",
                "value": 9,
                "usual": 8.7,
                "text": "Days from one purchase to the next: 9 (usual: 8.7).",
            }
        ],
        "evidence": ["01999a6e-41b7-7c10-8a3e-0d5f6b7c8d00"],
    },
    "satisfaction": {
        "score": 76.02,
        "interval": {"low": 49.3, "high": 96.3, "certainty": 0.8},
        "certainty": 0.33,
        "usual": 72.4,
        "reasons": [
            {
                "feature": "answers",
                "value": 82.5,
                "usual": 72.4,
                "text": "Mean of the answers to surveys, of 100: 82.5 (usual: 72.4).",
            }
        ],
        "evidence": ["01999a6e-41b7-7c10-8a3e-0d5f6b7c8d28"],
        "nearest_change": {
            "text": "One more answer of the best kind would bring it from 76.02 to 80.4.",
            "score_then": 80.4,
        },
    },
    "prospect": None,
}

for _name, _types in MADE_OF.items():
    if SCORE[_name] is not None:
        SCORE[_name]["events"] = events_path(SCORE["customer_id"], *_types)

MODEL: dict[str, Any] = {
    "name": "churn",
    "version": 4,
    "model": "churn@4",
    "status": "in_force",
    "status_label": "In force",
    "kind": "calibrated",
    "kind_label": "Trained on the log",
    "meaning": "Probability of no purchase in the next 90 days (trained on the log, calibrated).",
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
    "trained": {
        "at": "2026-11-20T00:10:02Z",
        "by": "data-team",
        "clock": "2026-11-20T00:09:00Z",
        "position": {"0": 18204, "1": 18117},
        "seed": 0,
        "customers": 2469,
        "learnt_from": 2469,
        "passes": True,
        "digest": "5e0c3bb5e3d4d3a0d4c0b1c5b3f6a5f0d1b8f7a1b0c9d8e7f6a5b4c3d2e1f001",
    },
    "quality": [
        {
            "horizon_days": 90,
            "from": "2026-08-21",
            "to": "2026-11-18",
            "populations": [
                {
                    "population": "active",
                    "customers": 2311,
                    "churned": 0.04,
                    "auc": {
                        "model": {"value": 0.877, "low": 0.856, "high": 0.896},
                        "rules": {
                            "purchases_in_90_days": {"value": 0.855, "low": 0.83, "high": 0.88},
                        },
                        "best_rule": "purchases_in_90_days",
                        "ratio": 1.026,
                    },
                    "brier_ratio": {
                        "model": {"value": 0.863, "low": 0.83, "high": 0.89},
                        "rules": {"bg_nbd": {"value": 0.935, "low": 0.9, "high": 0.97}},
                        "best_rule": None,
                        "ratio": None,
                    },
                }
            ],
            "reliability": [
                {"said": 0.21, "came": 0.2, "low": 0.16, "high": 0.25, "customers": 231}
            ],
            "gate": {
                "periods": 2,
                "from": ["2026-08-21", "2026-05-23"],
                "customers": 2380,
                "baseline": "purchases_in_90_days",
                "auc": 0.877,
                "baseline_auc": 0.855,
                "difference": {"value": 0.022, "low": 0.011, "high": 0.035},
                "brier_ratio": {"value": 0.863, "low": 0.83, "high": 0.89},
                "sure": 1.0,
                "passes": True,
            },
            "passes": True,
        }
    ],
    "importance": [
        {"feature": "closed", "weight": 0.35, "auc_lost": 0.04, "moves_log_odds": 0.6},
    ],
    "promoted": {"at": "2026-11-20T01:00:00Z", "by": "data-team", "override": None},
    "about": {},
    "notes": ["Trained on the log up to a position, on customers as they stood ..."],
}

TRAINING: dict[str, Any] = {
    "name": "churn",
    "number": 1,
    "status": "queued",
    "progress": 0.0,
    "seed": 0,
    "asked_by": "data-team",
    "asked_at": "2026-11-20T00:09:30Z",
    "started_at": None,
    "ended_at": None,
    "attempts": 0,
    "version": None,
    "model": None,
    "code": None,
    "message": "Waits for a worker.",
}

SHADOW: dict[str, Any] = {
    "name": "churn",
    "in_force": "churn@4",
    "shadow": "churn@5",
    "since": "2026-11-20T00:12:00Z",
    "by": "data-team",
    "customers": 2469,
    "scored": 2469,
    "moved": 131,
    "higher": 40,
    "lower": 91,
    "mean_difference": -0.0123,
    "bands": [
        {"from": "low", "from_label": "Low", "to": "medium", "to_label": "Medium", "customers": 29},
    ],
    "items": [
        {
            "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a",
            "from": "medium",
            "from_label": "Medium",
            "probability": 0.34,
            "to": "low",
            "to_label": "Low",
            "shadow_probability": 0.27,
        }
    ],
    "next_cursor": None,
}

SUMMARY: dict[str, Any] = {
    "total": 2480,
    "never_bought": 11,
    "by_band": [{"band": "low", "label": "Low", "customers": 2291}],
    "by_class": [{"class": "champion", "label": "Champion", "customers": 512}],
    "by_matrix": [{"matrix": "core", "label": "Core", "customers": 312}],
    "unclassified": 0,
    "model": MODEL,
}

POLICY_VERSION: dict[str, Any] = {
    "name": "scoring",
    "version": 0,
    "policy": "scoring@0",
    "built_in": True,
    "in_force": True,
    "published_at": None,
    "bands": [{"band": "low", "label": "Low", "from": 0.0, "to": 0.3}],
    "classes": [{"class": "lost", "label": "Lost", "cells": [{"r": 1, "fm": 1}]}],
    "body": {
        "medium_from": 0.3,
        "high_from": 0.6,
        "classes": [
            ["lost", "hibernating", "at_risk", "cannot_lose", "cannot_lose"],
            ["hibernating", "about_to_sleep", "at_risk", "at_risk", "at_risk"],
            ["about_to_sleep", "need_attention", "need_attention", "loyal", "loyal"],
            ["promising", "potential_loyalist", "potential_loyalist", "loyal", "champion"],
            ["new", "potential_loyalist", "potential_loyalist", "champion", "champion"],
        ],
        "matrix": {
            "by": "quantile",
            "value_from": "1000000",
            "value_from_by_currency": {},
            "active_from": 12,
            "value_top_percent": 20,
            "activity_top_percent": 50,
        },
        "margins": {"default": 0.3, "categories": {}},
        "satisfaction": {"prior": None, "strength": 3.0, "half_life_days": 180},
        "value": {"years": 3, "discount_rate": 0.1},
    },
}

POLICY: dict[str, Any] = {
    **POLICY_VERSION,
    "versions": [0],
    "rfm": {
        "policy": "rfm@4",
        "fitted_at": "2026-11-20T00:00:00Z",
        "customers": 2469,
        "recency": ["2026-10-28T22:10:00Z", "2026-11-08T00:00:00Z", None, None],
        "frequency": [15, 34, 58, 96],
        "monetary": {"USD": ["361.20", "900.00", "1800.50", "3200.00"]},
    },
    "matrix": {
        "population": "population@2",
        "by": "quantile",
        "by_currency": {"USD": {"by": "quantile", "spend_from": "3200.00", "active_from": 10}},
        "absolute": {"spend_over": "1000000", "by_currency": {}, "active_from": 12},
    },
}

PLACED: dict[str, Any] = {
    "customer_id": SCORE["customer_id"],
    "erased": False,
    "month": "2026-11",
    "matrix": SCORE["matrix"],
}

REVIEW: dict[str, Any] = {
    "month": "2026-10",
    "at": "2026-11-01T12:03:00Z",
    "policy": "scoring@0",
    "customers": 2469,
    "moved": 31,
    "first": False,
    "by_matrix": [{"matrix": "core", "label": "Core", "customers": 312}],
}

MOVE: dict[str, Any] = {
    "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a",
    "from": "core",
    "from_label": "Core",
    "to": "potential",
    "to_label": "Potential",
    "before": {"spend_year": {"amount": "1204000.00", "currency": "CNY"}, "active_months": 12},
    "now": {"spend_year": {"amount": "1104000.00", "currency": "CNY"}, "active_months": 11},
    "needed": {"spend_year": {"amount": "1000000.01", "currency": "CNY"}, "active_months": 12},
    "text": "Core to Potential: spent 1104000.00 CNY in twelve months (before: 1204000.00 "
    "CNY; high value from 1000000.01 CNY), orders in 11 of twelve months (before: "
    "12; active from 12).",
    "verdict": {
        "verdict": "overridden",
        "class": "core",
        "month": "2026-10",
        "by": "chen.li",
        "reason": "A contract for next year is signed",
        "at": "2026-11-02T02:11:00Z",
    },
}
