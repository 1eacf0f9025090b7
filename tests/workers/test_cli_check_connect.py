"""`plantwright check FILE --connect`: whatever is wrong with an ERP connection is told once, with what to do."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.matrix.worlds import ENVIRON, REPOSITORY, SECRET, TENANT, Simulator, simulator
from tests.workers.commands import Command, as_a_process, in_this_process
from workers.server_ports import free_port

KINDS = ("sap", "oracle", "dynamics")
PLANT = (REPOSITORY / "plants" / "demo.toml").read_text()
BEFORE_ERP, LINES = PLANT.partition("[erp]")[0], "[[line]]" + PLANT.partition("[[line]]")[2]
OAUTH = {"ORACLE_CLIENT_ID": "mes-client", "ORACLE_CLIENT_SECRET": SECRET, "SAP_CLIENT_ID": "mes-client"}
AS_NEW: Mapping[str, dict[str, Any]] = {
    "sap": {"inactive_services": [], "forbidden_services": []},
    "oracle": {"forbidden_resources": [], "source_systems": ["PLANTWRIGHT"], "token_seconds": 3600},
    "dynamics": {"token_seconds": 3599, "secret_expired": False},
}
JARGON = ("Errno", "Traceback", "httpx", "ConnectError", "SSL:", "http://' protocol", "None", SECRET, "wrong-secret")
TOKEN = json.dumps({"access_token": "a-token", "expires_in": 3600}).encode()
SEED = {
    "orders": [
        {
            "order": "1000040",
            "plant": "1010",
            "material": "FG1",
            "quantity": "10",
            "unit": "PC",
            "storage_location": "FG01",
            "operations": [{"operation": "0010", "work_centre": "PRESS", "control_profile": "PP01"}],
        }
    ],
    "stock": [{"material": "RM1", "plant": "1010", "storage_location": "RM01", "quantity": "100", "unit": "PC"}],
}


@dataclass(frozen=True)
class Case:
    """One thing that is wrong, and what the command must say of it."""

    what: str
    kind: str
    says: tuple[str, ...]
    code: int = 2
    erp: dict[str, Any] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    alone: bool = True
    """Nothing is tried after it."""

    def __str__(self) -> str:
        return f"{self.kind}, {self.what}"


SEARCHES = {"sap": "search confirmations", "oracle": "reference", "dynamics": "search transfer journals"}
ORACLE_OAUTH = {"auth": "oauth"}
SAP_OAUTH = {"auth": "oauth", "token_url": "{oracle}/oauth2/v1/token"}
CASES = (
    Case(
        "wrong password",
        "sap",
        ("SAP refuses user and password", "SAP_USER", "SAP_PASSWORD"),
        environ={"SAP_PASSWORD": "wrong-secret"},
    ),
    Case(
        "wrong password",
        "oracle",
        ("Oracle refuses user and password", "ORACLE_USER", "ORACLE_PASSWORD"),
        environ={"ORACLE_PASSWORD": "wrong-secret"},
    ),
    Case(
        "no password at all",
        "sap",
        ("the SAP credentials of plant demo are missing", "SAP_PASSWORD"),
        environ={"SAP_PASSWORD": ""},
    ),
    Case(
        "wrong client secret",
        "sap",
        ("the token endpoint in [erp] token_url does not accept the OAuth client", "SAP_CLIENT_SECRET"),
        erp=SAP_OAUTH,
        environ={"SAP_CLIENT_SECRET": "wrong-secret"},
    ),
    Case(
        "wrong client secret",
        "oracle",
        ("the token endpoint does not accept the OAuth client", "ORACLE_CLIENT_SECRET"),
        erp=ORACLE_OAUTH,
        environ={"ORACLE_CLIENT_SECRET": "wrong-secret"},
    ),
    Case(
        "wrong client secret",
        "dynamics",
        ("the client secret is wrong", "give the secret's value"),
        environ={"DYNAMICS_CLIENT_SECRET": "wrong-secret"},
    ),
    Case(
        "expired client secret",
        "dynamics",
        ("the client secret has expired", "make a new one"),
        settings={"secret_expired": True},
    ),
    Case(
        "token that is not taken",
        "sap",
        ("SAP refuses a fresh token of the OAuth client", "communication user"),
        erp=SAP_OAUTH,
        environ={"SAP_CLIENT_SECRET": SECRET},
    ),
    Case(
        "expired token",
        "dynamics",
        ("Dynamics refuses a fresh token of the app", "Microsoft Entra applications"),
        settings={"token_seconds": 0},
    ),
    Case("wrong client", "sap", ("this SAP system has no client 999", "check [erp] client"), erp={"client": "999"}),
    Case(
        "wrong company",
        "dynamics",
        ("no production order is visible in company XXXX", "some in USMF", "[erp.dynamics]"),
        erp={"dynamics": {"company": "XXXX"}},
    ),
    Case("unknown plant", "sap", ("of plant 9999", "check [erp] plant"), erp={"plant": "9999"}, alone=False),
    Case(
        "unknown organization",
        "oracle",
        ("organization 9999", "check [erp] plant (the OrganizationCode)"),
        erp={"plant": "9999"},
        alone=False,
    ),
    Case("unknown site", "dynamics", ("site 9999", "are of 1010", "set plant"), erp={"plant": "9999"}, alone=False),
    Case(
        "service not activated",
        "sap",
        ("API_PROD_ORDER_CONFIRMATION_2_SRV: it is not activated", "SAP_COM_0522", "nothing can be confirmed"),
        settings={"inactive_services": ["API_PROD_ORDER_CONFIRMATION_2_SRV"]},
        alone=False,
    ),
    Case(
        "service not allowed",
        "sap",
        ("the user has no authorisation for it", "SAP_COM_0522", "nothing can be confirmed"),
        settings={"forbidden_services": ["API_PROD_ORDER_CONFIRMATION_2_SRV"]},
        alone=False,
    ),
    Case(
        "resource not allowed",
        "oracle",
        ("operationTransactions: the account has no privilege", "grant the privilege", "nothing can be posted"),
        settings={"forbidden_resources": ["operationTransactions"]},
        alone=False,
    ),
    Case(
        "source system not registered",
        "oracle",
        ("source system PLANTWRIGHT is not registered", "Trading Community"),
        settings={"source_systems": ["SOMEBODY"]},
        alone=False,
    ),
    Case(
        "address without a host",
        "oracle",
        ("[erp] token_url is no address that can be called", "https://HOST"),
        erp={"auth": "oauth", "token_url": "id.example/token"},
    ),
    Case(
        "another ERP at the address",
        "sap",
        ("SAP offers none of the services here", "check [erp] url"),
        erp={"url": "{oracle}"},
        alone=False,
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def erps(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Simulator]]:
    """One of each, seeded with one order."""
    folder = tmp_path_factory.mktemp("erps")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in OAUTH.items():
            patch.setenv(name, value)
        async with contextlib.AsyncExitStack() as stack:
            made = await asyncio.gather(*(stack.enter_async_context(simulator(kind, folder)) for kind in KINDS))
            for one in made:
                await one.seed(**SEED)
            yield {one.name: one for one in made}


@dataclass(frozen=True)
class Outcome:
    """How the command ended."""

    code: int
    result: dict[str, Any]
    told: str
    """The one line on stderr, without its `error: `."""

    @property
    def tried(self) -> list[str]:
        return [probe["name"] for probe in self.result["connect"]]

    def probe(self, name: str) -> dict[str, Any]:
        return next(p for p in self.result["connect"] if p["name"] == name)

    @property
    def refused(self) -> list[str]:
        return [p["name"] for p in self.result["connect"] if not p["ok"] and p["required"]]


_limits = itertools.count(200)
"""A limit of its own for each check: a budget that one check's throttling closed is not the next one's."""


async def check(
    folder: Path,
    kind: str,
    url: str,
    erp: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    command: Command | None = None,
) -> Outcome:
    """Runs the command; whatever its outcome, it tells no secret and speaks no library's language."""
    keys: dict[str, Any] = {"kind": kind, "url": url, "plant": "1010", "timeout_seconds": 5}
    keys["calls_per_second"] = next(_limits)
    if kind == "dynamics":
        keys["token_url"] = f"{url}/{TENANT}/oauth2/v2.0/token"
    keys |= erp or {}
    tables = {key: value for key, value in keys.items() if isinstance(value, dict)}
    lines = ["[erp]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items() if key not in tables)]
    for name, content in tables.items():
        lines += [f"[erp.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in content.items())]
    file = folder / "plant.toml"
    file.write_text("\n".join([BEFORE_ERP, *lines, LINES]))
    secrets = {**ENVIRON, **OAUTH, "SAP_CLIENT_SECRET": SECRET, "TRYTON_USER": "mes", "TRYTON_PASSWORD": SECRET}
    arguments = ["check", str(file), "--connect", "--json"]
    code, out, said = await (command or in_this_process)(arguments, {**secrets, **(environ or {})})
    assert not [word for word in JARGON if word in said + json.dumps(json.loads(out).get("connect"))], said
    if code == 0:
        assert said == ""
    else:
        assert said.startswith("error: ") and said.count("\n") == 1, said
    return Outcome(code, json.loads(out), said.removeprefix("error: ").rstrip("\n"))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_connection_that_works_is_told_thing_by_thing_and_nothing_is_booked(erps, kind, tmp_path):
    before = await erps[kind].books()
    outcome = await check(tmp_path, kind, erps[kind].url, command=as_a_process)
    assert await erps[kind].books() == before
    assert (outcome.code, outcome.result["problems"]) == (0, [])
    assert outcome.tried[0] == "log-on"
    assert len(outcome.tried) > 8
    assert outcome.probe(SEARCHES[kind])["ok"]
    # The event endpoint is the worker's, and this command serves none.
    assert [p["name"] for p in outcome.result["connect"] if not p["ok"]] == (["events"] if kind == "dynamics" else [])


async def test_a_token_that_expires_meanwhile_is_renewed_without_a_word(erps, tmp_path):
    await erps["oracle"].ask("settings", {"token_seconds": 1})
    try:
        outcome = await check(tmp_path, "oracle", erps["oracle"].url, ORACLE_OAUTH | {"calls_per_second": 12})
    finally:
        await erps["oracle"].ask("settings", AS_NEW["oracle"])
    assert (outcome.code, outcome.result["problems"]) == (0, [])


async def test_a_fresh_token_that_is_refused_is_no_matter_of_the_secret(doorman, tmp_path):
    url, authority = doorman
    erp = ORACLE_OAUTH | {"token_url": f"{url}/token", "ca_file": str(authority)}
    outcome = await check(tmp_path, "oracle", url, erp)
    assert (outcome.code, outcome.result["problems"]) == (2, [outcome.told])
    assert "Oracle refuses a fresh token of the OAuth client" in outcome.told


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_what_is_wrong_is_one_sentence_with_its_object_and_the_fix(erps, case, tmp_path):
    urls = {name: one.url for name, one in erps.items()}
    erp = {key: value.format(**urls) if isinstance(value, str) else value for key, value in case.erp.items()}
    await erps[case.kind].ask("settings", case.settings)
    try:
        outcome = await check(tmp_path, case.kind, urls[case.kind], erp, case.environ)
    finally:
        await erps[case.kind].ask("settings", AS_NEW[case.kind])
    assert outcome.code == case.code
    assert outcome.result["problems"] == [outcome.told]
    assert [words for words in case.says if words not in outcome.told] == []
    assert len(outcome.refused) == 1
    if case.alone:
        assert outcome.tried[-1] == outcome.refused[0]


@pytest.mark.parametrize("kind", [*KINDS, "tryton"])
async def test_a_host_where_nobody_listens_is_exit_code_3(kind, tmp_path):
    port = free_port()
    outcome = await check(tmp_path, kind, f"http://127.0.0.1:{port}")
    assert outcome.code == 3
    assert outcome.result["problems"] == [outcome.told]
    assert f"nobody listens at 127.0.0.1:{port}" in outcome.told
    assert ("[erp] token_url" if kind == "dynamics" else "[erp] url") in outcome.told
    assert len(outcome.tried) == 1


async def test_an_erp_that_drops_every_call_is_exit_code_3(erps, tmp_path):
    await erps["oracle"].ask("faults", {"mode": "down"})
    try:
        outcome = await check(tmp_path, "oracle", erps["oracle"].url)
    finally:
        (await erps["oracle"].control.delete("/_control/faults")).raise_for_status()
    assert (outcome.code, len(outcome.tried)) == (3, 1)
    assert "breaks off without an answer" in outcome.told


@pytest.mark.parametrize("kind", [*KINDS, "tryton"])
async def test_a_certificate_that_nobody_vouches_for_names_the_setting_that_helps(doorman, kind, tmp_path):
    url, _ = doorman
    outcome = await check(tmp_path, kind, url)
    assert outcome.code == 2
    assert outcome.result["problems"] == [outcome.told]
    assert f"the TLS certificate of {url.removeprefix('https://')} is self-signed" in outcome.told
    assert "set [erp] ca_file" in outcome.told
    assert len(outcome.tried) == 1


async def test_a_trusted_authority_lets_the_check_go_on_to_the_next_thing(doorman, tmp_path):
    url, authority = doorman
    outcome = await check(tmp_path, "sap", url, {"ca_file": str(authority)})
    assert outcome.code == 2
    assert "SAP refuses user and password" in outcome.told


async def test_an_authority_that_is_no_file_is_told_before_anything_is_tried(tmp_path):
    outcome = await check(tmp_path, "sap", "https://sap.example", {"ca_file": "/nowhere/ca.pem"})
    assert (outcome.code, outcome.tried) == (2, ["set-up"])
    assert "ca_file '/nowhere/ca.pem' is no file" in outcome.told


async def test_an_address_without_tls_is_told_as_such(erps, tmp_path):
    url = erps["oracle"].url.replace("http://", "https://")
    outcome = await check(tmp_path, "oracle", url)
    assert outcome.code == 2
    assert "does not speak TLS" in outcome.told
    assert len(outcome.tried) == 1


@pytest.mark.parametrize(
    ("kind", "follows"),
    [
        ("sap", "lists the operation's confirmations instead; slower, still exact"),
        ("oracle", "judged by balances: a case where others moved the item too"),
        ("dynamics", "all transfer journals are read to find ours: slow, still exact"),
    ],
)
async def test_a_reference_that_cannot_be_searched_says_what_follows_and_stops_nobody(erps, kind, follows, tmp_path):
    await erps[kind].ask("faults", {"mode": "key_not_searchable"})
    try:
        outcome = await check(tmp_path, kind, erps[kind].url)
    finally:
        (await erps[kind].control.delete("/_control/faults")).raise_for_status()
    told = outcome.probe(SEARCHES[kind])
    assert (outcome.code, outcome.result["problems"]) == (0, [])
    assert (told["ok"], told["required"]) == (False, False)
    assert "cannot be searched" in told["message"]
    assert follows in told["hint"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def doorman(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, Path]]:
    """A server on loopback that vouches for itself, gives everybody a token and lets nobody in: URL, certificate."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "server.pem", folder / "server.key"
    _make_certificate(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            asked = await reader.readuntil(b"\r\n\r\n")
            status, body = (b"200 OK", TOKEN) if asked.startswith(b"POST /token") else (b"401 Unauthorized", b"")
            length = f"content-length: {len(body)}".encode()
            writer.write(b"\r\n".join([b"HTTP/1.1 " + status, length, b"connection: close", b"", body]))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", certificate


def _make_certificate(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    loopback = x509.IPAddress(ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
