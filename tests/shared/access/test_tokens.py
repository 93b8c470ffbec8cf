"""Tokens of an issuer, from its port to the answer over HTTP."""

import base64
import json
import time
from uuid import UUID

import jwt
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.access import Access
from shared.access.issuer import AGAIN_SECONDS, FRESH_SECONDS, RETRY_SECONDS, IssuerKeys, keys_of
from shared.access.tokens import LEEWAY, Tokens, header_of, names_in, token_rules
from shared.errors import Unauthorised, Unavailable
from shared.http.limits import Limits
from shared.roots import _complete
from shared.settings import KernelSettings
from tests.shared.access.issuer import AUDIENCE, Issuer, running
from tests.shared.access.test_access import Time
from tests.shared.http.conftest import build, client_of


@pytest.fixture(autouse=True)
def logs():
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.fixture
async def issuer():
    async with running() as made:
        yield made


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
async def open_access(access_url, issuer, clock):
    """Access by the settings given, with the issuer that runs."""
    opened = []

    def make(**settings: str) -> Access:
        defaults = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
        rules = token_rules(KernelSettings(**(defaults | settings)))
        assert rules is not None
        keys = IssuerKeys(rules.issuer, rules.jwks_url, now=clock)
        opened.append(Access(access_url, tokens=Tokens(rules, keys, "secret")))
        return opened[-1]

    yield make
    for access in opened:
        await access.close()


@pytest.fixture
def access(open_access) -> Access:
    return open_access()


async def refused(access: Access, token: str) -> Unauthorised:
    with pytest.raises(Unauthorised) as caught:
        await access.caller_of(token)
    assert caught.value.headers["WWW-Authenticate"].startswith("Bearer ")
    assert 'error="invalid_token"' in caught.value.headers["WWW-Authenticate"]
    return caught.value


@pytest.mark.parametrize("kid", ["rsa", "ec", "ed"])
async def test_a_token_opens(access: Access, issuer: Issuer, kid):
    caller = await access.caller_of(issuer.token(kid, scope="read sales"))
    assert (caller.name, caller.scopes) == ("wang.fang", {"read", "sales"})
    assert caller.source_prefixes == ()
    assert caller.may_publish("anything")


async def test_the_same_person_is_the_same_caller_and_nobody_else(access: Access, issuer: Issuer):
    first = await access.caller_of(issuer.token("rsa"))
    again = await access.caller_of(issuer.token("ec", scope="sales"))
    other = await access.caller_of(issuer.token(sub="li.na"))
    assert isinstance(first.id, UUID)
    assert first.id == again.id != other.id


async def test_keys_open_as_before(access: Access, conn):
    from shared.access.keys import new_key, register

    raw = new_key()
    await register(conn, raw, name="tills", scopes=["publish"])
    dotted = "not.a.token-but-a-key"
    await register(conn, dotted, name="dotted", scopes=["read"])
    assert (await access.caller_of(raw)).name == "tills"
    assert (await access.caller_of(dotted)).name == "dotted"
    assert await access.caller_of(new_key()) is None


async def test_without_an_issuer_a_token_is_an_unknown_key(access_url, issuer: Issuer):
    access = Access(access_url)
    assert await access.caller_of(issuer.token()) is None
    assert issuer.asked == []
    await access.close()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"exp": -LEEWAY - 5}, "token_expired"),
        ({"exp": None}, "invalid_token"),
        ({"nbf": LEEWAY + 60}, "invalid_token"),
        ({"iat": LEEWAY + 60}, "invalid_token"),
        ({"aud": "somebody-else"}, "invalid_token"),
        ({"aud": ["a", "b"]}, "invalid_token"),
        ({"aud": None}, "invalid_token"),
        ({"iss": "https://elsewhere.example"}, "invalid_token"),
        ({"iss": None}, "invalid_token"),
        ({"sub": None}, "invalid_token"),
        ({"sub": ""}, "invalid_token"),
        ({"sub": " "}, "invalid_token"),
        ({"sub": "a\0b"}, "invalid_token"),
        ({"sub": "a" * 256}, "invalid_token"),
    ],
)
async def test_what_a_token_must_say(access: Access, issuer: Issuer, changed, code):
    shifted = {
        name: int(time.time() + value) if name in {"exp", "nbf", "iat"} and value else value
        for name, value in changed.items()
    }
    assert (await refused(access, issuer.token(**shifted))).code == code


