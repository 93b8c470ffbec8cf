"""Whose message it is, and what is said about them."""

from typing import Any

from services.interaction.segment.fields import (
    Fields,
    as_text,
    fields_of,
    present,
    text_of,
    words_of,
)
from shared.language.identifiers import TYPES

_EXTERNAL = {type_: type_ for type_ in TYPES} | {
    "ga_client_id": "cookie",
    "cross_domain_id": "cookie",
    "ios.id": "device_id",
    "ios.idfa": "device_id",
    "android.id": "device_id",
    "android.idfa": "device_id",
}
"""Segment's types of `externalIds`; of others we know no meaning."""
_TEXTS = ("name", "gender", "birthday", "occupation", "company", "industry", "size", "region")


def identifiers(message: Fields, contact: Fields) -> dict[str, str]:
    """Identifiers by type: `userId`, `anonymousId`, `context.externalIds`, and e-mail and phone of `contact`."""
    found: dict[str, str] = {}
    for field, type_ in (("userId", "user_id"), ("anonymousId", "anonymous_id")):
        value = text_of(message.get(field), f"/{field}")
        if value is not None:
            found[type_] = value
    for type_ in ("email", "phone"):
        value = words_of(contact.get(type_))
        if value is not None:
            found[type_] = value
    for type_, value in _external(message):
        found.setdefault(type_, value)
    return found


def _external(message: Fields) -> list[tuple[str, str]]:
    """Those of a user that are written as they are: a hash is nobody's name elsewhere."""
    listed = fields_of(message.get("context"), "/context").get("externalIds")
    found = []
    for one in listed if isinstance(listed, list) else ():
        if not isinstance(one, dict):
            continue
        type_, value = _EXTERNAL.get(str(one.get("type"))), words_of(one.get("id"))
        plain = one.get("encoding") in {None, "", "none"} and one.get("collection") in {
            None,
            "users",
        }
        if type_ and value and plain:
            found.append((type_, value))
    return found


def traits_of(message: Fields) -> dict[str, Any]:
    """`traits` over `context.traits`: some clients write them there only. Raises `Refused`."""
    context = fields_of(message.get("context"), "/context")
    beneath = fields_of(context.get("traits"), "/context/traits")
    return beneath | fields_of(message.get("traits"), "/traits")


def person(traits: Fields) -> dict[str, Any]:
    """Segment's traits of a user as ours; those without a name of ours are kept."""
    told = dict(traits)
    company = told.get("company")
    if isinstance(company, dict):
        told["company"] = company.get("name")
        told["company_details"] = company
        told = _firm(company) | told
    name = _name(traits)
    if told.get("name") is None and name is not None:
        told["name"] = name
    if "occupation" not in told and "title" in told:
        told["occupation"] = told["title"]
    address = told.get("address")
    if "region" not in told and isinstance(address, dict) and address.get("state"):
        told["region"] = address["state"]
    if isinstance(told.get("birthday"), str):
        told["birthday"] = told["birthday"].partition("T")[0]
    return _texts(told)


def group(group_id: str, traits: Fields) -> dict[str, Any]:
    """A group's traits as those of its member: the company, its industry and size; the rest under `group`."""
    company = {"company": traits["name"]} if "name" in traits else {}
    return _texts(company | _firm(traits)) | {"group": {"id": group_id, **traits}}


def _firm(company: Fields) -> dict[str, Any]:
    size = company.get("employees", company.get("employee_count"))
    return present(industry=company.get("industry"), size=size)


def _texts(told: dict[str, Any]) -> dict[str, Any]:
    return told | {
        name: as_text(told[name]) for name in (*_TEXTS, "phone", "email") if name in told
    }


def _name(traits: Fields) -> str | None:
    first = words_of(traits.get("firstName", traits.get("first_name")))
    last = words_of(traits.get("lastName", traits.get("last_name")))
    if first and last:
        chinese = "\u4e00" <= last[0] <= "\u9fff"
        return f"{last}{first}" if chinese else f"{first} {last}"
    return first or last
