"""Lets the Temporal SDK download its own dev server into a folder: `python -m workers.temporal_download FOLDER`.

A process of its own, so that the caller can bound its time and end it. Not for choosing a binary: see temporal_binary.
"""

from __future__ import annotations

import asyncio
import sys

import httpx
from temporalio.testing import WorkflowEnvironment

INDEX = "https://temporal.download/cli/default"
"""Where the SDK asks for its server. Asked first, because the SDK itself waits long in a network that drops packets."""


async def download(folder: str) -> None:
    async with httpx.AsyncClient(timeout=httpx.Timeout(8, connect=4), follow_redirects=True) as http:
        answer = await http.get(INDEX, params={"arch": "amd64", "platform": "linux"})
        answer.raise_for_status()
    environment = await WorkflowEnvironment.start_local(download_dest_dir=folder, dev_server_log_level="error")
    await environment.shutdown()


if __name__ == "__main__":
    try:
        asyncio.run(download(sys.argv[1]))
    except (httpx.HTTPError, RuntimeError) as failed:
        sys.exit(f"{INDEX} does not answer: {failed}" if isinstance(failed, httpx.HTTPError) else str(failed))
