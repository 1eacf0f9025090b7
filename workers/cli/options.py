"""Options that several commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PlantFile = Annotated[Path, typer.Option("--plant", help="The plant file, plants/<plant>.toml.", metavar="FILE")]
DataFolder = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of all state. Default: PLANTWRIGHT_HOME, else the platform's.", metavar="DIR"),
]
LedgerUrl = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        help="Ledger database. Default: PLANTWRIGHT_LEDGER_URL, else a SQLite file in the data folder.",
        metavar="URL",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object as the last line of stdout.")]
By = Annotated[
    str,
    typer.Option(
        "--by", help="Who decides, at a plant without users; default: the user of this machine.", metavar="NAME"
    ),
]
DecisionId = Annotated[
    str | None,
    typer.Option("--decision-id", help="Give it again to repeat a decision safely. Default: a new one."),
]
HealthPort = Annotated[
    int | None, typer.Option("--health-port", min=0, max=65535, help="Serve GET /healthz there; 0 picks a free port.")
]
Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
