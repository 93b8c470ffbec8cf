"""Commands: given this state, when somebody asks this, then these events, or this problem."""

import pytest
from pydantic import ValidationError

from services.profile.commands import AddTag, CreateCustomer, EditCustomer, RemoveTag
from services.profile.decider import TAGS, decide
from shared.errors import Conflict, NotFound, Unprocessable
from shared.language import CustomerDescribed, CustomerEdited, CustomerErased, TagAdded, TagRemoved
from tests.profile.folding import Story

EMPTY = Story()
ERASED = CustomerErased(erasure="01934b5c-7a00-7000-8000-0000000000ee", by="privacy.office")
TAGGED = Story()(0, TagAdded("vip", "li.na", "why"))
NAMED = Story()(0, CustomerDescribed({"name": "Li", "region": "Shanghai"}))

DECIDED = [
    (EMPTY, AddTag(tag="vip", reason="spends"), [TagAdded("vip", "me", "spends")]),
    (EMPTY, AddTag(tag="need:quality-first"), [TagAdded("need:quality-first", "me", "")]),
    (EMPTY, AddTag(tag="favourite:FRUIT/VEG"), [TagAdded("favourite:FRUIT/VEG", "me", "")]),
    (TAGGED, AddTag(tag="vip", reason="why"), []),
    (TAGGED, AddTag(tag="vip", reason="else"), [TagAdded("vip", "me", "else")]),
    (TAGGED, RemoveTag(tag="vip"), [TagRemoved("vip", "me", "")]),
    (NAMED, EditCustomer(owner="li.na"), [CustomerEdited({"owner": "li.na"}, "me")]),
    (NAMED, EditCustomer(region="Shanghai"), []),
    (NAMED, EditCustomer(region=None), [CustomerEdited({"region": None}, "me")]),
    (NAMED, EditCustomer(), []),
    (
        NAMED,
        EditCustomer.model_validate({"name": "Lei", "attributes": {"birthday": "--02-29"}}),
        [CustomerEdited({"name": "Lei", "birthday": "--02-29"}, "me")],
    ),
    (EMPTY, CreateCustomer(name="Li"), [CustomerEdited({"name": "Li"}, "me")]),
    (NAMED, CreateCustomer(name="Li"), [CustomerEdited({}, "me")]),
]


@pytest.mark.parametrize(("given", "command", "events"), DECIDED)
def test_what_is_decided(given: Story, command, events) -> None:
    assert decide(command, given.state(), by="me") == events


REFUSED = [
    (EMPTY, RemoveTag(tag="vip"), NotFound, "tag_not_found"),
    (EMPTY, RemoveTag(tag="behaviour:frequent"), Conflict, "tag_is_derived"),
    (EMPTY, AddTag(tag="behaviour:sleepy"), Unprocessable, "validation_failed"),
    (EMPTY, AddTag(tag="size:"), Unprocessable, "validation_failed"),
    (
        Story()(0, *(TagAdded(f"t{number}", "x") for number in range(TAGS))),
        AddTag(tag="one more"),
        Conflict,
        "too_many_tags",
    ),
    *(
        (Story()(0, TagAdded("vip", "li.na"), ERASED), command, Conflict, "customer_erased")
        for command in (
            AddTag(tag="vip"),
            RemoveTag(tag="vip"),
            CreateCustomer(name="Li"),
            EditCustomer(),
        )
    ),
]


@pytest.mark.parametrize(("given", "command", "problem", "code"), REFUSED)
def test_what_is_refused(given: Story, command, problem, code) -> None:
    with pytest.raises(problem) as caught:
        decide(command, given.state(), by="me", derived=frozenset({"behaviour:frequent"}))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "body",
    [
        {"birthday": "1988-02-30"},
        {"birthday": "--13-01"},
        {"kind": "alien"},
        {"name": ""},
        {"region": "x" * 201},
        {"attributes": {"colour": "red"}},
    ],
)
def test_records_that_cannot_be(body) -> None:
    with pytest.raises(ValidationError):
        EditCustomer.model_validate(body)


@pytest.mark.parametrize("identifiers", [{"shoe": "43"}, [{"type": "phone"}], {"phone": ""}, [1]])
def test_identifiers_that_cannot_be(identifiers) -> None:
    with pytest.raises(ValidationError):
        CreateCustomer.model_validate({"name": "A", "identifiers": identifiers})