async def test_clocks_may_differ_a_little(access: Access, issuer: Issuer):
    now = int(time.time())
    token = issuer.token(exp=now - 3, nbf=now + 3, aud=["x", AUDIENCE])
    assert (await access.caller_of(token)).name == "wang.fang"


def unsigned(issuer: Issuer, header: dict) -> str:
    parts = [json.dumps(part).encode() for part in (header, issuer.claims())]
    return b".".join(
        [*(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts), b""]
    ).decode()


async def test_nobody_signs_with_nothing(access: Access, issuer: Issuer):
    for name in ("none", "None", "", None, 7):
        token = unsigned(issuer, {"alg": name, "kid": "rsa", "typ": "JWT"})
        assert (await refused(access, token)).code == "invalid_token"


async def test_nobody_signs_with_what_everybody_knows(access: Access, issuer: Issuer):
    """The public key as the secret of an HMAC: the oldest trick against verifiers of tokens."""
    public = issuer.keys["rsa"][1].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, claims, _ = unsigned(issuer, {"alg": "HS256", "kid": "rsa", "typ": "JWT"}).split(".")
    signed = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    mac = signed.sign(f"{head}.{claims}".encode(), pem)
    forged = f"{head}.{claims}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert (await refused(access, forged)).code == "invalid_token"


async def test_a_key_verifies_its_own_algorithm_only(access: Access, issuer: Issuer):
    key = issuer.keys["rsa"][1]
    for algorithm, kid in (("RS512", "rsa"), ("PS256", "rsa"), ("RS256", "ec"), ("RS256", "ed")):
        token = jwt.encode(issuer.claims(), key, algorithm, headers={"kid": kid})
        assert (await refused(access, token)).code == "invalid_token"


async def test_a_signature_of_somebody_else(access: Access, issuer: Issuer):
    token = jwt.encode(issuer.claims(), issuer.other, "RS256", headers={"kid": "rsa"})
    refusal = await refused(access, token)
    assert refusal.detail == "The signature is wrong."
    head, _, signature = issuer.token().split(".")
    claims = issuer.token(scope="admin").split(".")[1]
    await refused(access, f"{head}.{claims}.{signature}")


async def test_without_a_key_id_the_only_fitting_key_is_meant(access: Access, issuer: Issuer):
    algorithm, key = issuer.keys["rsa"]
    token = jwt.encode(issuer.claims(), key, algorithm)
    assert (await access.caller_of(token)).name == "wang.fang"


async def test_keys_are_asked_for_once(access: Access, issuer: Issuer):
    for kid in ("rsa", "ec", "rsa"):
        await access.caller_of(issuer.token(kid))
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_the_address_of_the_keys_may_be_given(open_access, issuer: Issuer):
    access = open_access(oidc_jwks_url=f"{issuer.url}/elsewhere")
    await access.caller_of(issuer.token())
    assert issuer.asked == ["/elsewhere"]


async def test_a_new_key_opens_and_the_old_one_no_more(access: Access, issuer: Issuer, clock: Time):
    old = issuer.token()
    await access.caller_of(old)
    issuer.keys["new"] = ("RS256", issuer.other)
    issuer.published = ["new"]
    clock.seconds += AGAIN_SECONDS
    assert (await access.caller_of(issuer.token("new"))).name == "wang.fang"
    await refused(access, old)


async def test_a_key_taken_back_stops_opening_by_itself(
    access: Access, issuer: Issuer, clock: Time
):
    await access.caller_of(issuer.token())
    issuer.published = ["ec"]
    clock.seconds += FRESH_SECONDS + 1
    await access.caller_of(issuer.token())  # nobody waits for the issuer
    await access._tokens._keys._fetching
    await refused(access, issuer.token())


async def test_unknown_keys_do_not_flood_the_issuer(access: Access, issuer: Issuer, clock: Time):
    await access.caller_of(issuer.token())
    issuer.keys["stranger"] = ("RS256", issuer.other)
    asked = len(issuer.asked)
    for _ in range(20):
        assert (
            await refused(access, issuer.token("stranger"))
        ).detail == "The issuer has no such key."
    assert len(issuer.asked) == asked
    clock.seconds += AGAIN_SECONDS
    for _ in range(20):
        await refused(access, issuer.token("stranger"))
    assert len(issuer.asked) == asked + 2


