"""Single sign-on: OpenID Connect Core 1.0, code flow with PKCE (RFC 7636), for coming in and for signing.

Whoever the provider vouches for must be a user here already, by `issuer|sub`; roles are never the provider's. A
signature asks for a sign-on of its own (`prompt=login`, `max_age=0`), whose `auth_time` must be fresh.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, cast

import httpx
from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import TypeAdapter

from console.coming_in import come_in, limit_tries, local
from console.ports import OidcSettings, Services
from console.problems import Refused
from console.reading import hold_of
from console.render import page
from console.security import same_secret, sealed, unsealed
from console.who import Visitor, person, services_of
from domain.permissions import may_act
from signals.errors import BadInput, NoAnswer
from signals.holds import HoldAct, HoldRecord
from signals.people import SignatureMeaning, content_hash

router = APIRouter()
WAY_COOKIE = "plantwright_sign_on"
WISH_COOKIE = "plantwright_to_sign"
WAY_SECONDS = 600
LARGEST_WISH = 3500
"""Bytes that a browser keeps in a cookie, with room for its name."""
LEEWAY = 120
"""Seconds that the provider's clock may be off."""
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
_act: TypeAdapter[HoldAct] = TypeAdapter(HoldAct)


@dataclass(frozen=True)
class Proof:
    """What the provider has proved: who, and when they gave their credentials."""

    subject: str
    authenticated_at: datetime | None


class Provider:
    """One identity provider; its document and keys are asked anew each time, which a sign-on can afford."""

    def __init__(self, settings: OidcSettings, back: str) -> None:
        self._settings = settings
        self._back = back

    async def way_there(self, state: str, nonce: str, verifier: str, *, anew: bool) -> str:
        """The address to send the browser to; `anew`: credentials are asked for although somebody is signed on."""
        document = await self._document()
        more = {"prompt": "login", "max_age": "0"} if anew else {}
        return prepare_grant_uri(
            document["authorization_endpoint"], client_id=self._settings.client_id, response_type="code",
            redirect_uri=self._back, scope=self._settings.scope, state=state, nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier), code_challenge_method="S256", **more,
        )  # fmt: skip

    async def proof(self, code: str, nonce: str, verifier: str) -> Proof:
        """Change the code for an ID token and check it. Raises BadInput where it proves nothing."""
        document = await self._document()
        body = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._back,
                "code_verifier": verifier, "client_id": self._settings.client_id}  # fmt: skip
        if self._settings.client_secret:
            body["client_secret"] = self._settings.client_secret
        answer = await self._ask("POST", document["token_endpoint"], data=body)
        keys = await self._ask("GET", document["jwks_uri"])
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY, iss={"essential": True, "value": self._settings.issuer}, sub={"essential": True},
            aud={"essential": True, "value": self._settings.client_id}, exp={"essential": True},
            iat={"essential": True}, nonce={"essential": True, "value": nonce},
        )  # fmt: skip
        try:
            token = jwt.decode(answer["id_token"], KeySet.import_key_set(cast("Any", keys)), algorithms=ALGORITHMS)
            registry.validate(token.claims)
        except (JoseError, KeyError, ValueError) as error:
            raise BadInput(
                "the identity provider's answer proves nothing", subject="sign-on", hint=str(error)
            ) from error
        at = token.claims.get("auth_time")
        return Proof(
            subject=f"{token.claims['iss']}|{token.claims['sub']}",
            authenticated_at=datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else None,
        )

    async def _document(self) -> Mapping[str, Any]:
        found = await self._ask("GET", f"{self._settings.issuer}/.well-known/openid-configuration")
        if found.get("issuer") != self._settings.issuer:
            raise BadInput(
                f"the identity provider says that it is {found.get('issuer')}", subject="sign-on",
                hint=f"PLANTWRIGHT_OIDC_ISSUER must be just that, it is {self._settings.issuer}",
            )  # fmt: skip
        return found

    async def _ask(self, method: str, url: str, **more: Any) -> Mapping[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=10, follow_redirects=False) as http:
                answer = await http.request(method, url, headers={"accept": "application/json"}, **more)
                said = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise NoAnswer(
                "the identity provider does not answer", hint=f"{url}: {error or type(error).__name__}"
            ) from error
        if answer.status_code != HTTPStatus.OK or not isinstance(said, dict):
            hint = str(said.get("error_description") or said.get("error") or "") if isinstance(said, dict) else ""
            raise BadInput("the identity provider refuses", subject="sign-on", hint=hint)
        return said


def provider_of(services: Services) -> Provider:
    assert services.oidc is not None
    return Provider(services.oidc, f"{services.public_url.rstrip('/')}/sign-on/back")


