import pytest

from services.interaction.webhooks.patterns import PATTERNS, TEST, TYPES, is_pattern, types_of


@pytest.mark.parametrize(
    ("patterns", "named", "others"),
    [
        (["purchase.completed"], {"purchase.completed"}, {"purchase.refunded", "tag.added"}),
        (["lifecycle.*"], {"lifecycle.changed"}, {"score.churn_band_changed"}),
        (
            ["score.*", "tag.added"],
            {"score.churn_band_changed", "score.matrix_changed", "tag.added"},
            {"tag.removed", "purchase.completed"},
        ),
        (["*"], set(TYPES), set()),
    ],
)
def test_what_a_pattern_names(patterns, named, others):
    found = types_of(tuple(patterns))
    assert named <= found
    assert not others & found


@pytest.mark.parametrize(
    "text",
    [
        *("purchase", "purchase.", "purchase.*.x", "*.completed", "**", "purchase.comp*", ".*", ""),
        *("no.such_type", "clock.ticked", "clock.*", "policy.published", TEST, "webhook.*"),
    ],
)
def test_what_names_nothing(text):
    assert not is_pattern(text)


def test_those_that_are_shown_are_all_there_are():
    assert all(map(is_pattern, PATTERNS))
    assert len(PATTERNS) == len(set(PATTERNS)) > len(TYPES) + 10


def test_every_type_is_a_pattern_and_so_is_every_family():
    assert all(is_pattern(one) and is_pattern(f"{one.partition('.')[0]}.*") for one in TYPES)
