"""Opens one OPC UA client for a line: security, user, trust (OPC 10000-4, 6.1), and no way to change the server.

One client is one attempt: it never reconnects by itself. Not for subscriptions (scada.subscription).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import structlog
from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto import security_policies
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.uacrypto import load_certificate
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.observer import Observer
from asyncua.ua.attribute_ids import AttributeIds
from cryptography import x509

from domain.plant import OpcUaConfig
from scada.nodes import parse_node

REQUEST_SECONDS = 10.0
SESSION_MS = 60_000
HEALTH_SECONDS = 5.0
_CLOSE_SECONDS = 3.0
_BROWSED_PER_CALL = 200

_NAMESPACE_ARRAY = parse_node("i=2255").node_id([])
_OBJECTS = parse_node("i=85").node_id([])
_HIERARCHICAL = parse_node("i=33").node_id([])

_POLICIES = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256_Sha256_RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}

READING_REQUESTS = (
    ua.GetEndpointsRequest,
    ua.CreateSessionRequest,
    ua.ActivateSessionRequest,
    ua.CloseSessionRequest,
    ua.BrowseRequest,
    ua.BrowseNextRequest,
    ua.ReadRequest,
    ua.CreateSubscriptionRequest,
    ua.DeleteSubscriptionsRequest,
    ua.SetPublishingModeRequest,
    ua.CreateMonitoredItemsRequest,
    ua.PublishRequest,
    ua.RepublishRequest,
)
"""All that this program ever asks of a server: to look, never to touch."""


class ReadOnlyViolation(RuntimeError):
    """Something in this process tried to change the OPC UA server. It was not sent."""


class ChannelConfigError(ValueError):
    """The plant file's [line.opcua] table cannot work as it is; the message says what to change."""


class ReadOnlyGuard(Observer):
    """Sits where every request of a client passes, and lets only reading ones through."""

    def observe_request(self, request: Any) -> AbstractContextManager[None]:
        if not isinstance(request, READING_REQUESTS):
            raise ReadOnlyViolation(
                f"{type(request).__name__} was refused: Plantwright only reads from machines, it never changes them"
            )
        return nullcontext()


async def open_client(
    line: str,
    config: OpcUaConfig,
    environ: Mapping[str, str],
    on_lost: Callable[[Exception], Awaitable[None]],
) -> Client:
    """A connected client with an active session. Raises whatever hinders it; then nothing is left open."""
    client = Client(config.endpoint, timeout=REQUEST_SECONDS, watchdog_intervall=HEALTH_SECONDS, auto_reconnect=False)
    client.uaclient.observer = ReadOnlyGuard()
    client.name = client.description = f"Plantwright edge {line}"
    client.session_timeout = SESSION_MS
    client.connection_lost_callback = on_lost  # type: ignore[assignment]
    try:
        _identify(client, line, config, environ)
        await _secure(client, line, config)
        await client.connect()
    except BaseException:
        await discard(client)
        raise
    return client


def warn_of_weakness(line: str, config: OpcUaConfig) -> None:
    """Says once what this configuration leaves open."""
    log = structlog.get_logger().bind(line=line, endpoint=config.endpoint)
    if config.security == "None":
        log.warning(
            "OPC UA security is None: anyone on this network can read and alter what the machines say; "
            "set security, certificate, private_key and trust in [line.opcua]"
        )
        if config.user_env:
            log.warning("the OPC UA password may travel in clear text: choose a security policy")
    elif not config.trust:
        log.warning("the server's certificate is not checked: name a folder or file as trust in [line.opcua]")


async def discard(client: Client) -> None:
    """Closes a client for good, whatever state it is in. Never raises; never takes longer than a few seconds."""
    publishing = client.uaclient.session._publish_task
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            if client.uaclient.has_session:
                await client.disconnect()
    except Exception as trouble:
        structlog.get_logger().debug("closing an OPC UA client failed", why=repr(trouble))
    finally:
        client.disconnect_socket()
        # asyncua leaves its publish loop running when the session could not be closed in order.
        if publishing is not None and not publishing.done():
            publishing.cancel()


async def namespace_array(client: Client) -> list[str]:
    """The server's namespaces in this session's order."""
    (value,) = await client.uaclient.session.read_attributes([_NAMESPACE_ARRAY], AttributeIds.Value)
    content = value.Value.Value if value.Value is not None else None
    return [str(uri) for uri in content or []]


