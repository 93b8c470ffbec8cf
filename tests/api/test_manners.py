"""The manners that all operations have in common: each row of the contract with the tests that prove it, and those of
the tests that ask every operation of every service."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from deploy.local.state import ROOT
from tests.api.sending import problem_of, purchase
from tests.world import SERVICES, World, world

MANNERS: dict[str, tuple[str, ...]] = {
    "Bearer key, or HTTP Basic with the key as user name": (
        "tests/api/test_keys.py::test_the_key_may_be_the_user_name_of_basic",
        "tests/shared/http/test_require.py::test_a_key_opens",
    ),
    "no or wrong key: 401": (
        "tests/api/test_keys.py::test_no_key_and_a_wrong_key",
        "tests/api/test_every_operation.py::test_every_operation_asks_for_a_key",
    ),
    "a key without the scope: 403; which scope opens what": (
        "tests/api/test_keys.py::test_scopes",
        "tests/profile/test_customers_api.py::test_scopes",
        "tests/scoring/test_scores_api.py::test_a_key_with_the_right_scope_is_needed",
        "tests/campaign/test_segments_api.py::test_scopes",
    ),
    "keys are created, listed and revoked": (
        "tests/shared/access/test_cli.py::test_create_prints_the_key_and_nothing_else",
        "tests/shared/access/test_cli.py::test_list_and_revoke",
        "tests/shared/access/test_access.py::test_a_revoked_key_opens_no_route_after_two_seconds",
    ),
    "a key bound to source prefixes publishes under no other source": (
        "tests/api/test_keys.py::test_a_key_publishes_under_its_own_sources_only",
        "tests/api/test_complaints.py::test_a_key_with_source_prefixes_speaks_under_its_own",
    ),
    "times are RFC 3339 in UTC, money is text with the currency's decimals": (
        "tests/api/test_manners.py::test_times_are_utc_and_money_is_text",
    ),
    "a customer is named by id, number or identifier; nobody of that name: 404 in every service": (
        "tests/api/test_manners.py::test_a_customer_has_three_names",
        "tests/api/test_manners.py::test_nobody_of_that_name",
    ),
    "an absorbed id answers with the survivor": (
        "tests/scoring/test_scores_api.py::test_an_absorbed_customer_answers_with_the_survivor",
    ),
    "lists: limit 50, at most 500, cursor, count, sort": (
        "tests/api/test_manners.py::test_every_list_has_the_parameters_of_lists",
        "tests/api/test_manners.py::test_every_list_is_paged_alike",
        "tests/profile/test_customers_api.py::test_lists_filter_sort_and_page",
        "tests/scoring/test_scores_api.py::test_pages_are_the_whole_list",
        "tests/shared/http/test_paging.py::test_sorting",
    ),
    "times by from (inclusive) and to (exclusive)": (
        "tests/api/test_manners.py::test_from_is_inclusive_and_to_is_exclusive",
    ),
    "errors are problem documents with stable codes, and never a stack trace": (
        "tests/shared/http/test_problems.py::test_the_shape",
        "tests/shared/http/test_problems.py::test_a_bug_says_nothing_about_itself",
        "tests/api/test_every_operation.py::test_bad_bodies",
        "tests/api/test_every_operation.py::test_bad_places_queries_and_headers",
        "tests/deploy/test_docs.py::test_every_metric_code_and_setting_has_a_line",
    ),
    "people's words follow Accept-Language, zh and en, and otherwise the setting": (
        "tests/api/test_manners.py::test_every_service_speaks_both_languages",
        "tests/shared/http/test_problems.py::test_the_default_language_is_the_setting",
        "tests/scoring/test_scores_api.py::test_words_follow_the_language",
    ),
    "unknown fields of a command are an error that names them": (
        "tests/api/test_manners.py::test_unknown_fields_of_a_command_are_named",
    ),
    "unknown fields of an event's data are kept": (
        "tests/interaction/test_judging.py::test_unknown_fields_of_data_are_kept_and_those_of_the_envelope_are_not",
    ),
    "Idempotency-Key on every POST that changes something": (
        "tests/api/test_manners.py::test_every_command_looks_at_its_idempotency_key",
    ),
    "the same key and body: same status, Idempotent-Replay; another body: 422; kept 72 h": (
        "tests/api/test_purchases.py::test_the_same_key_does_it_once",
        "tests/shared/test_commands.py::test_a_key_used_for_something_else_is_refused",
        "tests/shared/test_commands.py::test_a_key_is_forgotten_after_three_days",
        "tests/shared/test_commands.py::test_the_same_key_at_the_same_time_is_done_once",
    ),
    "what people edit carries ETag; If-Match that does not match: 412": (
        "tests/api/test_manners.py::test_what_was_changed_meanwhile_is_not_changed_again",
        "tests/api/test_manners.py::test_whatever_is_replaced_or_changed_heeds_if_match",
        "tests/profile/test_policies_api.py::test_what_was_published_meanwhile_is_not_replaced",
        "tests/campaign/test_segments_api.py::test_changing_and_deleting_hold_to_the_etag",
        "tests/shared/http/test_etags.py::test_over_http",
    ),
    "Tenure-Position of a write, Tenure-Wait-For of any read: 2 s, 504, 400": (
        "tests/api/test_manners.py::test_every_read_waits_for_a_position",
        "tests/api/test_waiting.py::test_what_is_not_there_yet_is_504_after_two_seconds",
        "tests/api/test_waiting.py::test_one_position_covers_customers_of_many_partitions",
        "tests/campaign/test_segments_api.py::test_a_write_can_be_read_at_once",
    ),
    "Tenure-Freshness of every read": (
        "tests/api/test_manners.py::test_every_read_says_how_fresh_it_is",
        "tests/api/test_waiting.py::test_freshness_is_the_age_of_what_is_not_folded",
    ),
    "after the commit never an error; 202 when the projection has not caught up": (
        "tests/shared/test_commands.py::test_after_the_commit_nothing_is_an_error",
        "tests/api/test_manners.py::test_every_command_says_that_it_may_answer_202",
        "tests/e2e/test_frozen.py::test_whoever_is_frozen_or_away_the_rest_answers",
    ),
    "Prefer: wait": (
        "tests/api/test_waiting.py::test_waiting_names_the_customer_and_the_position",
        "tests/api/test_waiting.py::test_when_time_runs_out_it_is_accepted_all_the_same",
    ),
    "overload: 429 or 503 with Retry-After": (
        "tests/e2e/test_overload.py::test_too_much_at_once",
        "tests/shared/http/test_bounded.py::test_more_than_may_be_at_work_are_told_to_come_again",
        "tests/shared/http/test_bounded.py::test_more_bytes_than_may_be_held_at_once",
        "tests/shared/http/test_limits.py::test_over_http",
        "tests/shared/test_positions.py::test_too_many_who_wait_are_refused",
        "tests/api/test_events.py::test_more_than_may_be_in_flight_is_503",
        "tests/deploy/origin/test_limits.py::test_so_many_at_once_to_one_service_and_no_fewer_to_the_others",
    ),
    "whatever is away or frozen, an answer in time": (
        "tests/e2e/test_away.py::test_postgresql_comes_and_goes",
        "tests/e2e/test_away.py::test_kafka_comes_and_goes",
        "tests/e2e/test_frozen.py::test_whoever_is_frozen_or_away_the_rest_answers",
        "tests/shared/http/test_bounded.py::test_an_answer_that_does_not_come_is_not_waited_for",
        "tests/shared/http/test_bounded.py::test_a_body_that_does_not_come_is_not_waited_for",
    ),
    "bodies: 4 MiB unpacked, gzip bombs too: 413": (
        "tests/shared/http/test_bodies.py::test_the_limit_is_exact",
        "tests/shared/http/test_bodies.py::test_a_bomb_costs_no_more_than_an_honest_body",
        "tests/api/test_bad_input.py::test_it_is_refused_for_what_it_is",
    ),
    "2,500 events a request, 128 KiB an event": (
        "tests/api/test_events.py::test_a_request_of_2500_events",
        "tests/interaction/test_sent.py::test_a_list_has_a_limit",
        "tests/interaction/test_judging.py::test_one_event_has_a_limit",
    ),
    "other content types and encodings: 415": (
        "tests/shared/http/test_bodies.py::test_an_encoding_that_is_not_read",
        "tests/shared/http/test_bodies.py::test_a_body_that_is_not_said_to_be_json",
        "tests/api/test_bad_input.py::test_it_is_refused_for_what_it_is",
    ),
    "CORS by setting, exposing Tenure-* and ETag": (
        "tests/shared/http/test_edge.py::test_browsers_may_read_our_headers",
        "tests/shared/http/test_edge.py::test_preflight",
        "tests/shared/http/test_edge.py::test_strangers_get_no_cors",
    ),
    "healthz, readyz and metrics on each process, without a key, and not on the origin": (
        "tests/shared/http/test_health.py::test_alive",
        "tests/shared/http/test_health.py::test_ready",
        "tests/deploy/origin/test_proxy.py::test_nobodys_paths",
        "tests/e2e/test_run.py::test_a_new_users_first_run",
    ),
    "one openapi.json for all services; what is not built is absent and 404": (
        "tests/deploy/origin/test_openapi.py::test_every_service_is_there_and_the_inputs_stay",
        "tests/deploy/origin/test_proxy.py::test_nobodys_paths",
        "tests/api/test_manners.py::test_nothing_is_answered_that_is_not_described",
        "tests/api/test_manners.py::test_links_lead_to_operations",
    ),
}
"""What the contract says, and the tests that hold it to that."""

UNKNOWN = "01934b5c-7a00-7000-8000-0000000000ff"
OUT_OF_REACH = "interaction.0.999999999999"
STATIC = frozenset({"/v1/event-types", "/v1/segments/fields"})
"""They say what the code knows, not what happened."""
_FOUND_BY_TEST = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)


@pytest.mark.parametrize("row", MANNERS)
def test_every_row_has_its_tests(row: str):
    assert MANNERS[row]
    for name in MANNERS[row]:
        path, _, test = name.partition("::")
        assert test in _FOUND_BY_TEST.findall((ROOT / path).read_text()), name


class Town:
    """An installation with somebody and something in every list."""

    def __init__(self, here: World) -> None:
        self.here = here
        self.places: dict[str, str] = {}

    async def ask(
        self, service: str, method: str, path: str, customer: str = "", **request: Any
    ) -> httpx.Response:
        if customer:
            path = path.replace("{customer}", customer)
        for name, value in self.places.items():
            path = path.replace(name, value)
        assert "{" not in path, path
        return await self.here.client(service).request(method, path, **request)

    def operations(self, *methods: str) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        """(service, method, path, description) of those whose places are known."""
        for service in self.here.clients:
            app = self.here.client(service)._transport.app  # type: ignore[attr-defined]
            for path, item in app.openapi()["paths"].items():
                for method, operation in item.items():
                    names = re.findall(r"\{\w+\}", path)
                    if method.upper() in methods and set(names) <= self.places.keys():
                        yield service, method.upper(), path, operation

    def reads(self) -> list[tuple[str, str]]:
        """(service, path) of everything that can be read."""
        found = [(service, path) for service, _, path, _ in self.operations("GET")]
        assert len(found) > 25
        return found


@pytest.fixture(scope="module")
async def town(postgres) -> AsyncIterator[Town]:
    async with world(postgres, services=SERVICES) as here:
        made = Town(here)
        events = [
            purchase(f"{number}", customer={"member_no": f"M{number % 2}"}) for number in range(4)
        ]
        answer = await here.post_events(events)
        assert answer.json()["accepted"] == len(events), answer.text
        await here.settled(60)
        made.places = {"{customer}": "member_no:M1", "{order}": "O-1", "{name}": "churn"}
        for number in range(2):
            who = {"customer": f"member_no:M{number}"}
            await _create(made, "interaction", "/v1/interactions", {**who, "kind": "call"})
            case = await _create(
                made, "interaction", "/v1/complaints", {**who, "category": "quality"}
            )
            made.places["{case_id}"] = case["id"]
            rule = {"field": "purchases.count", "op": ">=", "value": number}
            segment = {"name": f"S{number}", "rule": rule}
            found = await _create(made, "campaign", "/v1/segments", segment)
            made.places["{segment}"] = found["id"]
        points = {
            "points": [{"date": "2026-01-05", "value": 1.5}, {"date": "2026-01-12", "value": 2}]
        }
        answer = await made.ask("scoring", "PUT", "/v1/series/{name}", json=points)
        assert answer.status_code == 201, answer.text
        await here.settled(60)
        yield made


async def _create(town: Town, service: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await town.ask(service, "POST", path, json=body)
    assert answer.status_code in {200, 201, 202}, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _params(path: str) -> dict[str, str]:
    return {"source": "shop"} if path.startswith("/v1/purchases/") else {}


async def test_every_read_says_how_fresh_it_is(town: Town):
    for service, path in town.reads():
        answer = await town.ask(service, "GET", path, params=_params(path))
        assert answer.status_code == 200, (path, answer.text)
        if path not in STATIC:
            assert float(answer.headers["Tenure-Freshness"]) >= 0, path


async def test_every_read_waits_for_a_position(town: Town):
    async def waits(service: str, path: str) -> None:
        for position, expected in (
            ("nonsense", (400, "invalid_position")),
            (OUT_OF_REACH, (504, "not_caught_up")),
        ):
            headers = {"Tenure-Wait-For": position}
            answer = await town.ask(service, "GET", path, params=_params(path), headers=headers)
            assert problem_of(answer) == expected, path

    async with asyncio.TaskGroup() as group:
        for service, path in town.reads():
            if path not in STATIC:
                group.create_task(waits(service, path))


async def test_every_list_has_the_parameters_of_lists(town: Town):
    lists = 0
    for _, _, path, operation in town.operations("GET"):
        shown = operation["responses"]["200"]["content"]["application/json"].get("example", {})
        if "next_cursor" in shown and path not in STATIC:
            lists += 1
            assert {"limit", "cursor", "count"} <= _parameters(operation), path
    assert lists >= 12


async def test_whatever_is_replaced_or_changed_heeds_if_match(town: Town):
    for _, method, path, operation in town.operations("PUT", "PATCH"):
        assert "If-Match" in _parameters(operation), (method, path)


async def test_every_command_says_that_it_may_answer_202(town: Town):
    for _, method, path, operation in town.operations("POST", "PUT", "PATCH"):
        if method != "POST" or "Idempotency-Key" in _parameters(operation):
            assert "202" in operation["responses"], (method, path)


async def test_links_lead_to_operations(town: Town):
    """Of the same service, each with the parameters that it is given."""
    links = 0
    for service in town.here.clients:
        app = town.here.client(service)._transport.app  # type: ignore[attr-defined]
        paths = app.openapi()["paths"].values()
        operations = {one["operationId"]: one for item in paths for one in item.values()}
        for operation in operations.values():
            for answer in operation["responses"].values():
                for link in answer.get("links", {}).values():
                    links += 1
                    names = {name.removeprefix("header.") for name in link["parameters"]}
                    assert names <= _parameters(operations[link["operationId"]]), link
    assert links >= 20


async def test_every_list_is_paged_alike(town: Town):
    lists = 0
    for service, _, path, operation in town.operations("GET"):
        if "cursor" not in _parameters(operation):
            continue
        lists += 1

        async def page(_service: str = service, _path: str = path, **params: Any) -> dict[str, Any]:
            answer = await town.ask(_service, "GET", _path, params=params)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        whole = await page()
        assert len(whole["items"]) < 50, path
        assert whole["next_cursor"] is None, path
        assert (await page(count="true"))["total"] == len(whole["items"]), path
        assert "total" not in whole, path
        items, cursor = [], ""
        while cursor is not None:
            one = await page(limit=1, **({"cursor": cursor} if cursor else {}))
            items += one["items"]
            cursor = one["next_cursor"]
        assert _names(items) == _names(whole["items"]), path
        for params, expected in (
            ({"limit": "501"}, (422, "validation_failed")),
            ({"limit": "0"}, (422, "validation_failed")),
            ({"cursor": "bogus"}, (400, "invalid_cursor")),
        ):
            answer = await town.ask(service, "GET", path, params=params)
            assert problem_of(answer) == expected, path
    assert lists >= 12


def _parameters(operation: dict[str, Any]) -> set[str]:
    return {one.get("name", "") for one in operation.get("parameters", [])}


def _names(items: list[dict[str, Any]]) -> list[Any]:
    """What an item is, without what depends on the moment it is looked at."""
    return [
        next((item[name] for name in ("id", "customer_id", "version") if name in item), item)
        for item in items
    ]


async def test_from_is_inclusive_and_to_is_exclusive(town: Town):
    """The moment of an entry itself, where a list has entries with a time and is asked by time."""
    asked = 0
    for service, _, path, operation in town.operations("GET"):
        if "from" not in _parameters(operation):
            continue
        items = (await town.ask(service, "GET", path)).json()["items"]
        times = [one.get("time") or one.get("at") or one.get("opened_at") for one in items]
        if not items or not times[0]:
            continue
        asked += 1
        at = times[0]
        just_after = (datetime.fromisoformat(at) + timedelta(microseconds=1)).isoformat()
        same = [time for time in times if time == at]
        found = await town.ask(service, "GET", path, params={"from": at, "to": just_after})
        assert len(found.json()["items"]) == len(same), path
        before = await town.ask(service, "GET", path, params={"to": at})
        assert len(before.json()["items"]) == len([time for time in times if time < at]), path
    assert asked >= 3


async def test_a_customer_has_three_names(town: Town):
    whole = (await town.ask("profile", "GET", "/v1/customers/{customer}")).json()
    assert re.fullmatch(r"C\d{10}", whole["number"])
    for service, path in town.reads():
        if "{customer}" not in path:
            continue
        answers = [
            await town.ask(service, "GET", path, name)
            for name in ("member_no:M1", whole["id"], whole["number"])
        ]
        assert [answer.status_code for answer in answers] == [200] * 3, path
        shown = [answer.text for answer in answers]
        ids = [re.findall(rf'"(?:customer_)?id":"({whole["id"]})"', text) for text in shown]
        assert ids[0] == ids[1] == ids[2], path


async def test_nobody_of_that_name(town: Town):
    for service, path in town.reads():
        if "{customer}" in path:
            for name in ("member_no:nobody", UNKNOWN, "C2020999999", "nobody"):
                answer = await town.ask(service, "GET", path, name)
                assert problem_of(answer) == (404, "customer_not_found"), (path, name)


async def test_times_are_utc_and_money_is_text(town: Town):
    times = amounts = 0
    for service, path in town.reads():
        answer = await town.ask(service, "GET", path, params=_params(path))
        if path in STATIC:
            continue
        for name, value in _leaves(answer.json()):
            if name.endswith("_at") or name in {"at", "time", "since", "recorded_time", "as_of"}:
                if value is not None:
                    assert datetime.fromisoformat(value).utcoffset() == timedelta(0), (path, name)
                    times += 1
            elif name == "amount" and value is not None:
                assert re.fullmatch(r"-?\d+\.\d\d", value), (path, value)
                amounts += 1
    assert times > 20
    assert amounts > 5


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value


async def test_every_service_speaks_both_languages(town: Town):
    for service in town.here.clients:
        said = {}
        for header, language in (("en-GB,en;q=0.9", "en"), ("zh-CN", "zh")):
            answer = await town.ask(
                service, "GET", "/v1/nowhere", headers={"Accept-Language": header}
            )
            assert problem_of(answer) == (404, "not_found")
            assert answer.headers["Content-Language"] == language
            said[language] = answer.json()["message"]
        assert said["en"].isascii()
        assert re.search(r"[\u4e00-\u9fff]", said["zh"])


def _commands(town: Town) -> list[tuple[str, str, str]]:
    """What changes something, but for the events: their ids do the work of keys."""
    events = ("events", "identify", "track", "page", "screen", "group", "alias", "batch")
    return [
        (service, method, path)
        for service, method, path, operation in town.operations("POST", "PUT", "PATCH")
        if path not in {f"/v1/{name}" for name in events} and "requestBody" in operation
    ]


async def test_unknown_fields_of_a_command_are_named(town: Town):
    found = _commands(town)
    assert len(found) >= 12
    for service, method, path in found:
        body = {**_params(path), "no_such_field": 1}
        answer = await town.ask(service, method, path, json=body)
        assert problem_of(answer)[0] == 422, (path, answer.text)
        errors = {(one["pointer"], one["code"]) for one in answer.json()["errors"]}
        assert ("/no_such_field", "unknown_field") in errors, (method, path, errors)


async def test_every_command_looks_at_its_idempotency_key(town: Town):
    headers = {"Idempotency-Key": "x" * 300}
    for service, method, path in _commands(town):
        if method == "POST" and not path.endswith("/preview"):
            answer = await town.ask(service, "POST", path, json={}, headers=headers)
            codes = {problem_of(answer)[1], *(one["code"] for one in answer.json()["errors"])}
            assert "invalid_idempotency_key" in codes, (path, answer.text)


async def test_what_was_changed_meanwhile_is_not_changed_again(town: Town):
    for service, path, change in (
        ("profile", "/v1/customers/{customer}", {"owner": "li.na"}),
        ("campaign", "/v1/segments/{segment}", {"name": "Another name"}),
    ):
        etag = (await town.ask(service, "GET", path)).headers["ETag"]
        stale = {"If-Match": '"stale"'}
        answer = await town.ask(service, "PATCH", path, json=change, headers=stale)
        assert problem_of(answer) == (412, "precondition_failed"), path
        answer = await town.ask(service, "PATCH", path, json=change, headers={"If-Match": etag})
        assert answer.status_code in {200, 202}, answer.text
        answer = await town.ask(service, "PATCH", path, json=change, headers={"If-Match": etag})
        assert problem_of(answer) == (412, "precondition_failed"), path


async def test_nothing_is_answered_that_is_not_described(town: Town):
    """Paths of the contract that no service has yet, and methods that a path does not take."""
    for path in ("/v1/journeys", "/v1/surveys", "/v1/webhooks", "/v1/imports", "/v1/board"):
        for service in town.here.clients:
            app = town.here.client(service)._transport.app  # type: ignore[attr-defined]
            described = {one.split("/{")[0] for one in app.openapi()["paths"]}
            if path not in described:
                answer = await town.ask(service, "GET", path)
                assert problem_of(answer) == (404, "not_found"), (service, path)
