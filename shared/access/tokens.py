"""Bearer tokens (JWT) of an OpenID Connect issuer: who signed them, for whom, and what they open.

The caller's name is the token's `sub`: the one claim that an issuer never gives to somebody else. What stands for the
caller in logs is a keyed hash of it, since some issuers put an address there.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

import jwt
from jwt import ExpiredSignatureError, PyJWTError

from shared.access.caller import SCOPES, Caller
from shared.access.issuer import ALGORITHMS, IssuerKeys
from shared.errors import Unauthorised
from shared.settings import KernelSettings

LEEWAY = 10.0
"""Seconds by which the issuer's clock may differ from ours."""

_SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
_MOST_BYTES = 16 << 10
_LONGEST_NAME = 255
_REQUIRED = ["exp", "iss", "aud", "sub"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What the settings say. `scopes`: the issuer's names and ours; empty: ours are the issuer's."""

    issuer: str
    audiences: tuple[str, ...]
    jwks_url: str = ""
    scope_claim: str = "scope"
    scopes: Mapping[str, frozenset[str]]
    source_prefixes: tuple[str, ...] = ()


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _mapped(text: str) -> Mapping[str, frozenset[str]]:
    """`crm.read=read,crm.staff=sales,crm.staff=service` as a mapping. Raises ValueError."""
    found: dict[str, frozenset[str]] = {}
    for pair in _listed(text):
        theirs, _, ours = (part.strip() for part in pair.rpartition("="))
        if not theirs or ours not in SCOPES:
            raise ValueError(
                f"OIDC_SCOPES: {pair!r} is not of the form name=scope; scopes: {', '.join(SCOPES)}"
            )
        found[theirs] = found.get(theirs, frozenset()) | {ours}
    return found


def token_rules(settings: KernelSettings) -> TokenRules | None:
    """The rules, None where no issuer is set. Raises ValueError, one sentence, for what cannot be."""
    if not settings.oidc_issuer:
        return None
    for name in ("oidc_issuer", "oidc_jwks_url"):
        if not re.match(r"https?://[^/\s]+|$", getattr(settings, name)):
            raise ValueError(f"{name.upper()} must be an address that begins with https://")
    audiences = _listed(settings.oidc_audience)
    if not audiences:
        raise ValueError("OIDC_AUDIENCE is not set: a token for anybody must not open this")
    return TokenRules(
        issuer=settings.oidc_issuer,
        audiences=audiences,
        jwks_url=settings.oidc_jwks_url,
        scope_claim=settings.oidc_scope_claim,
        scopes=_mapped(settings.oidc_scopes) or {scope: frozenset({scope}) for scope in SCOPES},
        source_prefixes=_listed(settings.oidc_source_prefixes),
    )


def header_of(raw: str) -> dict[str, Any] | None:
    """The header of what looks like a token; None for anything else, such as a key."""
    if len(raw) > _MOST_BYTES or _SHAPE.fullmatch(raw) is None:
        return None
    try:
        return jwt.get_unverified_header(raw)
    except PyJWTError:
        return None


def names_in(claims: Mapping[str, Any], path: str) -> list[str]:
    """The names in a claim: a list of texts, or one text with spaces. `a.b` leads into an object, unless a claim is
    called just so."""
    value: Any = claims.get(path)
    if value is None:
        value = claims
        for step in path.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        return value.split()
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _refusal(code: str, detail: str) -> Unauthorised:
    """401 as RFC 6750 wants it. `detail` says what is wrong, never a value of the token."""
    problem = Unauthorised(code, detail)
    problem.headers["WWW-Authenticate"] = (
        f'Bearer realm="tenure", error="invalid_token", error_description="{detail}"'
    )
    return problem


class Tokens:
    """Answers for tokens of one issuer."""

    def __init__(self, rules: TokenRules, keys: IssuerKeys, secret: str) -> None:
        self._rules = rules
        self._keys = keys
        self._secret = secret.encode()[:64]

    async def close(self) -> None:
        """Let go of the connections."""
        await self._keys.close()

    async def caller_of(self, raw: str, header: Mapping[str, Any]) -> Caller:
        """Whose token it is. Raises Unauthorised, and Unavailable while the issuer's keys cannot be had."""
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise _refusal("invalid_token", "The algorithm is not accepted.")
        key = await self._keys.find(kid if isinstance(kid, str) else None, algorithm)
        if key is None:
            raise _refusal("invalid_token", "The issuer has no such key.")
        try:
            claims = jwt.decode(
                raw,
                key,
                algorithms=[algorithm],
                audience=self._rules.audiences,
                issuer=self._rules.issuer,
                leeway=LEEWAY,
                options={"require": _REQUIRED, "enforce_minimum_key_length": True},
            )
        except ExpiredSignatureError:
            raise _refusal("token_expired", "The token has expired.") from None
        except PyJWTError as exc:
            raise _refusal("invalid_token", _DETAILS.get(type(exc).__name__, "")) from None
        return self._caller(claims)

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        name = claims["sub"]
        if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable() or not name.strip():
            raise _refusal("invalid_token", "The subject is not a name.")
        scopes = _ours(self._rules.scopes, names_in(claims, self._rules.scope_claim))
        text = f"{self._rules.issuer}\0{name}".encode("utf-8", "surrogatepass")
        digest = blake2b(text, digest_size=16, key=self._secret)
        return Caller(
            UUID(bytes=digest.digest(), version=5), name, scopes, self._rules.source_prefixes
        )


def _ours(scopes: Mapping[str, frozenset[str]], names: Iterable[str]) -> frozenset[str]:
    return frozenset[str]().union(*(scopes.get(name, ()) for name in names))


_DETAILS = {
    "InvalidAudienceError": "The token is for another audience.",
    "InvalidIssuerError": "The token is from another issuer.",
    "ImmatureSignatureError": "The token is not valid yet.",
    "InvalidSignatureError": "The signature is wrong.",
    "MissingRequiredClaimError": "The token lacks one of exp, iss, aud and sub.",
}


def open_tokens(settings: KernelSettings) -> Tokens | None:
    """What answers for tokens, None where no issuer is set. Raises ValueError as `token_rules` does."""
    rules = token_rules(settings)
    if rules is None:
        return None
    return Tokens(rules, IssuerKeys(rules.issuer, rules.jwks_url), settings.inbound_secret)
