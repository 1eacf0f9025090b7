"""The command's tree and its end: every error becomes an exit code and a line, never a traceback for a user's mistake.

A command's module is imported when that command is called for, all of them for the help and for a misspelt word: what
a process does not run it does not load.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from itertools import islice

import typer
from typer._click.exceptions import UsageError
from typer.main import get_command

from workers.cli.credentials import GIVEN, Credentials, password_from
from workers.cli.outcome import ExitCode, failure_of
from workers.cli.output import say_failure, set_up_logging

VERBOSE = ("-v", "--verbose")
WHO = ("--user", "--password-env")
"""Options of every command, so they may stand anywhere behind its name too."""
LOUD = ("server", "worker", "edge", "console")
"""Processes that log without being asked."""

COMMANDS = {
    "demo": "demo.demo",
    "check": "check.check",
    "orders": "void_order.app",
    "exceptions": "exceptions.app",
    "cases": "cases.app",
    "erp": "erp.app",
    "parked": "parked.app",
    "quality": "quality.app",
    "holds": "holds.app",
    "downtime": "downtime.app",
    "shift": "shift.app",
    "trace": "trace.trace",
    "replay": "replay.replay",
    "server": "processes.server",
    "worker": "processes.worker",
    "edge": "processes.edge",
    "console": "console.console",
    "users": "users.app",
    "simulate": "simulate.app",
}
"""What stands behind each word, in the order of the help: a function, or a group of commands named `app`."""


def _tree(arguments: Sequence[str]) -> typer.Typer:
    """The command that the arguments call for, else all of them."""
    tree = typer.Typer(
        name="plantwright",
        help="The durable layer between the factory floor and the ERP.",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    tree.callback()(_options)
    word = _word(arguments)
    for name in [word] if word in COMMANDS else COMMANDS:
        module, _, attribute = COMMANDS[name].partition(".")
        found = getattr(import_module(f"workers.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            tree.add_typer(found, name=name)
        else:
            tree.command(name)(found)
    return tree


def _word(arguments: Sequence[str]) -> str:
    """The first argument, behind the options that say who is there; empty where it is another option."""
    ahead = iter(arguments)
    for argument in ahead:
        if argument in WHO:
            next(ahead, "")
        elif not argument.startswith(tuple(f"{name}=" for name in WHO)):
            return argument if not argument.startswith("-") else ""
    return ""


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"plantwright {version('plantwright')}\n")
        raise typer.Exit


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


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    given = [argument for argument in arguments if argument not in VERBOSE]
    verbose = len(given) < len(arguments)
    quiet = logging.DEBUG if verbose and set(given[:1]) & set(LOUD) else logging.INFO
    set_up_logging(quiet if verbose or set(given[:1]) & set(LOUD) else logging.WARNING)
    try:
        arguments = _who_first(given)
        answer = get_command(_tree(arguments))(arguments, prog_name="plantwright", standalone_mode=False)
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
