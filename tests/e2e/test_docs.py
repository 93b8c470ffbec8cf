"""Every block of the pages is typed by tests/e2e/test_run.py, or named with the reason why not."""

import pytest

from tests.e2e.pages import ELSEWHERE, PAGES, blocks, matches, parsed, typed


def test_what_is_not_typed_is_there():
    names = [block.name for page in PAGES for block in blocks(page)]
    found = {one: sum(name.startswith(one) for name in names) for one in ELSEWHERE}
    assert set(found.values()) == {1}, found


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_typed_or_named(page):
    """Fails where an answer has no command, or a block no language."""
    for _, answer in typed(page):
        assert answer is None or answer.language == "http" or parsed(answer.text) is not None


def test_most_is_typed():
    assert sum(len(typed(page)) for page in PAGES) > len(ELSEWHERE)


SHOWN = '{"a": 1, "b": [{"code": "x", ...}, ...], "c": "...", ...}'


@pytest.mark.parametrize(
    ("came", "fits"),
    [
        ({"a": 0.5, "b": [{"code": "y"}, {"code": "x", "d": 1}], "c": "text", "e": None}, True),
        ({"a": 1, "b": [{"code": "y"}], "c": "text"}, False),
        ({"a": "1", "b": [{"code": "x"}], "c": "text"}, False),
        ({"a": True, "b": [{"code": "x"}], "c": "text"}, False),
        ({"b": [{"code": "x"}], "c": "text"}, False),
    ],
)
def test_shapes(came, fits):
    try:
        matches(parsed(SHOWN), came, "")
    except AssertionError:
        assert not fits
    else:
        assert fits


def test_without_dots_it_is_all():
    matches(parsed('{"a": [1]}'), {"a": [2]}, "")
    for came in ({"a": [1], "b": 1}, {"a": [1, 2]}, {"a": []}):
        with pytest.raises(AssertionError):
            matches(parsed('{"a": [1]}'), came, "")
