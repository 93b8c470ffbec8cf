"""What the documentation shows: answers as they come."""

from typing import Any

_EVENT = "01934b5c-7a00-7000-8000-000000000001"

LIFECYCLE: dict[str, Any] = {
    "state": "mature",
    "label": "成熟",
    "since": "2026-10-18T04:03:11Z",
    "reason": "已在 4 天有购买，且满意。",
    "evidence": [_EVENT],
    "views": {
        "引入-转化-增长-成熟-流失": "成熟",
        "新-活跃-沉默-流失": "活跃",
        "潜在-新-忠实-流失": "忠实",
    },
    "due_at": "2026-12-19T12:04:00Z",
    "policy": "lifecycle@1",
}

TAG: dict[str, Any] = {
    "tag": "behaviour:night-owl",
    "label": "夜猫子",
    "origin": "derived",
    "since": "2026-11-02T15:20:00Z",
    "reason": "22 点至次日 6 点之间购买 5 次，占全部的 42%。",
    "by": "tags@1",
    "evidence": [],
}

MANUAL_TAG: dict[str, Any] = {
    "tag": "need:quality-first",
    "label": "品质优先",
    "origin": "manual",
    "since": "2026-11-20T04:05:00Z",
    "reason": "电话中说明",
    "by": "chen.li",
    "evidence": [_EVENT],
}

CUSTOMER: dict[str, Any] = {
    "id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a",
    "number": "C2026000123",
    "kind": "person",
    "name": "李雷",
    "status": "active",
    "erased": False,
    "owner": "chen.li",
    "merged_from": [],
    "identifiers": [{"type": "member_no", "value": "M42", "first_seen_at": "2026-09-01T04:00:00Z"}],
    "attributes": {"industry": None, "region": "Shanghai", "source": "referral", "birthday": None},
    "first_contact_at": "2026-09-01T04:00:00Z",
    "last_interaction_at": "2026-11-19T02:30:00Z",
    "last_purchase_at": "2026-11-20T12:03:11Z",
    "purchases": {
        "count": 12,
        "spend": {"amount": "803.10", "currency": "USD"},
        "spend_by_currency": {"USD": "803.10"},
        "average_basket": {"amount": "66.93", "currency": "USD"},
        "usual_interval_days": 9.5,
    },
    "tags": [MANUAL_TAG, TAG],
    "lifecycle": LIFECYCLE,
    "scores": {"churn_band": "medium", "rfm_class": "champion", "matrix": None},
    "complaints": {"open": 0, "total": 1},
    "consents": [
        {"channel": "sms", "topic": "offers", "granted": True, "at": "2026-11-20T04:05:00Z"}
    ],
    "satisfaction": {"nps": 9},
    "as_of": "2026-11-20T12:04:00Z",
}

SUMMARY: dict[str, Any] = {
    "total": 2480,
    "states": [{"state": "mature", "label": "成熟", "count": 1702}],
    "tags": [{"tag": "behaviour:night-owl", "label": "夜猫子", "count": 104}],
    "churn_bands": [{"band": "low", "label": "低", "count": 2291}],
    "rfm_classes": [{"class": "champion", "label": "重要价值客户", "count": 512}],
}

PATH: dict[str, Any] = {
    "customer_id": CUSTOMER["id"],
    "policy": "lifecycle@1",
    "due_at": LIFECYCLE["due_at"],
    "items": [
        {
            "state": "new",
            "label": "新客",
            "since": "2026-09-01T04:00:00Z",
            "reason": "首次购买。",
            "code": "first_purchase",
            "params": {},
            "evidence": [_EVENT],
            "views": {
                "引入-转化-增长-成熟-流失": "转化",
                "新-活跃-沉默-流失": "新",
                "潜在-新-忠实-流失": "新",
            },
            "policy": "lifecycle@1",
        }
    ],
}

TAGS: dict[str, Any] = {
    "items": [{"tag": "behaviour:night-owl", "label": "夜猫子", "count": 104}],
    "next_cursor": None,
}

POLICY: dict[str, Any] = {
    "name": "lifecycle",
    "version": 1,
    "policy": "lifecycle@1",
    "built_in": True,
    "in_force": True,
    "published_at": None,
    "body": {"default_interval_days": 30.0, "silent_after": 3.0, "lost_after": 6.0},
}

MERGE: dict[str, Any] = {
    "id": "01999b10-5f2e-7c11-8a77-2b9d4e6f8a01",
    "status": "proposed",
    "label": "待确认",
    "head": None,
    "parts": [CUSTOMER["id"], "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7b"],
    "joins": [CUSTOMER["id"], "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7b"],
    "reason": "同一事件同时指向这些客户。",
    "created_at": "2026-11-20T12:03:12Z",
    "created_by": "merging@1",
    "decided_at": None,
    "decided_by": None,
    "decision": None,
    "evidence": [
        {
            "type": "phone",
            "value": "+8613800138000",
            "customer_id": CUSTOMER["id"],
            "event_id": _EVENT,
            "seen_at": "2026-11-20T12:03:11Z",
        }
    ],
}

MERGED: dict[str, Any] = {
    **MERGE,
    "status": "merged",
    "label": "已合并",
    "head": CUSTOMER["id"],
    "reason": "同一位客户，电话中确认",
    "created_by": "chen.li",
    "decided_at": "2026-11-20T12:04:00Z",
    "decided_by": "chen.li",
    "decision": "同一位客户，电话中确认",
    "evidence": [],
}

SPLIT: dict[str, Any] = {
    **MERGED,
    "status": "split",
    "label": "已拆分",
    "head": None,
    "decided_at": "2026-11-21T02:10:00Z",
    "decision": "认错人了",
}

MERGING: dict[str, Any] = {
    "name": "merging",
    "version": 1,
    "policy": "merging@1",
    "built_in": True,
    "in_force": True,
    "published_at": None,
    "body": {"at_once": [], "limits": {"phone": 3}, "blocked": []},
}

_PICTURE: dict[str, Any] = {
    "id": CUSTOMER["id"],
    "number": "C2026000123",
    "name": "李雷",
    "tags": [TAG],
    "lifecycle": LIFECYCLE,
    "purchases": 12,
    "scores": {
        "churn_band": "medium",
        "churn_probability": 0.31,
        "rfm_class": "champion",
        "matrix": "core",
    },
    "segments": [{"id": "01999b0c-1a2b-7c3d-8e4f-5a6b7c8d9e0f", "name": "Silent big spenders"}],
}

PREVIEW: dict[str, Any] = {
    "head": CUSTOMER["id"],
    "parts": [CUSTOMER["id"], "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7b"],
    "before": [_PICTURE],
    "after": _PICTURE,
    "events": {"total": 3, "by_type": {"customer.regrouped": 2, "tag.gained": 1}},
    "notes": [],
}

ERASURE: dict[str, Any] = {
    "id": "01999c20-7d3e-7a44-8b91-6c2f0e5d4a12",
    "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7c",
    "number": "C2026000124",
    "status": "running",
    "label": "进行中",
    "requested_at": "2026-11-23T02:10:00Z",
    "requested_by": "privacy.office",
    "done_at": None,
    "parts": [
        {
            "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7c",
            "erased_at": "2026-11-23T02:10:00Z",
            "key_destroyed_at": "2026-11-23T02:10:00Z",
            "services": [
                {"service": "profile", "at": "2026-11-23T02:10:01Z", "latest": None},
                {
                    "service": "interaction",
                    "at": "2026-11-23T02:10:01Z",
                    "latest": "2027-02-28T02:10:00Z",
                },
            ],
        }
    ],
    "latest": "2027-02-28T02:10:00Z",
}