@router.get("/sign-on")
async def sign_on(request: Request, next: str = "/") -> Response:
    """Off to the provider, to come in."""
    limit_tries(request)
    return await _leave(request, {"next": local(next)}, anew=False)


@router.get("/sign-on/sign")
async def sign_on_to_sign(request: Request) -> Response:
    """Off to the provider, to sign what waits in the browser's sealed cookie."""
    limit_tries(request)
    return await _leave(request, {"next": "/", "sign": True}, anew=True)


async def _leave(request: Request, way: dict[str, Any], *, anew: bool) -> Response:
    services = services_of(request)
    own = {**way, "state": generate_token(32), "nonce": generate_token(32), "verifier": generate_token(64)}
    there = await provider_of(services).way_there(own["state"], own["nonce"], own["verifier"], anew=anew)
    answer = RedirectResponse(there, HTTPStatus.SEE_OTHER)
    _keep(answer, services, WAY_COOKIE, own)
    return answer


def _keep(answer: Response, services: Services, name: str, value: dict[str, Any]) -> None:
    text = sealed(services.secret, name, value, WAY_SECONDS)
    answer.set_cookie(name, text, max_age=WAY_SECONDS, httponly=True, samesite="lax", secure=services.secure, path="/")


@router.get("/sign-on/back")
async def back(request: Request, code: str = "", state: str = "", error: str = "") -> Response:
    """The provider has sent the browser back: come in, or sign."""
    services = services_of(request)
    way = unsealed(services.secret, WAY_COOKIE, request.cookies.get(WAY_COOKIE, ""))
    if way is None or not same_secret(str(way["state"]), state):
        raise Refused(HTTPStatus.BAD_REQUEST, "this sign-on is too old or not ours", hint="begin again")
    if error or not code:
        raise Refused(HTTPStatus.UNAUTHORIZED, "the identity provider did not sign you on", hint=error)
    proof = await provider_of(services).proof(code, way["nonce"], way["verifier"])
    if way.get("sign"):
        answer = await _sign(request, services, proof)
    else:
        identity = await services.accounts.of_subject(proof.subject)
        answer = await come_in(request, identity.user, local(way["next"]))
    answer.delete_cookie(WAY_COOKIE, path="/")
    return answer


# --- signing ---------------------------------------------------------------------------------------------------------


def ask_to_sign(request: Request, visitor: Visitor, record: HoldRecord, act: HoldAct, meaning: str) -> Response:
    """A page that leads to a sign-on of its own; what is to be signed waits in a sealed cookie.

    A link and no redirect: the content policy lets no form lead to another site.
    """
    services = visitor.services
    wish = {
        "user": visitor.user, "plant": record.plant, "hold": record.hold, "act": _act.dump_json(act).decode(),
        "shown": content_hash(record.content()), "meaning": SignatureMeaning(meaning).value,
    }  # fmt: skip
    answer = page(request, "sign_again.html", hold=record, at=services.plants[record.plant], kind=act.kind)
    _keep(answer, services, WISH_COOKIE, wish)
    if len(answer.headers["set-cookie"]) > LARGEST_WISH:
        raise BadInput("this decision is too long to sign by single sign-on", hint="name fewer serial numbers at once")
    return answer


async def _sign(request: Request, services: Services, proof: Proof) -> Response:
    visitor = await person(request)
    wish = unsealed(services.secret, WISH_COOKIE, request.cookies.get(WISH_COOKIE, ""))
    if wish is None or wish["user"] != visitor.user:
        raise Refused(HTTPStatus.BAD_REQUEST, "nothing waits to be signed", hint="decide again")
    record = await hold_of(visitor, wish["plant"], wish["hold"])
    if content_hash(record.content()) != wish["shown"]:
        hint = "look at it again, and sign what you see now"
        raise Refused(HTTPStatus.CONFLICT, "the hold has changed since you opened it", hint=hint)
    if proof.authenticated_at is None or proof.authenticated_at.timestamp() > time.time() + LEEWAY:
        raise BadInput("the identity provider does not say when you signed on", hint="it must send `auth_time`")
    act = _act.validate_json(wish["act"])
    forbidden = may_act(act, plant=record.plant, line=record.scope.line)
    if forbidden:
        raise Refused(HTTPStatus.FORBIDDEN, forbidden)
    signed = await services.accounts.sign_after_sign_on(
        act.actor, proof.subject, proof.authenticated_at, act, record.content(), SignatureMeaning(wish["meaning"])
    )
    answer = await services.desk.act_on_hold(record.plant, record.hold, signed)
    if not answer.accepted:
        raise BadInput(answer.message, subject=record.hold)
    done = RedirectResponse(f"/p/{record.plant}/holds/{record.hold}?done={act.kind}", HTTPStatus.SEE_OTHER)
    done.delete_cookie(WISH_COOKIE, path="/")
    return done
