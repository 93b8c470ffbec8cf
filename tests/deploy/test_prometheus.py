import json
import os
import re
import subprocess

import pytest
import yaml

from deploy.docs import DOCS
from deploy.local.state import ROOT, write_processes
from deploy.prometheus.targets import main as write_targets
from deploy.prometheus.targets import targets
from tests.deploy import prometheus_tools
from tests.deploy.prometheus_tools import FOLDER, RULES, program, rules, selectors, unknown

ALERTS = {rule["alert"]: rule for rule in rules("alert")}
TESTS = sorted((FOLDER / "tests").glob("*.yml"))
OPERATING = (DOCS / "operating.md").read_text()


def _process(name: str, port: int | None, pid: int | None = 1) -> dict[str, object]:
    return {"name": name, "pid": pid, "address": port and f"http://127.0.0.1:{port}", "log": None}


LISTED = [
    _process("supervisor", None, os.getpid()),
    _process("postgresql", None),
    _process("profile-api", 4001),
    _process("profile-worker", 4002, None),  # about to be started again
    _process("origin", 8000),
    _process("demo", None),
]


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path / ".local"))
    (tmp_path / ".local").mkdir()
    return tmp_path / ".local"


def test_every_process_with_metrics_is_a_target():
    assert targets(LISTED) == [
        {"targets": ["127.0.0.1:4001"], "labels": {"service": "profile", "process": "api"}},
        {"targets": ["127.0.0.1:4002"], "labels": {"service": "profile", "process": "worker"}},
    ]


def test_targets_of_a_run_are_written_where_the_configuration_looks(local):
    write_processes(local / "processes.json", "http://127.0.0.1:8000", LISTED)
    assert write_targets() == 0
    [job] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    [named] = job["file_sd_configs"][0]["files"]
    checkout = (FOLDER / named).resolve().relative_to(ROOT).parts
    assert checkout[0] == ".local"
    [written] = local.glob("/".join(checkout[1:]))
    assert json.loads(written.read_text()) == targets(LISTED)


def test_where_nothing_runs_one_sentence_says_so(local, capsys):
    def refuses() -> None:
        assert write_targets() == 1
        assert capsys.readouterr().err == "nothing runs here: start make run, then try again.\n"
        assert not (local / "prometheus").exists()

    refuses()
    gone = subprocess.Popen(["true"])
    gone.wait()
    killed = [_process("supervisor", None, gone.pid), *LISTED[1:]]
    write_processes(local / "processes.json", "http://127.0.0.1:8000", killed)
    refuses()


def _slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


ANCHORS = {_slug(heading) for heading in re.findall(r"^#+ (.+)$", OPERATING, re.MULTILINE)}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_and_what_to_do(name):
    rule = ALERTS[name]
    assert rule["for"]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook"] == f"docs/operating.md#{_slug(name)}"
    assert _slug(name) in ANCHORS


def test_no_section_is_about_an_alert_that_is_no_more():
    assert set(re.findall(r"^### (Tenure\w+)$", OPERATING, re.MULTILINE)) == set(ALERTS)


def test_links_within_the_page_lead_somewhere():
    assert set(re.findall(r"\]\(#([^)]+)\)", OPERATING)) <= ANCHORS


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_seen_to_fire_and_to_be_silent(name):
    """That they do is promtool's to say."""
    cases = [
        bool(case["exp_alerts"])
        for path in TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == name
    ]
    assert set(cases) == {True, False}


@pytest.mark.parametrize(
    "rule", [*rules("alert"), *rules("record")], ids=lambda r: r.get("alert") or r.get("record")
)
def test_rules_name_what_there_is(rule):
    assert selectors(rule["expr"])
    assert unknown(rule["expr"]) == []


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        ("tenure_lag_event > 1", ["tenure_lag_event"]),
        ('rate(tenure_lag_events{topic="x", tpoic=~"y"}[5m])', ["tenure_lag_events: tpoic"]),
        ("sum by (service, verdict) (tenure_lag_events)", ["verdict"]),
        ("a:b:c unless on (service) tenure_ready == 0", ["a:b:c"]),
        ("histogram_quantile(0.9, sum by (le) (rate(tenure_batch_seconds_sum[5m])))", ["le"]),
        ("max by (service) (tenure_lag_events) and tenure_ready > 0.5", []),
    ],
)
def test_what_nobody_has_is_found(query, missing):
    assert unknown(query) == missing


def _promtool(*arguments: object) -> None:
    done = subprocess.run(
        [program("promtool"), *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_where_there_is_no_promtool_one_loud_line_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(prometheus_tools, "_KEPT", tmp_path / "none")
    monkeypatch.setattr(prometheus_tools.shutil, "which", lambda _name: None)
    prometheus_tools._fetch.cache_clear()
    with pytest.raises(
        pytest.skip.Exception, match=r"NO PROMTOOL, ITS TESTS ARE SKIPPED .*apt-get"
    ):
        program("promtool")
    prometheus_tools._fetch.cache_clear()


def test_promtool_accepts_the_configuration_and_the_rules():
    _promtool("check", "config", FOLDER / "prometheus.yml")
    _promtool("check", "rules", *RULES)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should(path):
    _promtool("test", "rules", path)
