"""Where personal data lies in each event type."""

from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import Struct
from typing_extensions import is_typeddict

from shared.language.door import PersonalMark
from shared.language.registry import EVENT_TYPES


@cache
def personal_paths(type: str) -> frozenset[str]:  # noqa: A002  (the domain's own word)
    """Return JSON pointers within `data` of what identifies a person; `*` stands for each list
    entry.

    Everything below such a pointer is personal. KeyError for an unknown type.
    """
    found = EVENT_TYPES[type]
    return frozenset(_paths(found.struct if found.door is None else found.door, ""))


def _paths(hint: Any, path: str) -> list[str]:
    if get_origin(hint) is Annotated:
        if any(isinstance(mark, PersonalMark) for mark in hint.__metadata__):
            return [path]
        return _paths(hint.__origin__, path)
    if is_typeddict(hint) or (isinstance(hint, type) and issubclass(hint, Struct)):
        fields = get_type_hints(hint, include_extras=True)
        return [found for name in fields for found in _paths(fields[name], f"{path}/{name}")]
    inner = f"{path}/*" if get_origin(hint) in {list, tuple} else path
    return [found for argument in get_args(hint) for found in _paths(argument, inner)]
