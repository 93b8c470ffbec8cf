"""How learning ends, for those who watch: counted from 0 on, so that the first failure is a rise."""

from shared import metrics

SERVICE = "scoring"
CHURN, OFFERING = KINDS = ("churn", "offering")
DONE, IMPOSSIBLE, FAILED = OUTCOMES = ("done", "impossible", "failed")
"""`impossible`: there is too little to learn from, which is nobody's fault."""

for _kind in KINDS:
    for _outcome in OUTCOMES:
        metrics.learnings.labels(SERVICE, _kind, _outcome)


def count(kind: str, outcome: str) -> None:
    """One more has ended so."""
    metrics.learnings.labels(SERVICE, kind, outcome).inc()
