"""What the documentation shows: answers as they come, in English."""

from typing import Any

_EVENT = "01934b5c-7a00-7000-8000-000000000001"
_CUSTOMER = "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a"

RULE: dict[str, Any] = {
    "all": [
        {"field": "lifecycle.state", "op": "in", "value": ["silent", "lost"]},
        {"field": "purchases.spend", "op": ">=", "value": "1000", "currency": "USD"},
        {"not": {"field": "tags", "op": "contains", "value": "behaviour:complained"}},
        {"count": {"type": "purchase.completed", "within_days": 90}, "op": "<", "value": 1},
    ]
}

WRITTEN: dict[str, Any] = {"name": "Silent big spenders", "rule": RULE}

SEGMENT: dict[str, Any] = {
    "id": "01934b5c-7a00-7000-8000-0000000000aa",
    "name": "Silent big spenders",
    "description": "",
    "rule": RULE,
    "version": 1,
    "created_at": "2026-11-20T04:00:00Z",
    "created_by": "marketing",
    "updated_at": "2026-11-20T04:00:00Z",
    "updated_by": "marketing",
}

DETAIL: dict[str, Any] = {
    **SEGMENT,
    "members": 37,
    "progress": {"state": "live", "filled": 2480, "of": 2480},
}

PREVIEW: dict[str, Any] = {
    "size": 37,
    "share": 0.0149,
    "of": 2480,
    "exact": True,
    "sample": [_CUSTOMER],
    "as_of": "2026-11-20T04:04:00Z",
}

FIELD: dict[str, Any] = {
    "field": "scores.churn_band",
    "type": "choice",
    "operators": ["=", "!=", "in", "not_in", "exists"],
    "meaning": {"zh": "流失风险", "en": "Churn risk"},
    "values": [{"value": "low", "label": {"zh": "低", "en": "Low"}}],
}

FIELDS: dict[str, Any] = {
    "items": [FIELD],
    "next_cursor": None,
    "operators": [{"operator": "in", "meaning": {"zh": "属于其中之一", "en": "is one of"}}],
    "count": {
        "operators": [">=", "between"],
        "most_days": 366,
        "types": [{"type": "purchase.completed", "meaning": {"zh": "购买", "en": "A purchase"}}],
    },
}

MEMBER: dict[str, Any] = {"customer_id": _CUSTOMER, "since": "2026-11-19T16:00:00Z"}

MOVE: dict[str, Any] = {
    "customer_id": _CUSTOMER,
    "change": "entered",
    "at": "2026-11-19T16:00:00Z",
    "moved_by": "event",
    "event_id": _EVENT,
    "reason": "An event moved the customer.",
    "version": 1,
}

WHY: dict[str, Any] = {
    "customer_id": _CUSTOMER,
    "segment_id": SEGMENT["id"],
    "member": False,
    "since": None,
    "erased": False,
    "note": None,
    "as_of": "2026-11-20T04:04:00Z",
    "version": 1,
    "conditions": [
        {
            "pointer": "/rule/all/0",
            "field": "lifecycle.state",
            "op": "in",
            "value": ["silent", "lost"],
            "holds": False,
            "found": "mature",
            "text": "Lifecycle state is one of Silent, Lost: no (found: Mature)",
        }
    ],
}

SEND_MESSAGE: dict[str, Any] = {
    "customer": "member_no:M42",
    "channel": "email",
    "purpose": "service",
    "subject": "Your order is on its way",
    "text": "Dear {{name|customer}},\n\nyour order A-1001 has left us today.",
}

MESSAGE: dict[str, Any] = {
    "id": "01934b5c-7a00-7000-8000-0000000000dd",
    "customer_id": _CUSTOMER,
    "channel": "email",
    "purpose": "service",
    "topic": None,
    "status": "sent",
    "label": "Sent",
    "reason": None,
    "explanation": None,
    "subject": "Your order is on its way",
    "text": "Dear {{name|customer}},\n\nyour order A-1001 has left us today.",
    "to": "li.lei@example.com",
    "created_at": "2026-11-20T04:00:00Z",
    "created_by": "marketing",
    "send_at": None,
    "due_at": None,
    "attempts": 1,
    "sent_at": "2026-11-20T04:00:01Z",
    "done_at": "2026-11-20T04:00:01Z",
    "wanted_by": "marketing",
}
