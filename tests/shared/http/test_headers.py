"""One header, as Starlette would have found it among all."""

from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from shared.http.headers import header

names = st.sampled_from([b"prefer", b"content-type", b"x-request-id"])


@given(st.lists(st.tuples(names, st.binary(max_size=8))), names)
def test_the_first_of_its_name(headers, name):
    scope = {"headers": headers}
    assert header(scope, name) == Headers(scope=scope).get(name.decode())
