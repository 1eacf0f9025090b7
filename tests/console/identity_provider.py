"""A small OpenID Connect provider: signs on whoever it is told to, and can misbehave in the ways that matter."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT = "plantwright"


@dataclass
class IdentityProvider:
    """`who` signs on; `change` changes the claims; `authenticated` is how long ago credentials were given."""

    who: str = "sub-1"
    authenticated: float = 0.0
    change: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    issuer: str = ""
    said_issuer: str = ""
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "k1", "use": "sig"}))
    signs_with: ECKey | None = None
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def app(self) -> FastAPI:
        app = FastAPI()
        app.state.news = SimpleNamespace(close=lambda: None)

        @app.get("/.well-known/openid-configuration")
        async def document() -> dict[str, str]:
            return {
                "issuer": self.said_issuer or self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }

        @app.get("/authorize")
        async def authorize(request: Request) -> Response:
            asked = dict(request.query_params)
            self.asked.append(asked)
            code = secrets.token_urlsafe(16)
            self._codes[code] = asked
            back = urlencode({"code": code, "state": asked["state"]})
            return RedirectResponse(f"{asked['redirect_uri']}?{back}", 303)

        @app.post("/token")
        async def token(request: Request) -> Response:
            form = await request.form()
            asked = self._codes.pop(str(form["code"]), None)
            digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if asked is None or challenge != asked["code_challenge"]:
                return JSONResponse({"error": "invalid_grant"}, 400)
            now = int(time.time())
            claims = {
                "iss": self.issuer, "sub": self.who, "aud": CLIENT, "iat": now, "exp": now + 60,
                "nonce": asked["nonce"], "auth_time": now - self.authenticated, **self.change,
            }  # fmt: skip
            text = jwt.encode({"alg": "ES256", "kid": "k1"}, claims, self.signs_with or self.key)
            return JSONResponse({"id_token": text, "access_token": "unused", "token_type": "Bearer"})

        @app.get("/keys")
        async def keys() -> dict[str, Any]:
            return {"keys": [self.key.as_dict(private=False)]}

        return app
