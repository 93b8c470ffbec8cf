"""The pages of `docs/` that the code knows best: `python -m deploy.docs` writes them.

Metrics come from their glossary, error codes from their words, settings from their classes. A test fails where a
page and the code differ.
"""

import ast
import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from deploy.local.databases import SERVICES
from deploy.local.origin.settings import OriginSettings
from deploy.local.state import ROOT
from shared import errors, metrics
from shared.language.words import DOOR
from shared.settings import KernelSettings
from shared.words import Words, error_catalogue
from shared.words.errors import FIELDS, REASONS

DOCS = ROOT / "docs"
_NOTE = "<!-- Written by `python -m deploy.docs`: change the code, not this page. -->"
_FIELD_STATUS = 422

Setting = tuple[str, str, str]
"""Variable, default, meaning."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; what would end a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def metrics_page() -> str:
    """Every metric with its type, labels and sentence."""
    rows = [
        (f"`{entry.name}`", entry.type, ", ".join(entry.labels) or "-", entry.sentence)
        for entry in metrics.glossary()
    ]
    return _page(
        "Metrics",
        "Every process answers `/metrics` in Prometheus' text format on its own address. Durations are in"
        " seconds. No label ever says anything about a customer. Beside these stand Python's and the"
        " process's own (`python_gc_*`, `process_*`).",
        table(("metric", "type", "labels", "meaning"), rows),
    )


def catalogue() -> list[tuple[str, int, str, str]]:
    """Rows (code, HTTP status, English, Chinese) of every code that any service answers."""
    fields, extra = _codes()
    known = error_catalogue(extra)
    have = {code for code, *_ in known}
    rest = [
        (code, _FIELD_STATUS, texts["en"], texts["zh"])
        for code, texts in fields.items()
        if code not in have
    ]
    return sorted([*known, *rest], key=lambda row: (row[1], row[0]))


def _codes() -> tuple[dict[str, Mapping[Any, str]], dict[int, dict[str, Mapping[Any, str]]]]:
    """Words of single fields, and those of whole answers by status."""
    fields: dict[str, Mapping[Any, str]] = {**FIELDS, **DOOR}
    extra: dict[int, dict[str, Mapping[Any, str]]] = {}
    for service in SERVICES:
        statuses = raised(service)
        for code, texts in _words(service).items():
            if code in statuses:
                extra.setdefault(statuses[code], {})[code] = texts
            else:
                fields[code] = texts
    return fields, extra


def errors_page() -> str:
    """Every stable code with its status and its words in both languages."""
    fields, extra = _codes()
    answers = {
        (status, code): (f"`{code}`", str(status), en, zh)
        for code, status, en, zh in error_catalogue(extra)
        if code not in fields
    }
    head = ("code", "status", "English", "中文")
    return _page(
        "Error codes",
        "Codes are stable; words may get better. Names in braces are filled in. `docs/api.md` says what an"
        " error document looks like; a running system shows this list at `/docs/errors`.",
        "## Whole answers\n\n" + table(head, [answers[key] for key in sorted(answers)]),
        "## Single fields\n\nIn `errors` of an answer, beside the pointer to the field.\n\n"
        + _texts(fields),
        "## Reasons in the quarantine\n\nBesides the codes above, as `reason` of an entry.\n\n"
        + _texts(REASONS),
    )


def _texts(words: Mapping[str, Mapping[Any, str]]) -> str:
    rows = [(f"`{code}`", words[code]["en"], words[code]["zh"]) for code in sorted(words)]
    return table(("code", "English", "中文"), rows)


def _words(service: str) -> Words:
    words: Words = getattr(importlib.import_module(f"services.{service}.words"), "ERRORS", {})
    return words


def raised(service: str) -> dict[str, int]:
    """The codes of whole answers that a service raises, with their HTTP statuses, as its source says."""
    found: dict[str, int] = {}
    for path in sorted((ROOT / "services" / service).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(code)), *_]):
                    kind = getattr(errors, name, None)
                    if isinstance(kind, type) and issubclass(kind, errors.Problem):
                        found[code] = kind.status
                case _:
                    pass
    return found


def settings_page() -> str:
    """Every environment variable that a process reads."""
    head = ("variable", "default", "meaning")
    parts = [
        "## Every process\n\n" + table(head, settings_of(KernelSettings)),
        *(
            f"## {service.capitalize()}\n\n" + table(head, settings_of(_settings(service)))
            for service in SERVICES
        ),
        "## The origin of the local run\n\n" + table(head, settings_of(OriginSettings)),
    ]
    intro = (
        "Settings are environment variables, read once when a process starts. Times are in seconds."
    )
    return _page("Settings", intro, *parts)


def _settings(service: str) -> type[BaseSettings]:
    found: type[BaseSettings] = importlib.import_module(f"services.{service}.settings").Settings
    return found


def settings_of(kind: type[BaseSettings]) -> list[Setting]:
    """The variables of one class, in the order in which they are declared."""
    return list(_variables(kind))


def _variables(kind: type[BaseSettings]) -> Iterator[Setting]:
    prefix = kind.model_config.get("env_prefix", "")
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        variable = (
            str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{prefix}{name}".upper()
        )
        meaning = field.description or _address_of(variable)
        yield f"`{variable}`", _default(field), meaning


def _address_of(variable: str) -> str:
    service = variable.removesuffix("_URL").lower()
    return f"Base address of {service}'s API process."


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "-" if field.default in ("", None) else f"`{field.default}`"


def _page(title: str, *parts: str) -> str:
    text = "\n\n".join((f"# {title}", _NOTE, *parts))
    return re.sub(r"\n{3,}", "\n\n", text) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "metrics.md": metrics_page,
    "errors.md": errors_page,
    "settings.md": settings_page,
}


def write(folder: Path = DOCS) -> None:
    """Write every page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page())


if __name__ == "__main__":
    write()
