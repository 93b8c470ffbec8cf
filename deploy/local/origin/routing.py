"""Which service owns a path: the longest prefix decides, whole segments only."""

_OWNED = {
    "interaction": (
        "/v1/events",
        "/v1/history",
        "/v1/timelines",
        "/v1/event-types",
        "/v1/quarantine/interaction",
    ),
    "profile": (
        "/v1/customers",
        "/v1/tags",
        "/v1/policies/lifecycle",
        "/v1/policies/tags",
        "/v1/quarantine/profile",
    ),
    "scoring": ("/v1/scores", "/v1/models", "/v1/policies/scoring", "/v1/quarantine/scoring"),
}
_OWNERS = {prefix: service for service, prefixes in _OWNED.items() for prefix in prefixes}


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
