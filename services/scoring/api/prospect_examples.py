"""What the documentation shows of prospects and sources: answers as they come, in English."""

from typing import Any

from services.scoring.api.answers import CAME, events_path

PROSPECT_PART: dict[str, Any] = {
    "probability": 0.348204,
    "horizon_days": 90,
    "class": "hot",
    "label": "Hot",
    "model": "prospects@3",
    "method": "rates",
    "note": "Rates of first purchases by age since first seen, times what is so of those who came"
    " alike.",
    "horizons": [
        {
            "horizon_days": 28,
            "probability": 0.148031,
            "interval": {"low": 0.109112, "high": 0.199212},
            "usual": 0.060577,
        },
        {
            "horizon_days": 90,
            "probability": 0.348204,
            "interval": {"low": 0.266131, "high": 0.446012},
            "usual": 0.158333,
        },
    ],
    "first_seen_on": "2026-11-12",
    "days_since_seen": 7,
    "source": "referral",
    "first_contact": {
        "kind": "visit",
        "label": "visit",
        "channel": "store",
        "on": "2026-11-12",
    },
    "contacts": [
        {"days": 1, "number": 1},
        {"days": 7, "number": 3},
        {"days": 14, "number": 3},
    ],
    "spend_if_won": [
        {"weeks": 13, "spend": {"amount": "412.30", "currency": "CNY"}, "customers": 218}
    ],
    "expected_spend": {"amount": "143.56", "currency": "CNY"},
    "reasons": [
        {
            "feature": "source",
            "value": "referral",
            "usual": "advertisement",
            "effect": 0.183112,
            "times": 2.41,
            "won": 96,
            "expected": 38.7,
            "text": "Came by: referral (most: advertisement). Of such prospects 96 have bought, where"
            " 38.7 would have, were they like the others: 2.41 times as often, with caution for small"
            " numbers; this raises the probability by 18.3 percentage points.",
        }
    ],
    "evidence": ["01999a6e-41b7-7c10-8a3e-0d5f6b7c8d00"],
    "nearest_change": {
        "text": "Without a purchase before 2026-12-24 it will be Warm (28.1 %).",
        "class_then": "warm",
        "probability_then": 0.280931,
        "change": "silence",
        "until": "2026-12-24",
        "in_days": 35,
        "contacts": None,
    },
}

PROSPECT: dict[str, Any] = {
    "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a",
    "at": "2026-11-18T16:00:00Z",
    **PROSPECT_PART,
    "events": events_path("01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a", *CAME),
}

SUMMARY: dict[str, Any] = {
    "total": 1840,
    "unclassified": 0,
    "by_class": [{"class": "hot", "label": "Hot", "prospects": 212}],
    "model": "prospects@3",
    "method": "rates",
    "note": PROSPECT_PART["note"],
    "fitted_at": "2026-11-20T00:01:00Z",
    "seen": 2520,
    "won": 680,
    "overall": [
        {"horizon_days": 28, "probability": 0.060577},
        {"horizon_days": 90, "probability": 0.158333},
    ],
    "quality": [
        {
            "horizon_days": 28,
            "begins": "2026-10-22",
            "prospects": 1732,
            "won": 104,
            "expected": 101.2,
            "auc": 0.688,
            "auc_interval": {"low": 0.6363, "high": 0.7397},
            "brier": 0.0537,
            "naive": {"probability": 0.0588, "auc": 0.5, "brier": 0.0565},
            "by_age_alone": {"brier": 0.0559},
            "gain_interval": {"low": 0.0011, "high": 0.0045},
            "better": True,
        }
    ],
    "gate": {
        "horizon_days": 28,
        "periods": 3,
        "begins": ["2026-10-22", "2026-09-24", "2026-08-27"],
        "prospects": 1904,
        "won": 311,
        "brier": 0.0541,
        "naive_brier": 0.0567,
        "gain": {"value": 0.0026, "low": 0.0017, "high": 0.0036},
        "sure": 1.0,
        "passes": True,
    },
}

_TALLY: dict[str, Any] = {
    "seen": 120,
    "won": 45,
    "won_at_once": 5,
    "prospects": 115,
    "conversion": {"rate": 0.347826, "interval": {"low": 0.266885, "high": 0.438524}},
    "within_90_days": {
        "prospects": 80,
        "won": 30,
        "rate": 0.375,
        "interval": {"low": 0.276932, "high": 0.484429},
    },
    "median_days_to_win": 12,
    "first_spend": [
        {
            "weeks": 13,
            "customers": 31,
            "spend": {"amount": "13400.00", "currency": "CNY"},
            "mean": {"amount": "432.26", "currency": "CNY"},
        }
    ],
    "cost": [
        {
            "cost": {"amount": "9000.00", "currency": "CNY"},
            "per_won": {"amount": "200.00", "currency": "CNY"},
        }
    ],
}

SOURCES: dict[str, Any] = {
    "from": "2025-11-20",
    "to": "2026-11-21",
    "timezone": "Asia/Shanghai",
    "note": None,
    "items": [
        {"source": "referral", **_TALLY, "by_month": [{"month": "2026-10", **_TALLY}]},
    ],
    "next_cursor": None,
}
