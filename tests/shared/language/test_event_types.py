"""The language is closed: every type has all its parts, and nothing else exists."""

import json
from typing import get_args, get_type_hints

import msgspec
import pytest

from shared.language import EVENT_TYPES, PUBLISHABLE, Data, personal_paths, validated
from shared.language.event_type import EventType

CATALOGUE = {
    *(f"purchase.{verb}" for verb in ("completed", "cancelled", "refunded", "corrected")),
    *("interaction.recorded", "interaction.retracted"),
    *(f"complaint.{verb}" for verb in ("opened", "answered", "escalated", "resolved", "reopened")),
    "complaint.assigned",
    "survey.answered",
    *(f"customer.{verb}" for verb in ("described", "identified", "numbered", "edited")),
    "customer.regrouped",
    "consent.changed",
    *(f"message.{verb}" for verb in ("delivered", "opened", "clicked", "bounced", "complained")),
    *(f"message.{verb}" for verb in ("sent", "uncertain", "failed", "withheld")),
    *("identifiers.added", "identifiers.linked"),
    *("customer.erased", "customer.forgotten"),
    *("clock.ticked", "history.closed", "policy.published"),
    *("tag.added", "tag.removed", "tag.gained", "tag.dropped"),
    "lifecycle.changed",
    *("score.churn_band_changed", "score.rfm_class_changed"),
    *("score.matrix_changed", "score.matrix_reviewed"),
    *("segment.entered", "segment.left"),
}
OURS_ALONE = {
    *("complaint.assigned", "interaction.retracted"),
    *("purchase.corrected", "customer.numbered", "customer.edited", "customer.regrouped"),
    *("identifiers.added", "identifiers.linked"),
    *(f"message.{verb}" for verb in ("sent", "uncertain", "failed", "withheld")),
    *("customer.erased", "customer.forgotten"),
    *("clock.ticked", "history.closed", "policy.published"),
    *("tag.added", "tag.removed", "tag.gained", "tag.dropped", "lifecycle.changed"),
    *("score.churn_band_changed", "score.rfm_class_changed"),
    *("score.matrix_changed", "score.matrix_reviewed"),
    *("segment.entered", "segment.left"),
}
every_type = pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=lambda kind: kind.name)


def test_the_catalogue():
    assert set(EVENT_TYPES) == CATALOGUE
    assert set(PUBLISHABLE) == CATALOGUE - OURS_ALONE


def test_the_union_is_closed():
    structs = [kind.struct for kind in EVENT_TYPES.values()]
    assert len(structs) == len(set(structs)), "one Struct per type, or folds cannot tell them apart"
    assert set(structs) == set(get_args(Data))


@every_type
def test_parts(kind: EventType):
    assert EVENT_TYPES[kind.name] is kind
    assert kind.emitters <= {"interaction", "profile", "scoring", "campaign"}
    assert kind.emitters
    assert all(kind.description[language] for language in ("en", "zh"))
    assert kind.dataschema == f"{kind.name}/{kind.version}"
    assert json.loads(json.dumps(kind.example)) == kind.example


@every_type
def test_the_example_passes_the_door_unchanged(kind: EventType):
    if kind.name in PUBLISHABLE:
        assert validated(kind.name, kind.example) == kind.example
    else:
        with pytest.raises(TypeError):
            _ = kind.adapter


@every_type
def test_the_example_is_what_consumers_decode(kind: EventType):
    decoded = msgspec.json.decode(msgspec.json.encode(kind.example), type=kind.struct)
    assert type(decoded) is kind.struct


@every_type
def test_the_schema_is_json(kind: EventType):
    schema = json.loads(json.dumps(kind.json_schema()))
    assert "\\x00" not in json.dumps(schema)
    if kind.name in PUBLISHABLE:
        assert schema["title"] == kind.name
        assert set(schema["required"]) <= set(kind.example) | {"amount", "score"}


@every_type
def test_ranks(kind: EventType):
    """A fact or decision has rank 0, an announcement one above it, by what it may read."""
    expected = (
        {"score": 1, "lifecycle": 2, "tag": 3, "segment": 4}[kind.name.split(".")[0]]
        if (kind.announcement)
        else 0
    )
    assert kind.rank == expected


def test_announcements():
    assert {name for name, kind in EVENT_TYPES.items() if kind.announcement} == {
        *("score.churn_band_changed", "score.rfm_class_changed", "score.matrix_changed"),
        *("lifecycle.changed", "tag.gained", "tag.dropped"),
        *("segment.entered", "segment.left"),
    }


@every_type
def test_structs_read_only_what_the_door_knows(kind: EventType):
    """Else a publisher's unknown field of another shape would reach a consumer's decoder."""
    if kind.name not in PUBLISHABLE:
        return
    door = kind.door.__origin__ if hasattr(kind.door, "__metadata__") else kind.door
    ours = {"settled"} if kind.name.startswith("purchase.") else set()
    assert set(kind.struct.__struct_fields__) <= set(get_type_hints(door)) | ours


@every_type
def test_structs_are_plain_values(kind: EventType):
    assert kind.struct.__struct_config__.frozen
    assert not kind.struct.__struct_config__.gc


@pytest.mark.parametrize(
    ("type_", "paths"),
    [
        ("purchase.completed", set()),
        ("interaction.recorded", {"/subject", "/content", "/feedback"}),
        ("interaction.retracted", {"/reason"}),
        ("complaint.opened", {"/description"}),
        ("customer.identified", {"/identifiers"}),
        ("identifiers.added", {"/identifiers"}),
        ("identifiers.linked", {"/evidence"}),
        ("customer.edited", {"/changes"}),
        ("lifecycle.changed", set()),
    ],
)
def test_where_personal_data_lies(type_, paths):
    assert personal_paths(type_) == paths


def test_names_and_addresses_are_personal_regions_are_not():
    paths = personal_paths("customer.described")
    assert {"/traits/name", "/traits/phone", "/traits/email", "/traits/birthday"} <= paths
    assert "/traits/region" not in paths
