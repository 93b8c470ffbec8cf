"""What answers say."""

import httpx

LATER = {408, 429, 503, 504}
"""Statuses of: not now."""
GONE = {"customer_erased", "customer_not_found"}
"""Codes for somebody who was forgotten meanwhile."""


def code_of(answer: httpx.Response) -> str:
    """The code of a refusal."""
    try:
        return answer.json().get("code", "")
    except ValueError:
        return ""
