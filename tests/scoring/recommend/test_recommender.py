"""The questions that the trained model answers."""

import numpy as np
import pytest

from services.scoring.recommend import Bought, History, Recommender, dump, fit, load
from services.scoring.recommend.arrays import places
from services.scoring.recommend.codec import BrokenModelError
from services.scoring.recommend.history import gather, histories_of, scatter
from services.scoring.recommend.log import Log
from services.scoring.recommend.rows import log_at, recommend_rows
from services.scoring.recommend.words import KINDS, REASONS, explain
from tests.scoring.recommend.shops import CUT, purchases, shop

TODAY = int(CUT.astype("datetime64[D]").astype(int))


@pytest.fixture(scope="module")
def log() -> Log:
    return log_at(purchases(shop()), CUT, "product")[0]


@pytest.fixture(scope="module")
def model(log: Log) -> Recommender:
    return fit(log, TODAY)


@pytest.fixture(scope="module")
def people(log: Log) -> list[History]:
    return scatter(histories_of(log), log.catalogue.items)


def test_the_shop_is_rich_enough_to_train_on(model: Recommender) -> None:
    assert model.model.again is not None
    assert model.model.quality["again_network"] > model.model.quality["again_frequency"]


def test_one_customer_is_told_what_the_rows_say(
    log: Log, model: Recommender, people: list[History]
) -> None:
    table = purchases(shop())
    rows = recommend_rows(table, CUT, "product")
    for number in range(0, log.customers, 7):
        name = table.customers[log.code[number]]
        lists = model.for_customer(people[number], today=TODAY)
        for kind, told in (("again", lists.again), ("new", lists.new)):
            assert [one.item for one in told] == [
                row.item for row in rows if row.customer == name and row.list == kind
            ]
            assert [one.rank for one in told] == list(range(1, len(told) + 1))


def test_a_history_survives_the_way_to_arrays_and_back(log: Log, people: list[History]) -> None:
    index = {item: n for n, item in enumerate(log.catalogue.items)}
    assert scatter(gather(people, index), log.catalogue.items) == people


def test_bytes_are_the_same_for_the_same_log(log: Log, model: Recommender) -> None:
    data = dump(model)
    assert dump(fit(log, TODAY)) == data
    assert dump(load(data)) == data


def test_a_loaded_model_says_the_same(model: Recommender, people: list[History]) -> None:
    again = load(dump(model))
    for history in people[:5]:
        assert again.for_customer(history, today=TODAY) == model.for_customer(history, today=TODAY)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"x\x9c"])
def test_other_bytes_are_no_model(data: bytes) -> None:
    with pytest.raises(BrokenModelError):
        load(data)


def test_a_half_model_is_refused(model: Recommender) -> None:
    with pytest.raises(BrokenModelError):
        load(dump(model)[:-40])


def test_what_they_just_bought_is_not_named(model: Recommender) -> None:
    often = [TODAY - 1 - 60 * n for n in range(8)][::-1]
    history = History([Bought("p00", 8, often[0], often, 8.0)], 8, often)
    assert not model.for_customer(history, today=TODAY).again
    later = model.for_customer(history, today=TODAY + 50).again
    assert [one.item for one in later] == ["p00"]
    assert later[0].reason.code in {"due", "due_soon"}
    assert later[0].reason.params["since"] == 51


def test_what_is_needed_every_week_is_named_the_day_after(model: Recommender) -> None:
    often = [TODAY - 1 - 7 * n for n in range(8)][::-1]
    history = History([Bought("p00", 8, often[0], often, 8.0)], 8, often)
    told = model.for_customer(history, today=TODAY).again
    assert [one.item for one in told] == ["p00"]
    assert told[0].reason.code == "due_soon"


def test_one_rule_says_what_was_just_bought(model: Recommender, people: list[History]) -> None:
    """Lists, reasons for leaving out and audiences go by the same; what was bought today is on none."""
    often = [TODAY - 7 * n for n in range(8)][::-1]
    history = History([Bought("p00", 8, often[0], often, 8.0)], 8, often)
    assert set(model.just_bought(history, today=TODAY)) == {"p00"}
    assert model.just_bought(history, today=TODAY + 1) == {}
    for person in people:
        for today in (TODAY, TODAY + 9):
            just = model.just_bought(person, today=today)
            listed = {one.item for one in model.for_customer(person, today=today, limit=50).again}
            assert listed == {one.item for one in person.items} - set(just)
            for one in person.items:
                asked = model.audience(one.item, [("c", person)], today=today)
                assert [found.list for found in asked] == ["again"] * (one.item not in just)


