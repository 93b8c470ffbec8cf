import re
from pathlib import Path

import pytest

from deploy.docs import DOCS, PAGES, raised, settings_of, table
from deploy.local.options import Options
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


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_anchors_are_headings(path):
    found = re.findall(r"\]\((?!https?://)([^)#\s]*)#([^)\s]+)\)", path.read_text())
    missing = [f"{page}#{anchor}" for page, anchor in found if anchor not in _anchors(path, page)]
    assert missing == []


def _anchors(path: Path, page: str) -> set[str]:
    """What a page's headings are called in an address, as GitHub makes it."""
    headings = re.findall(
        r"^#+ (.*)$", (path.parent / page if page else path).read_text(), re.MULTILINE
    )
    return {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}


TEXTS = {path.name: path.read_text() for path in WRITTEN}
TARGETS = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
NO_SETTINGS = {
    *("DELETE", "PATCH", "POST", "INFO", "PYTHON", "TESTS", "LOST"),
    *("FAULTS", "SEED", "KINDS", "REPORT", "KEEP", "SERVICE", "FROM"),
}
RUN_OPTIONS = {
    *(name.upper() for name in Options.__dataclass_fields__),
    *("LOCAL_DIR", "DATABASE_URL"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_targets_settings_metrics_and_codes_exist(name):
    text = TEXTS[name]
    spans = [
        span
        for pair in re.findall(
            r"^```(?:sh|text)\n(.*?)^```|`([^`\n]+)`", text, re.DOTALL | re.MULTILINE
        )
        for span in pair
    ]
    targets = {one for span in spans for one in re.findall(r"^make ([a-z-]+)", span, re.MULTILINE)}
    assert targets <= TARGETS
    settings = {one for span in spans for one in re.findall(r"^([A-Z][A-Z_]{3,})=?$", span)}
    assert settings - NO_SETTINGS - RUN_OPTIONS - _variables() == set()
    metrics = {one for span in spans for one in re.findall(r"^tenure_[a-z_]+$", span)}
    assert metrics <= {entry.name for entry in glossary()}
    codes = {one for span in spans for one in re.findall(r"^[45]\d\d [a-z_]+$", span)}
    rows = PAGES["errors.md"]()
    assert [one for one in codes if "| `{1}` | {0} |".format(*one.split()) not in rows] == []


def _variables() -> set[str]:
    return set(re.findall(r"^\| `([A-Z_]+)` \|", PAGES["settings.md"](), re.MULTILINE))


def test_the_readme_and_the_help_know_the_same_options():
    table_rows = re.findall(r"^\| (`[A-Z_]+=`.*?) \|", TEXTS["README.md"], re.MULTILINE)
    shown = {one for row in table_rows for one in re.findall(r"`([A-Z_]+)=`", row)}
    assert shown == {name.upper() for name in Options.__dataclass_fields__}
    [said] = re.findall(r"^run:.*## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"([A-Z]+)=", said)) <= shown
    for values in re.findall(r"[A-Z]+=([a-z|]+)", said):
        for value in values.strip("|").split("|"):
            assert f"`{value}`" in TEXTS["README.md"]
