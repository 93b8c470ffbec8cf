"""People's words, in Chinese and English: messages of errors, labels of codes.

A service adds its own as a `Words` table in `services/<name>/words.py` and asks with `say`.
"""

from collections.abc import Mapping
from functools import lru_cache
from string import Formatter
from typing import Any, Literal

from shared.words.errors import ERRORS, FIELDS, REASONS
from shared.words.labels import FAMILIES, LABELS

Language = Literal["zh", "en"]
Words = Mapping[str, Mapping[Language, str]]

MESSAGES: Words = {
    code: texts for table in (*ERRORS.values(), FIELDS, REASONS) for code, texts in table.items()
}
"""Every message of this package by code, whatever its status."""


class _Lenient(Formatter):
    """A placeholder without a value stays visible instead of turning an answer into an error."""

    def get_value(
        self,
        key: int | str,
        args: Any,  # noqa: ARG002  (the base class's signature)
        kwargs: Mapping[str, Any],
    ) -> Any:
        return kwargs.get(str(key), "{" + str(key) + "}")


_LENIENT = _Lenient()
_format = _LENIENT.vformat


def say(words: Words, code: str, language: Language, /, **params: Any) -> str:
    """The text of `code` with `params` filled in; the code itself where it has no words."""
    texts = words.get(code)
    if texts is None:
        return code
    text = texts[language]
    if "{" not in text:
        return text
    pieces = _pieces(text)
    if pieces is None:
        return _format(text, (), params)
    return "".join(
        [
            f"{literal}{params[name]:{spec}}" if name in params else f"{literal}{missing}"
            for literal, name, spec, missing in pieces
        ]
    )


@lru_cache(maxsize=1024)
def _pieces(text: str) -> tuple[tuple[str, str | None, str, str], ...] | None:
    """A text as literals, each with the parameter behind it: its name, how it is written, what stands there without
    it. None where it asks for more. Taking a text apart is nine tenths of formatting it."""
    pieces = []
    for literal, name, spec, conversion in _LENIENT.parse(text):
        if conversion or "{" in (spec or "") or (name is not None and not name.isidentifier()):
            return None
        missing = "" if name is None else "{" + name + "}"
        pieces.append((literal, name, spec or "", missing))
    return tuple(pieces)


def label(kind: str, code: str, language: Language) -> str:
    """What people call a code; the code itself where it has no label.

    Kinds: `lifecycle`, `tag`, `churn_band`, `rfm_class`, `matrix`.
    """
    texts = LABELS.get(kind, {}).get(code)
    if texts is not None:
        return texts[language]
    family, colon, value = code.partition(":")
    if kind == "tag" and colon and family in FAMILIES:
        return FAMILIES[family][language].format(value=value)
    return code


def error_catalogue(extra: Mapping[int, Words] | None = None) -> list[tuple[str, int, str, str]]:
    """Rows (code, HTTP status, English, Chinese) for the documentation, by status and code."""
    tables: list[tuple[int, Words]] = [*ERRORS.items(), *(extra or {}).items(), (422, FIELDS)]
    rows = [
        (code, status, texts["en"], texts["zh"])
        for status, table in tables
        for code, texts in table.items()
    ]
    return sorted(rows, key=lambda row: (row[1], row[0]))
