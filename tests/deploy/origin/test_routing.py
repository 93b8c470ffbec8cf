import pytest

from deploy.local.origin.routing import owner


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/v1/events", "interaction"),
        ("/v1/event-types", "interaction"),
        ("/v1/history/import-1/close", "interaction"),
        ("/v1/timelines/C2026000001", "interaction"),
        ("/v1/customers", "profile"),
        ("/v1/customers/phone:+8613800138000/tags/vip", "profile"),
        ("/v1/tags", "profile"),
        ("/v1/policies/lifecycle/3", "profile"),
        ("/v1/policies/tags", "profile"),
        ("/v1/policies/scoring", "scoring"),
        ("/v1/scores/summary", "scoring"),
        ("/v1/matrix/reviews/2026-10/member_no:M42/confirm", "scoring"),
        ("/v1/models/churn/2", "scoring"),
        ("/v1/quarantine/interaction", "interaction"),
        ("/v1/quarantine/profile/1/replay", "profile"),
        ("/v1/quarantine/scoring", "scoring"),
        ("/v1/batch", "interaction"),
        ("/v1/identify", "interaction"),
        ("/v1/pages", None),
        ("/v1/segments/fields", "campaign"),
        ("/v1/messages", "campaign"),
        ("/v1/webhooks", "interaction"),
        ("/v1/erasures", "profile"),
        ("/v1/quarantine/campaign/1", "campaign"),
        ("/v1/audit/interaction", "interaction"),
        ("/v1/audit/profile", "profile"),
        ("/v1/audit/scoring", "scoring"),
        ("/v1/audit/nobody", None),
        ("/v1/quarantine/nobody", None),
        ("/v1/policies", None),
        ("/v1/customersandmore", None),
        ("/v1/identities", None),
        ("/internal/recent", None),
        ("/metrics", None),
        ("/healthz", None),
        ("/", None),
        ("", None),
        ("/v1/customers/../../internal/recent", None),
        ("/v1/customers/./x", None),
    ],
)
def test_the_longest_prefix_of_whole_segments_decides(path, service):
    assert owner(path) == service
