"""The pages: plain HTML, CSS and a little script, all served from here."""

import html
import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template

from starlette.responses import HTMLResponse, Response

from deploy.docs import catalogue
from deploy.local.origin.texts import TEXTS
from shared.words import Language

_ASSETS = Path(__file__).parent / "assets"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
# Swagger UI writes styles into the elements it makes.
_DOCS_POLICY = f"{_POLICY}; style-src 'self' 'unsafe-inline'"


def _swagger() -> Path:
    """Swagger UI's files, as a package carries them: nothing is fetched from elsewhere."""
    found = importlib.util.find_spec("fastapi_offline")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "static"


def start_page(language: Language) -> Response:
    """What runs and who is where; the script fills it in and keeps it fresh."""
    words = TEXTS[language]
    script = html.escape(json.dumps(words, ensure_ascii=False))
    return _page("start.html", language, {**_escaped(words), "words": script})


def docs_page(language: Language) -> Response:
    return _page("docs.html", language, _escaped(TEXTS[language]), _DOCS_POLICY)


def errors_page(language: Language) -> Response:
    """Every stable code with its status and its words."""
    rows = "".join(
        f'<tr id="{html.escape(code)}"><td><code>{html.escape(code)}</code><td>{status}'
        f"<td>{html.escape(zh if language == 'zh' else en)}"
        for code, status, en, zh in catalogue()
    )
    return _page("errors.html", language, {**_escaped(TEXTS[language]), "rows": rows})


PAGES: dict[str, Callable[[Language], Response]] = {
    "/": start_page,
    "/docs": docs_page,
    "/docs/errors": errors_page,
}


def asset(path: str) -> Response | None:
    """A file of the pages under `/assets/`; None where there is none of this name."""
    name = "favicon.svg" if path == "/favicon.ico" else path.removeprefix("/assets/")
    folder = _swagger() if name.startswith("swagger-ui") else _ASSETS
    file = folder / name
    if "/" in name or file.suffix not in _TYPES or not file.is_file():
        return None
    headers = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}
    return Response(file.read_bytes(), headers=headers, media_type=_TYPES[file.suffix])


def _escaped(words: Mapping[str, str]) -> dict[str, str]:
    return {name: html.escape(text) for name, text in words.items()}


def _page(
    name: str, language: Language, values: Mapping[str, str], policy: str = _POLICY
) -> Response:
    template = Template((_ASSETS / name).read_text(encoding="utf-8"))
    lang = "zh-CN" if language == "zh" else "en"
    headers = {
        "Content-Language": language,
        "Vary": "Accept-Language",
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return HTMLResponse(template.substitute(values, lang=lang), headers=headers)