async def browse_around(client: Client, nodes: Sequence[ua.NodeId]) -> None:
    """Browses the nodes' parents once: FactoryTalk Linx Gateway lets nobody subscribe before that.

    Answers and refusals are of no interest here; what cannot be watched shows when it is asked for.
    """
    with suppress(ua.UaError, TimeoutError):
        found = await _browse(client, nodes, ua.BrowseDirection.Inverse)
        parents = {r.NodeId for result in found for r in result.References or []}
        await _browse(client, [_OBJECTS, *parents], ua.BrowseDirection.Forward)


async def _browse(client: Client, nodes: Sequence[ua.NodeId], direction: ua.BrowseDirection) -> list[ua.BrowseResult]:
    results: list[ua.BrowseResult] = []
    for start in range(0, len(nodes), _BROWSED_PER_CALL):
        wanted = [
            ua.BrowseDescription(
                NodeId=node,
                BrowseDirection=direction,
                ReferenceTypeId=_HIERARCHICAL,
                IncludeSubtypes=True,
                ResultMask=0,  # type: ignore[arg-type]
            )
            for node in nodes[start : start + _BROWSED_PER_CALL]
        ]
        parameters = ua.BrowseParameters(NodesToBrowse=wanted, RequestedMaxReferencesPerNode=1000)  # type: ignore[arg-type]
        results += await client.uaclient.session.browse(parameters)
    points = [result.ContinuationPoint for result in results if result.ContinuationPoint]
    if points:
        release = ua.BrowseNextParameters(ReleaseContinuationPoints=True, ContinuationPoints=points)
        await client.uaclient.session.browse_next(release)
    return results


def _identify(client: Client, line: str, config: OpcUaConfig, environ: Mapping[str, str]) -> None:
    if not config.user_env:
        return
    user = environ.get(config.user_env)
    password = environ.get(config.password_env) if config.password_env else ""
    missing = config.user_env if user is None else config.password_env if password is None else ""
    if missing or user is None or password is None:
        raise ChannelConfigError(
            f"line {line}: the environment variable {missing} is not set; it holds the OPC UA login "
            "([line.opcua] user_env, password_env)"
        )
    client.set_user(user)
    client.set_password(password)


async def _secure(client: Client, line: str, config: OpcUaConfig) -> None:
    if config.security == "None":
        return
    if not config.certificate or not config.private_key:
        raise ChannelConfigError(
            f"line {line}: security {config.security} needs certificate and private_key in [line.opcua]"
        )
    certificate = await _certificate(line, "certificate", config.certificate)
    client.application_uri = _application_uri(certificate) or client.application_uri
    if config.trust:
        client.certificate_validator = await _validator(line, config.trust)
    mode = ua.MessageSecurityMode.Sign if config.mode == "Sign" else ua.MessageSecurityMode.SignAndEncrypt
    await client.set_security(_POLICIES[config.security], config.certificate, config.private_key, mode=mode)


async def _certificate(line: str, key: str, path: str) -> x509.Certificate:
    try:
        return await load_certificate(path)
    except (OSError, ValueError) as error:
        raise ChannelConfigError(f"line {line}: {key} = {path!r} cannot be read as a certificate: {error}") from error


def _application_uri(certificate: x509.Certificate) -> str:
    """Servers refuse a client whose ApplicationUri is not the one in its certificate (OPC 10000-6, 6.2.2)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")


async def _validator(line: str, trust: str) -> Callable[[x509.Certificate, ua.ApplicationDescription], Awaitable[None]]:
    place = Path(trust)
    if not await asyncio.to_thread(place.exists):
        raise ChannelConfigError(f"line {line}: trust = {trust!r} does not exist; put the server's certificate there")
    is_folder = await asyncio.to_thread(place.is_dir)
    revoked = [place / "crl"] if is_folder and await asyncio.to_thread((place / "crl").is_dir) else []
    store = TrustStore([place], revoked) if is_folder else _TrustedFile([place], [])
    try:
        await store.load()
    except (OSError, ValueError) as error:
        raise ChannelConfigError(
            f"line {line}: trust = {trust!r} holds no certificate that can be read (.der or .pem): {error}"
        ) from error
    options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_SERVER
    return CertificateValidator(options, store).validate


class _TrustedFile(TrustStore):
    """A trust list of one file, where asyncua expects folders."""

    async def _load_trust_location(self, location: Path) -> list[x509.Certificate]:
        return [await load_certificate(location)]
