"""Which service owns a path: the longest prefix decides, whole segments only."""

_SEGMENT = ("identify", "track", "page", "screen", "group", "alias", "batch")
_OWNED = {
    "interaction": (
        "/v1/events",
        "/v1/history",
        "/v1/timelines",
        "/v1/event-types",
        *(f"/v1/{call}" for call in _SEGMENT),
        "/v1/interactions",
        "/v1/purchases",
        "/v1/refunds",
        "/v1/complaints",
        "/v1/identify",
        "/v1/track",
        "/v1/page",
        "/v1/screen",
        "/v1/group",
        "/v1/alias",
        "/v1/batch",
        "/v1/quarantine/interaction",
        "/v1/audit/interaction",
        "/v1/webhooks",
    ),
    "profile": (
        "/v1/customers",
        "/v1/tags",
        "/v1/merges",
        "/v1/erasures",
        "/v1/policies/lifecycle",
        "/v1/policies/tags",
        "/v1/policies/merging",
        "/v1/quarantine/profile",
        "/v1/audit/profile",
    ),
    "scoring": (
        "/v1/scores",
        "/v1/models",
        "/v1/matrix",
        "/v1/recommendations",
        "/v1/forecasts",
        "/v1/series",
        "/v1/prospects",
        "/v1/sources",
        "/v1/policies/scoring",
        "/v1/quarantine/scoring",
        "/v1/audit/scoring",
    ),
    "campaign": ("/v1/segments", "/v1/messages", "/v1/quarantine/campaign", "/v1/audit/campaign"),
}
_OWNERS = {prefix: service for service, prefixes in _OWNED.items() for prefix in prefixes}


def may_own(service: str, template: str) -> bool:
    """Whether some path of a route template (`/v1/policies/{name}`) is this service's."""
    segments = template.split("/")
    for prefix in _OWNED.get(service, ()):
        wanted = prefix.split("/")
        pairs = zip(wanted, segments, strict=False)
        if len(wanted) <= len(segments) and all(a == b or b[:1] == "{" for a, b in pairs):
            return True
    return False


def owner(path: str) -> str | None:
    """The service of a decoded path; None where nobody has it.

    A path with `.` or `..` has no owner: what one server reads as another path must not pass."""
    segments = path.split("/")
    if "." in segments or ".." in segments:
        return None
    for length in range(len(segments), 1, -1):
        service = _OWNERS.get("/".join(segments[:length]))
        if service is not None:
            return service
    return None
