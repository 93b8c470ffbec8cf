"""What customers are judged by is read once, and never from other policies than those in force."""

import msgspec

from services.scoring.policies import DEFAULT_SCORING, RFM, SCORING, MatrixRules
from services.scoring.projector.basis import basis_of
from shared.projection import Policy


def choices(version: int, value_from: str) -> dict[str, Policy]:
    rules = MatrixRules(by="absolute", value_from=value_from)
    body = msgspec.to_builtins(msgspec.structs.replace(DEFAULT_SCORING, matrix=rules))
    return {SCORING: Policy(SCORING, version, body)}


def test_the_same_policies_are_read_once():
    policies = choices(1, "10")
    assert basis_of(policies) is basis_of(dict(policies))


def test_a_new_version_holds_at_once_also_in_the_same_mapping():
    policies = choices(1, "10")
    assert basis_of(policies).thresholds("CNY").spend == 1001
    policies |= choices(2, "20")
    found = basis_of(policies)
    assert (found.rules, found.thresholds("CNY").spend) == ("scoring@2", 2001)
    del policies[SCORING]
    assert basis_of(policies).rules == "scoring@0"


def test_many_policies_one_after_the_other_are_never_taken_for_each_other():
    """More than are kept, and none of them outlives its turn here, so that addresses come again."""
    for version in range(1, 300):
        found = basis_of(choices(version, str(version)))
        assert found.rules == f"scoring@{version}"
        assert found.thresholds("JPY").spend == version + 1
    assert basis_of({}).policy == f"{RFM}@0"