async def test_an_issuer_away_leaves_its_keys_behind(access: Access, issuer: Issuer, clock, logs):
    await access.caller_of(issuer.token())
    issuer.away = True
    clock.seconds += FRESH_SECONDS + 1
    for _ in range(2):
        assert (await access.caller_of(issuer.token())).name == "wang.fang"
        if access._tokens._keys._fetching is not None:
            await access._tokens._keys._fetching
    assert [line["event"] for line in logs] == ["issuer away"]
    issuer.keys["new"] = ("RS256", issuer.other)
    with pytest.raises(Unavailable):  # it may be a key of today
        await access.caller_of(issuer.token("new"))


async def test_an_issuer_away_from_the_start(access: Access, issuer: Issuer, clock: Time):
    issuer.away = True
    for _ in range(5):
        with pytest.raises(Unavailable) as caught:
            await access.caller_of(issuer.token())
        assert caught.value.headers["Retry-After"] == "1"
    assert len(issuer.asked) == 1
    issuer.away = False
    clock.seconds += RETRY_SECONDS
    assert (await access.caller_of(issuer.token())).name == "wang.fang"


@pytest.mark.parametrize("wrong", [7, "", "nonsense", "http://127.0.0.1:1/keys", "ftp://x/y"])
async def test_a_description_that_leads_nowhere(access: Access, issuer: Issuer, wrong):
    issuer.jwks_uri = wrong
    with pytest.raises(Unavailable):
        await access.caller_of(issuer.token())


async def test_a_description_of_somebody_else(open_access, issuer: Issuer):
    access = open_access(oidc_issuer=f"{issuer.url}/")
    with pytest.raises(Unavailable):
        await access.caller_of(issuer.token())


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"keys": 7},
        {"keys": []},
        {"keys": [7, {}, {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]},
        {"keys": [{"kty": "RSA", "n": "###", "e": 7}, {"kty": "EC", "crv": "P-256", "x": "a"}]},
        {"keys": [{"kty": "RSA", "use": "enc"}]},
    ],
)
def test_what_is_no_set_of_keys(document):
    with pytest.raises(ValueError):
        keys_of(document)


def test_a_key_without_an_algorithm_fits_those_of_its_kind(issuer: Issuer):
    rsa_key, ec_key = issuer.public("rsa"), issuer.public("ec")
    del rsa_key["alg"], ec_key["alg"]
    found = {algorithm for _, algorithm in keys_of({"keys": [rsa_key, ec_key]})}
    assert found == {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256"}


async def test_a_short_key_is_no_key(access: Access, issuer: Issuer):
    issuer.keys["short"] = ("RS256", rsa.generate_private_key(65537, 1024))
    issuer.published.append("short")
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = issuer.token("short")
    assert (await refused(access, token)).code == "invalid_token"


@pytest.mark.parametrize(
    ("settings", "claims", "scopes"),
    [
        ({}, {"scope": "read  openid sales"}, {"read", "sales"}),
        ({}, {"scope": ["read", 7, "ops"]}, {"read", "ops"}),
        ({}, {"scope": None}, set()),
        ({}, {"scope": {"read": True}}, set()),
        ({"oidc_scopes": "crm.read=read, crm.admin=admin"}, {"scope": "crm.read admin"}, {"read"}),
        ({"oidc_scopes": "s=sales,s=service"}, {"scope": "s"}, {"sales", "service"}),
        (
            {"oidc_scope_claim": "realm_access.roles", "oidc_scopes": "boss=admin"},
            {"realm_access": {"roles": ["boss", "x"]}, "scope": "read"},
            {"admin"},
        ),
        ({"oidc_scope_claim": "https://a.b/roles"}, {"https://a.b/roles": ["ops"]}, {"ops"}),
    ],
)
async def test_scopes(open_access, issuer: Issuer, settings, claims, scopes):
    caller = await open_access(**settings).caller_of(issuer.token(**claims))
    assert caller.scopes == scopes


def test_a_path_that_leads_nowhere():
    assert names_in({"a": "b", "c": ["d"]}, "a.b.c") == []
    assert names_in({"c": ["d"]}, "c.d") == []


async def test_tokens_may_be_bound_to_sources(open_access, issuer: Issuer):
    access = open_access(oidc_source_prefixes="crm/, web")
    caller = await access.caller_of(issuer.token())
    assert caller.may_publish("crm/desk")
    assert not caller.may_publish("till")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"oidc_audience": ""}, "OIDC_AUDIENCE"),
        ({"oidc_audience": " , "}, "OIDC_AUDIENCE"),
        ({"oidc_issuer": "issuer.example"}, "OIDC_ISSUER"),
        ({"oidc_jwks_url": "file:///keys"}, "OIDC_JWKS_URL"),
        ({"oidc_scopes": "crm.read=reed"}, "OIDC_SCOPES"),
        ({"oidc_scopes": "crm.read"}, "OIDC_SCOPES"),
        ({"oidc_scopes": "=read"}, "OIDC_SCOPES"),
    ],
)
def test_settings_that_cannot_be(settings, words):
    good = {"oidc_issuer": "https://issuer.example", "oidc_audience": "tenure"}
    with pytest.raises(ValueError, match=words):
        token_rules(KernelSettings(**(good | settings)))


