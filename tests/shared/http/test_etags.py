from datetime import UTC, datetime

import pytest

from shared.errors import BadRequest, PreconditionFailed
from shared.http.etags import check_if_match, etag_of

TAG = etag_of({"a": 1})


def test_an_etag_is_a_hash_of_the_content():
    assert etag_of({"a": 1, "b": [1, 2]}) == etag_of({"b": [1, 2], "a": 1})
    assert etag_of({"a": 1}) != etag_of({"a": "1"})
    assert etag_of({"at": datetime(2026, 1, 1, tzinfo=UTC)}) == etag_of(
        {"at": "2026-01-01T00:00:00Z"}
    )
    assert TAG.startswith('"')
    assert TAG.endswith('"')
    assert len(TAG) == 34


@pytest.mark.parametrize("header", [None, "*", " * ", TAG, f'"x", {TAG}', f'W/"y" ,{TAG},"z"'])
def test_what_matches(header):
    check_if_match(header, TAG)


@pytest.mark.parametrize("header", ['"x"', f"W/{TAG}", '"x", "y"', '""'])
def test_what_does_not_match(header):
    with pytest.raises(PreconditionFailed):
        check_if_match(header, TAG)


def test_nothing_there_matches_nothing():
    check_if_match(None, None)
    for header in ("*", TAG):
        with pytest.raises(PreconditionFailed):
            check_if_match(header, None)


@pytest.mark.parametrize("header", ["", "x", '"x', '"x" "y"', '"x",', TAG.strip('"'), '"x",' * 999])
def test_what_is_no_list_of_tags(header):
    with pytest.raises(BadRequest) as caught:
        check_if_match(header, TAG)
    assert caught.value.code == "invalid_if_match"


async def test_over_http(client):
    order = {"number": "A1"}
    tag = etag_of({"number": "A1"})
    for header, status in ((tag, 200), ("*", 200), ('"stale"', 412), ("stale", 400)):
        response = await client.put("/v1/orders/A1", json=order, headers={"If-Match": header})
        assert response.status_code == status, header
    assert (await client.put("/v1/orders/A1", json=order)).status_code == 200
