"""Where personal data lies in each event type, and how it is taken out of an event and put back.

What a field is marked with decides, and what nobody declared is taken for personal: a publisher's unknown field may
hold anything.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from typing_extensions import is_typeddict

from shared.language.door import PersonalMark
from shared.language.registry import EVENT_TYPES

Clear = Mapping[str, "Clear | None"]
"""Fields that may stay in the clear; below one with a mapping, those of it that may."""


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
        if _is_marked(hint):
            return [path]
        return _paths(hint.__origin__, path)
    if is_typeddict(hint) or (isinstance(hint, type) and issubclass(hint, Struct)):
        fields = get_type_hints(hint, include_extras=True)
        return [found for name in fields for found in _paths(fields[name], f"{path}/{name}")]
    inner = f"{path}/*" if get_origin(hint) in {list, tuple} else path
    return [found for argument in get_args(hint) for found in _paths(argument, inner)]


def holds_personal(type: str, data: Struct | bytes) -> bool:  # noqa: A002
    """Whether anything in an event's data (JSON, where it is bytes) must not stand in the clear."""
    if isinstance(data, Struct):
        return bool(personal_paths(type))
    try:
        _clear_only(type).decode(data)
    except msgspec.DecodeError:
        return True
    return False


def split(type: str, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: A002
    """What of an event's data may stay in the clear, and what may not; `joined` puts both together again."""
    return _split(_clear(type), data)


def _split(clear: Clear, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    kept: dict[str, Any] = {}
    hidden: dict[str, Any] = {}
    for name, value in data.items():
        below = clear.get(name)
        if name not in clear or (below is not None and not isinstance(value, dict)):
            hidden[name] = value
        elif below is None:
            kept[name] = value
        else:
            kept[name], inner = _split(below, value)
            if inner:
                hidden[name] = inner
    return kept, hidden


def joined(clear: Mapping[str, Any], hidden: Mapping[str, Any]) -> dict[str, Any]:
    """The data as it was before it was split."""
    whole = dict(clear)
    for name, value in hidden.items():
        below = whole.get(name)
        whole[name] = joined(below, value) if isinstance(below, dict) else value
    return whole


@cache
def _clear(type_: str) -> Clear:
    kind = EVENT_TYPES[type_]
    of_struct = get_type_hints(kind.struct, include_extras=True)
    if kind.door is None:
        return _fields_of(of_struct)
    of_door = get_type_hints(_plain(kind.door), include_extras=True)
    return _fields_of(of_struct | of_door)


def _fields_of(hints: Mapping[str, Any]) -> Clear:
    clear: dict[str, Clear | None] = {}
    for name, hint in hints.items():
        if any(_is_marked(one) for one in _layers(hint)):
            continue
        inner = next((one for one in _layers(hint) if is_typeddict(one)), None)
        below = None if inner is None else _fields_of(get_type_hints(inner, include_extras=True))
        clear[name] = below
    return clear


def _layers(hint: Any) -> list[Any]:
    """A hint, and what is wrapped in it: marks, `Required`, `| None`; not what lists and mappings hold."""
    if get_origin(hint) in {list, tuple, dict}:
        return [hint]
    inner = [one for argument in _arguments(hint) for one in _layers(argument)]
    return [hint, *inner]


def _arguments(hint: Any) -> tuple[Any, ...]:
    return (hint.__origin__,) if get_origin(hint) is Annotated else get_args(hint)


def _plain(hint: Any) -> Any:
    return hint.__origin__ if get_origin(hint) is Annotated else hint


def _is_marked(hint: Any) -> bool:
    return get_origin(hint) is Annotated and any(
        isinstance(mark, PersonalMark) for mark in hint.__metadata__
    )


@cache
def _clear_only(type_: str) -> "msgspec.json.Decoder[Any]":
    """Refuses data with anything in it that must not stand in the clear; it looks at nothing else."""
    return msgspec.json.Decoder(_skimmed(type_, _clear(type_)))


def _skimmed(name: str, clear: Clear) -> type[Struct]:
    return msgspec.defstruct(
        name,
        [
            (field, msgspec.Raw, msgspec.Raw())
            if below is None
            else (field, _skimmed(field, below) | None, None)
            for field, below in clear.items()
        ],
        forbid_unknown_fields=True,
        gc=False,
    )
