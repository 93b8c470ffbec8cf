"""What the documentation shows of recommendations, forecasts and series: as they come, in English."""

from typing import Any

_EVENT = "01999a6e-41b7-7c10-8a3e-0d5f6b7c8d00"

RECOMMENDATIONS: dict[str, Any] = {
    "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a",
    "at": "2026-11-20T16:00:00Z",
    "level": "product",
    "model": {
        "name": "recommend-product@4",
        "version": 4,
        "made_at": "2026-11-20T16:00:00Z",
        "trained_to": "2026-11-21",
        "customers": 2469,
        "items": 10083,
        "ranked_by": {"again": "network", "new": "network"},
        "quality": [
            {
                "list": "again",
                "ranked_by": "frequency",
                "label": "how often they bought it",
                "ndcg_at_10": 0.4803,
                "naive": True,
                "in_force": False,
            },
            {
                "list": "again",
                "ranked_by": "network",
                "label": "a trained network",
                "ndcg_at_10": 0.5098,
                "naive": False,
                "in_force": True,
            },
        ],
    },
    "basis": "own",
    "erased": False,
    "note": None,
    "again": [
        {
            "rank": 1,
            "item": "P9",
            "name": "Milk",
            "category": "Dairy",
            "kind": "again",
            "label": "Buy again",
            "score": 0.6127,
            "chance": 0.6127,
            "reason": {
                "code": "due",
                "text": "Bought on 12 days, about every 7 days; last 8 days ago: due now.",
                "params": {"times": 12, "since": 8, "every": 7},
            },
            "evidence": [_EVENT],
        }
    ],
    "new": [
        {
            "rank": 1,
            "item": "P12",
            "name": "Yoghurt",
            "category": "Dairy",
            "kind": "variety",
            "label": "Variety",
            "score": 0.0831,
            "chance": 0.0831,
            "reason": {
                "code": "goes_with",
                "text": "Goes with what this customer buys: Milk. 120 customers bought it in the"
                " last 56 days.",
                "params": {"items": ["P9"], "buyers": 120, "days": 56},
            },
            "evidence": [_EVENT],
        }
    ],
    "left_out": [
        {
            "item": "P31",
            "name": "Apples",
            "reason": {
                "code": "just_bought",
                "text": "Bought 1 days ago; due again in about 8 days.",
            },
            "evidence": [_EVENT],
        }
    ],
}
TOGETHER: dict[str, Any] = {
    "rank": 1,
    "item": "P31",
    "name": "Apples",
    "visits": 412,
    "lift": 2.114,
    "confidence": 0.3118,
    "text": "On 31.2 % of the visits with the one the other was bought too: 2.1 times as often as by"
    " chance.",
}
AUDIENCE: dict[str, Any] = {
    "rank": 1,
    "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a",
    "list": "again",
    "label": "Buys it again",
    "score": 0.8312,
    "chance": 0.8312,
}

_WEEK: dict[str, Any] = {
    "week": "2026-11-16",
    "ahead": 1,
    "expected": 412.318,
    "low_80": 371.2,
    "high_80": 455.901,
    "low_95": 340.118,
    "high_95": 491.02,
}
_LINE: dict[str, Any] = {
    "key": "Dairy",
    "label": "Dairy",
    "department": "Grocery",
    "method": "model",
    "method_label": "trained model and 4-week mean",
    "usual": 405.25,
    "weeks": [_WEEK],
}
_HEAD: dict[str, Any] = {
    "as_of": "2026-11-20T16:00:00Z",
    "measure": "units",
    "unit": "units",
    "currency": None,
    "level": "category",
    "weeks_begin": "Monday to Sunday by each purchase's local day (where an event names no offset:"
    " Asia/Shanghai); which week is running is by Asia/Shanghai.",
    "timezone": "Asia/Shanghai",
    "first_week": "2026-11-16",
    "model": {
        "name": "demand-units@9",
        "version": 9,
        "made_at": "2026-11-20T16:00:00Z",
        "trained_weeks": 52,
        "model_share": 0.6,
        "quality": {
            "windows": 12,
            "mase": 0.8921,
            "mase_of_4_week_mean": 0.9573,
            "ratio": 0.9319,
            "covered_80": 0.79,
            "covered_95": 0.957,
        },
        "importance": [{"cause": "rhythm", "label": "own level and trend", "share": 0.82}],
        "holidays_of": "CN",
        "series": ["promotions"],
    },
    "notes": [
        {
            "code": "signal_ends_early",
            "text": "The series promotions ends with the week of 2026-11-30: it explains the first 3"
            " weeks ahead, the later ones are forecast without it.",
            "params": {"name": "promotions", "last_week": "2026-11-30", "weeks": 3},
        }
    ],
}
FORECASTS: dict[str, Any] = {
    **_HEAD,
    "total_demand": {
        **_LINE,
        "key": "total",
        "label": "Total",
        "department": None,
        "method": "sum",
        "method_label": "sum of its categories",
    },
    "items": [_LINE],
    "next_cursor": None,
}
FORECAST: dict[str, Any] = {
    **_HEAD,
    **_LINE,
    "history": [{"week": "2026-11-09", "value": 398.0}],
    "running_week": 231.0,
    "reasons": [
        {
            "cause": "signal:promotions",
            "label": "promotions",
            "factors": [1.12, 1.1, 1.04],
            "text": "promotions: 8.7 % above the level of the last weeks.",
        }
    ],
}

POINT: dict[str, Any] = {"key": "Dairy", "date": "2026-11-16", "value": 0.4}
SERIES: dict[str, Any] = {
    "name": "promotions",
    "revision": 1,
    "scope": "category",
    "gaps": "zero",
    "unit": "share of shelves",
    "description": "Planned promotions",
    "points": 2,
    "keys": 1,
    "first": "2026-11-16",
    "last": "2026-11-23",
    "changed_at": "2026-11-20T16:00:00Z",
    "changed_by": "planning",
}
UPLOAD: dict[str, Any] = {
    "scope": "category",
    "gaps": "zero",
    "unit": "share of shelves",
    "description": "Planned promotions",
    "points": [POINT, {"key": "Dairy", "date": "2026-11-23", "value": 0.2}],
}
