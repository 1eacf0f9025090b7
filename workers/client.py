"""Connecting to Temporal by its own environment configuration (profiles, mTLS, API key): temporalio.envconfig."""

from __future__ import annotations

from collections.abc import Mapping

from temporalio.client import Client
from temporalio.envconfig import ClientConfig

from signals.errors import NoAnswer
from workers.data_converter import data_converter
from workers.temporal_namespace import NAMESPACE

DEFAULT_ADDRESS = "localhost:7233"


class TemporalUnreachable(NoAnswer):
    """Temporal does not answer; the message names the address and where it came from."""


async def connect_temporal(environ: Mapping[str, str]) -> Client:
    """A client with Plantwright's data converter. TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE apply."""
    config = ClientConfig.load_client_connect_config(override_env_vars=dict(environ))
    config.setdefault("target_host", DEFAULT_ADDRESS)
    config.setdefault("namespace", NAMESPACE)
    if "TEMPORAL_NAMESPACE" not in environ and config.get("namespace") == "default":
        config["namespace"] = NAMESPACE
    try:
        return await Client.connect(**config, data_converter=data_converter)
    except RuntimeError as error:
        where = config.get("target_host")
        raise TemporalUnreachable(
            f"Temporal does not answer at {where}: {error}. Start it with `plantwright server`, or set TEMPORAL_ADDRESS"
        ) from error