def test_what_they_complained_about_is_not_named(model: Recommender, people: list[History]) -> None:
    history = people[0]
    before = model.for_customer(history, today=TODAY)
    item, other = before.again[0].item, before.new[0].item
    after = model.for_customer(history, today=TODAY, without={item, other})
    assert {item, other}.isdisjoint(one.item for one in (*after.again, *after.new))
    category = model.model.catalogue.categories[model.model.catalogue.category[model.index[item]]]
    whole = model.for_customer(history, today=TODAY, without={category})
    of = {
        name
        for name, kind in zip(
            model.model.catalogue.items, model.model.catalogue.category, strict=True
        )
        if model.model.catalogue.categories[kind] == category
    }
    assert of.isdisjoint(one.item for one in (*whole.again, *whole.new))


def test_a_stranger_is_told_what_is_new(model: Recommender) -> None:
    told = model.for_customer(History(), today=TODAY)
    assert told.again == []
    assert len(told.new) == 10
    assert {one.reason.code for one in told.new} == {"popular"}


def test_items_that_the_model_does_not_know_are_passed_over(model: Recommender) -> None:
    history = History([Bought("unheard", 1, TODAY - 9, [TODAY - 9], 1.0)], 1, [TODAY - 9])
    assert model.for_customer(history, today=TODAY).again == []


def test_taste_is_found(model: Recommender, people: list[History]) -> None:
    """New items are mostly of the half that the customer likes."""
    right = total = 0
    for history in people:
        mine = [int(one.item[1:]) % 2 for one in history.items]
        if not mine:
            continue
        taste = round(float(np.mean(mine)))
        for one in model.for_customer(history, today=TODAY, limit=5).new:
            right, total = right + (int(one.item[1:]) % 2 == taste), total + 1
    assert right / total > 0.8


def test_every_reason_has_words(model: Recommender, people: list[History]) -> None:
    for history in (*people[:30], History()):
        lists = model.for_customer(history, today=TODAY)
        for one in (*lists.again, *lists.new):
            assert one.reason.code in REASONS
            assert one.kind in KINDS
            for language in ("en", "zh"):
                assert "{" not in explain(one.reason, language)


def test_bought_together_by_lift_and_support() -> None:
    lines = []
    for n in range(60):
        lines += [(f"c{n}", 100 - n, "bread", None), (f"c{n}", 100 - n, "butter", None)]
        lines += [(f"c{n}", 30, "soap", None)] if n % 3 else []
    log, today = log_at(purchases(lines), CUT, "product")
    model = fit(log, today)
    (first,) = model.together("bread")
    assert (first.item, first.visits, first.confidence) == ("butter", 60, 1.0)
    visits = len({(line[0], line[1]) for line in lines})
    assert first.lift == pytest.approx(60 * visits / (60 * 60), abs=1e-4)
    assert model.together("soap") == []
    assert model.together("unheard") == []


def test_the_audience_of_an_item(model: Recommender, people: list[History]) -> None:
    named = [(f"c{n}", history) for n, history in enumerate(people)]
    told = model.audience("p00", named, today=TODAY, limit=20)
    assert len(told) == 20
    scores = [one.score for one in told]
    assert scores == sorted(scores, reverse=True)
    assert told == model.audience("p00", reversed(named), today=TODAY, limit=20)
    has = {key for key, history in named if any(one.item == "p00" for one in history.items)}
    assert all((one.customer in has) == (one.list == "again") for one in told)
    strangers = model.audience("p00", named, today=TODAY, limit=20, can_know_it=False)
    assert has.isdisjoint(one.customer for one in strangers)
    assert model.audience("unheard", named, today=TODAY) == []


def test_places_count_within_groups() -> None:
    assert places(np.array([4, 4, 4, 7, 9, 9])).tolist() == [0, 1, 2, 0, 0, 1]
