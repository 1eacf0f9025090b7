"""One OData call as the services see it, whether it came alone or as a part of a `$batch`."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from starlette.requests import Request

from simulators.sap.entity_types import EntityType
from simulators.sap.messages import Refusal
from simulators.sap.odata import ROOT, ROOT4, etag


@dataclass(frozen=True)
class Call:
    """`base` is the scheme and host that links start with; header names are in lower case."""

    method: str
    path: str
    options: dict[str, str]
    headers: Mapping[str, str]
    raw: bytes
    base: str

    @property
    def v4(self) -> bool:
        return self.path.startswith(ROOT4)

    @property
    def service(self) -> str:
        """The service's name as error bodies and settings have it."""
        parts = self.path.removeprefix(ROOT4 if self.v4 else ROOT).split("/")
        return parts[1].split(";")[0] if len(parts) > 1 else ""

    @property
    def is_batch(self) -> bool:
        return self.path.rstrip("/").endswith("/$batch")

    @property
    def is_reading(self) -> bool:
        """Proposals are POSTed but write nothing."""
        last = self.path.rstrip("/").rsplit("/", 1)[-1]
        return self.method in ("GET", "HEAD") or last in ("GetConfProposal", "GetGdsMvtProposal")


def call_of(request: Request, raw: bytes) -> Call:
    """Gateway honours `X-HTTP-Method: MERGE` in a POST tunnel; MERGE and PATCH are one thing to it."""
    tunnelled = request.headers.get("x-http-method", "").upper()
    method = tunnelled if tunnelled and request.method == "POST" else request.method
    return Call(
        "PATCH" if method == "MERGE" else method,
        request.url.path,
        dict(request.query_params),
        request.headers,
        raw,
        str(request.base_url).rstrip("/"),
    )


def call_within(batch: Call, method: str, url: str, headers: Mapping[str, str], raw: bytes) -> Call:
    """A part of a `$batch`; its URL is absolute, starts at the host's root, or is relative to the service."""
    split = urlsplit(url)
    path = unquote(split.path)
    if not path.startswith("/"):
        path = batch.path.rstrip("/").removesuffix("$batch") + path
    tunnelled = headers.get("x-http-method", "").upper() if method == "POST" else ""
    method = tunnelled or method
    options = dict(parse_qsl(split.query, keep_blank_values=True))
    return Call("PATCH" if method == "MERGE" else method, path, options, headers, raw, batch.base)


def require_match(call: Call, entity: EntityType, row: dict[str, object]) -> None:
    """428 without If-Match, 412 when the entity has changed since it was read; `*` takes any state."""
    given = call.headers.get("if-match", "")
    if not given:
        text = f"Precondition required: changing {entity.set_name} needs the header If-Match"
        raise Refusal("/IWFND/CM_MGW/428", text, status=428)
    if given.strip() not in ("*", etag(entity, row)):
        text = f"Precondition failed: {entity.set_name} was changed since it was read"
        raise Refusal("/IWFND/CM_MGW/412", text, status=412)
