"""The command's tree and its end: every error becomes an exit code and a line, never a traceback for a user's mistake.

Command modules are imported here, the rooms behind them only when a command runs.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from itertools import islice

import typer
from typer._click.exceptions import UsageError
from typer.main import get_command

from workers.cli import (
    cases,
    check,
    console,
    demo,
    erp,
    exceptions,
    holds,
    orders,
    parked,
    processes,
    quality,
    replay,
    simulate,
    trace,
    users,
    void_order,
)
from workers.cli.outcome import ExitCode, failure_of
from workers.cli.output import say_failure, set_up_logging
from workers.cli.who import GIVEN, Credentials, password_from

VERBOSE = ("-v", "--verbose")
WHO = ("--user", "--password-env")
"""Options of every command, so they may stand anywhere behind its name too."""
LOUD = ("server", "worker", "edge", "console")
"""Processes that log without being asked."""

app = typer.Typer(
    name="plantwright",
    help="The durable layer between the factory floor and the ERP.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"plantwright {version('plantwright')}\n")
        raise typer.Exit


@app.callback()
def _options(
    show_version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Say the version and leave."
    ),
    verbose: bool = typer.Option(False, "-v", "--verbose", help="Logs on stderr; also after the command's name."),
    user: str = typer.Option("", "--user", help="Who you are; also after the command's name.", metavar="NAME"),
    password_env: str = typer.Option(
        "", "--password-env", help="Variable that holds your password. Default: it is asked for.", metavar="VARIABLE"
    ),
) -> None:
    """The durable layer between the factory floor and the ERP."""
    password = password_from(os.environ, password_env, f"password of {user}: ") if user else ""
    GIVEN.set(Credentials(user, password))


app.command("demo")(demo.demo)
app.command("check")(check.check)
orders.app.command("void")(void_order.void_order)
app.add_typer(orders.app, name="orders")
app.add_typer(exceptions.app, name="exceptions")
app.add_typer(cases.app, name="cases")
app.add_typer(erp.app, name="erp")
app.add_typer(parked.app, name="parked")
app.add_typer(quality.app, name="quality")
app.add_typer(holds.app, name="holds")
app.command("trace")(trace.trace)
app.command("replay")(replay.replay)
app.command("server")(processes.server)
app.command("worker")(processes.worker)
app.command("edge")(processes.edge)
app.command("console")(console.console)
app.add_typer(users.app, name="users")
app.add_typer(simulate.app, name="simulate")


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    given = [argument for argument in arguments if argument not in VERBOSE]
    verbose = len(given) < len(arguments)
    quiet = logging.DEBUG if verbose and set(given[:1]) & set(LOUD) else logging.INFO
    set_up_logging(quiet if verbose or set(given[:1]) & set(LOUD) else logging.WARNING)
    try:
        answer = get_command(app)(_who_first(given), prog_name="plantwright", standalone_mode=False)
    except UsageError as wrong:
        return _usage(wrong)
    except typer.TyperException as wrong:
        say_failure(wrong.format_message(), "")
        return ExitCode.BAD_INPUT
    except (typer.Abort, KeyboardInterrupt):
        say_failure("interrupted", "")
        return ExitCode.INTERRUPTED
    except Exception as error:
        return _failed(error, verbose=verbose)
    return answer if isinstance(answer, int) else ExitCode.DONE


def _who_first(arguments: Sequence[str]) -> list[str]:
    """The options that say who is there, moved before the command's name."""
    first: list[str] = []
    rest: list[str] = []
    ahead = iter(arguments)
    for argument in ahead:
        if argument in WHO:
            first += [argument, *islice(ahead, 1)]
        elif argument.startswith(tuple(f"{name}=" for name in WHO)):
            first.append(argument)
        else:
            rest.append(argument)
    return first + rest


def _usage(wrong: UsageError) -> int:
    path = wrong.ctx.command_path if wrong.ctx is not None else "plantwright"
    message = wrong.format_message()
    if message:
        say_failure(message.replace("\n", " "), f"{path} --help")
    elif wrong.ctx is not None:
        sys.stderr.write(wrong.ctx.get_help() + "\n")
    return ExitCode.BAD_INPUT


def _failed(error: Exception, *, verbose: bool) -> int:
    failure = failure_of(error)
    if verbose and not failure.expected:
        sys.stderr.write("".join(traceback.format_exception(error)))
    say_failure(failure.message, failure.hint)
    return failure.code


def main() -> None:
    """The script's entry point. Leaves with os._exit: short SDK processes sometimes abort at interpreter exit."""
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or ExitCode.NO
    os._exit(code)
