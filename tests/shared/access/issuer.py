"""A real issuer on a port of this machine: it has keys, says where they are, and signs tokens."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "tenure"
_RSA = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
_KINDS = {"RS": RSAAlgorithm, "PS": RSAAlgorithm, "ES": ECAlgorithm, "Ed": OKPAlgorithm}


class Issuer:
    """`away`: connections are cut; `asked`: the paths of all questions."""

    def __init__(self) -> None:
        self.url = ""
        self.jwks_uri: Any = None
        self.away = False
        self.asked: list[str] = []
        self.keys: dict[str, tuple[str, Any]] = {
            "rsa": ("RS256", _RSA[0]),
            "ec": ("ES256", ec.generate_private_key(ec.SECP256R1())),
            "ed": ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
        }
        self.published = list(self.keys)
        self.other = _RSA[1]

    def public(self, kid: str) -> dict[str, Any]:
        """A key as the issuer publishes it."""
        algorithm, key = self.keys[kid]
        found = json.loads(_KINDS[algorithm[:2]].to_jwk(key.public_key()))
        return {**found, "kid": kid, "use": "sig", "alg": algorithm}

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Those of a good token; None takes one away."""
        now = int(time.time())
        good = {"iss": self.url, "aud": AUDIENCE, "sub": "wang.fang", "iat": now, "exp": now + 300}
        return {k: v for k, v in {**good, "scope": "read", **changed}.items() if v is not None}

    def token(self, kid: str = "rsa", **changed: Any) -> str:
        """A token signed with one of the keys."""
        algorithm, key = self.keys[kid]
        return jwt.encode(self.claims(**changed), key, algorithm, headers={"kid": kid})

    def _answer(self, path: str) -> Any:
        if path == "/.well-known/openid-configuration":
            uri = f"{self.url}/keys" if self.jwks_uri is None else self.jwks_uri
            return {"issuer": self.url, "jwks_uri": uri}
        return {"keys": [self.public(kid) for kid in self.published]}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).split()[1].decode()
        while (await reader.readline()).strip():
            pass
        self.asked.append(path)
        if not self.away:
            body = json.dumps(self._answer(path)).encode()
            head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def running() -> AsyncIterator[Issuer]:
    """An issuer that answers while the block does."""
    issuer = Issuer()
    server = await asyncio.start_server(issuer._serve, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield issuer
    finally:
        server.close()
