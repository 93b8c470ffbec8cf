import re
from pathlib import Path

import pytest

from deploy.docs import DOCS, PAGES, raised, settings_of, table
from deploy.local.origin.settings import OriginSettings
from deploy.local.state import ROOT
from shared.metrics import glossary
from shared.settings import KernelSettings
from shared.words.errors import ERRORS, FIELDS

WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
_CODE = re.compile(r"`((?:shared|services|deploy|tests)/[\w/.-]+)`")


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_up_to_date(name):
    assert (DOCS / name).read_text() == PAGES[name](), "run python -m deploy.docs"


def test_every_metric_code_and_setting_has_a_line():
    metrics, errors, settings = (
        PAGES[name]() for name in ("metrics.md", "errors.md", "settings.md")
    )
    codes = {code for words in (*ERRORS.values(), FIELDS) for code in words}
    variables = [row[0] for kind in (KernelSettings, OriginSettings) for row in settings_of(kind)]
    assert all(f"| `{entry.name}` |" in metrics for entry in glossary())
    assert all(f"| `{code}` |" in errors for code in codes)
    assert all(f"| {variable} |" in settings for variable in variables)


def test_statuses_come_from_what_a_service_raises():
    assert raised("profile")["tag_is_derived"] == 409
    assert "| `tag_is_derived` | 409 |" in PAGES["errors.md"]()


def test_a_cell_never_ends_early():
    assert table(("a",), [("x|y\nz",)]) == "| a |\n| --- |\n| x\\|y z |"


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_links_and_named_files_exist(path):
    text = path.read_text()
    missing = [link for link in _LINK.findall(text) if not (path.parent / link).exists()]
    missing += [name for name in _CODE.findall(text) if not _exists(name)]
    assert missing == []


def _exists(name: str) -> bool:
    return (ROOT / name).exists() or (not Path(name).suffix and (ROOT / f"{name}.py").exists())
