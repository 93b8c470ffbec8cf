"""What webhooks look like, in the descriptions of their operations."""

TAKEN = {
    "url": "https://crm.example/hooks/tenure",
    "types": ["purchase.completed", "lifecycle.*"],
    "description": "The CRM's own list",
}
ENDPOINT = {
    "id": "01934b5c-7a00-7000-8000-0000000000aa",
    **TAKEN,
    "enabled": True,
    "disabled": None,
    "failing_since": None,
    "old_secret_until": None,
    "created_at": "2026-11-20T06:05:00Z",
    "created_by": "admin",
    "updated_at": "2026-11-20T06:05:00Z",
    "updated_by": "admin",
}
MADE = {**ENDPOINT, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="}
ROTATED = {**MADE, "old_secret_until": "2026-11-21T06:05:00Z"}
DELIVERY = {
    "id": "5f0f2b1e-8f7c-5d0a-9d53-52a0a3a0c7b1",
    "type": "purchase.completed",
    "event_id": "01934b5c-7a00-7000-8000-000000000001",
    "customer_id": "01999a6e-3c0a-7b52-9a55-3f0e8d1c2b7a",
    "status": "pending",
    "attempts": 1,
    "next_at": "2026-11-20T06:05:06Z",
    "last": {
        "at": "2026-11-20T06:05:01Z",
        "code": "status",
        "status": 503,
        "message": "The answer was 503.",
    },
    "created_at": "2026-11-20T06:05:00Z",
    "done_at": None,
}
TEST = {
    **DELIVERY,
    "type": "webhook.test",
    "event_id": None,
    "customer_id": None,
    "attempts": 0,
    "next_at": None,
    "last": None,
}
REPLAY = {"from": "2026-11-20T00:00:00Z", "to": "2026-11-20T06:00:00Z"}
REPLAYED = {"deliveries": 12}
