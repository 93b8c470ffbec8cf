from uuid import UUID

from shared.access import Caller


def caller(*scopes: str, prefixes: tuple[str, ...] = ()) -> Caller:
    return Caller(UUID(int=1), "x", frozenset(scopes), prefixes)


def test_one_of_the_scopes_is_enough():
    assert caller("read", "ops").has("ops")
    assert caller("sales").has("service", "sales")
    assert not caller("read").has("ops", "sales")
    assert not caller().has("read")


def test_admin_implies_all():
    assert caller("admin").has("publish")


def test_sources():
    assert caller().may_publish("anything")
    tills = caller(prefixes=("store-7/", "web"))
    assert tills.may_publish("store-7/pos")
    assert tills.may_publish("web")
    assert not tills.may_publish("store-70/pos")
    assert not tills.may_publish("")