def test_no_issuer_no_rules():
    assert token_rules(KernelSettings(oidc_scopes="nonsense")) is None


@pytest.mark.parametrize(
    "raw", ["", "a.b", "a.b.c", "a.b.c.d", "eyJ9.e30.x", "tn_key", "e30.e30.\n", "x" * 20000]
)
def test_what_looks_like_no_token(raw):
    assert header_of(raw) is None


async def test_over_http(access: Access, issuer: Issuer):
    app = build()
    app.state.kernel.access = access
    async with client_of(app) as client:

        async def get(path: str, token: str):
            return await client.get(path, headers={"Authorization": f"Bearer {token}"})

        good = await get("/v1/secrets", issuer.token())
        assert (good.status_code, good.json()["caller"]) == (200, "wang.fang")
        assert (await get("/v1/sales", issuer.token())).json()["code"] == "missing_scope"
        assert (await get("/v1/sales", issuer.token(scope="admin"))).status_code == 200
        expired = await get("/v1/secrets", issuer.token(exp=1))
        assert expired.status_code == 401
        assert expired.json()["code"] == "token_expired"
        assert expired.headers["content-type"] == "application/problem+json"
        assert 'error="invalid_token"' in expired.headers["www-authenticate"]
        assert "wang" not in expired.text
    await access.close()
    issuer.away = True
    access._tokens._keys = IssuerKeys(issuer.url)
    async with client_of(app) as client:
        answer = await client.get(
            "/v1/secrets", headers={"Authorization": f"Bearer {issuer.token()}"}
        )
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"


async def test_a_wrong_token_counts_as_a_guess_and_an_expired_one_does_not(
    access: Access, issuer: Issuer
):
    app = build()
    app.state.kernel.access = access
    app.state.limits = Limits(KernelSettings(auth_failures_per_minute=2))
    async with client_of(app) as client:
        for token, status in (
            *((issuer.token(exp=now), 401) for now in range(1, 6)),
            *((issuer.token(aud=f"other {now}"), 401) for now in range(2)),
            (issuer.token(), 429),
        ):
            headers = {"Authorization": f"Bearer {token}"}
            assert (await client.get("/v1/secrets", headers=headers)).status_code == status


def test_no_process_starts_with_settings_that_cannot_be():
    good = {
        "inbound_secret": "x",
        "keyring_url": "postgresql:///keyring",
        "oidc_issuer": "https://issuer.example",
        "oidc_audience": "a",
    }
    assert _complete(KernelSettings(**good))
    with pytest.raises(SystemExit, match="OIDC_AUDIENCE"):
        _complete(KernelSettings(**(good | {"oidc_audience": ""})))
    with pytest.raises(SystemExit, match="KEYRING_URL"):
        _complete(KernelSettings(**(good | {"keyring_url": ""})))


async def test_logs_know_the_caller_by_a_digest(access: Access, issuer: Issuer, monkeypatch):
    caller = await access.caller_of(issuer.token(sub="wang.fang@example.com"))
    other = await Tokens(access._tokens._rules, access._tokens._keys, "another").caller_of(
        issuer.token(sub="wang.fang@example.com"), {"alg": "RS256", "kid": "rsa"}
    )
    assert caller.name == "wang.fang@example.com"
    assert caller.id != other.id  # without the secret nobody can try addresses
