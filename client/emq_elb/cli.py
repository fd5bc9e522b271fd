"""The commands. Each asks the API and hands the answer to the terminal; what they share stands in `Means`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
from botocore.credentials import Credentials
from botocore.session import Session

from emq_elb import credentials, planning, terminal, transport, views, where
from emq_elb.answers import good
from emq_elb.api import Api
from emq_elb.asking import Asking
from emq_elb.declared import declaration
from emq_elb.faults import CHANGES, DONE, FAULT, INTERRUPTED, USAGE, Failed, WrongUsage
from emq_elb.files import STDIN, Document, as_yaml, read_files
from emq_elb.redact import key_texts
from emq_elb.schema import file_schema, modeline
from emq_elb.terminal import Terminal


@dataclass
class Means:
    """What a command works with; the tests bring their own."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    directory: Path = field(default_factory=Path.cwd)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    terminal: Terminal = field(default_factory=lambda: terminal.standard(os.environ))
    status: int = DONE


@dataclass(frozen=True)
class Command:
    """One command at work: the API that it asks, and the terminal."""

    api: Api
    terminal: Terminal
    means: Means


def open_api(
    means: Means,
    *,
    url: str | None,
    stage: str | None,
    region: str | None,
    profile: str | None,
    no_sign_request: bool,
) -> Api:
    """Find the API, and who signs."""
    place = where.found(url, stage, means.environment, means.directory)
    if no_sign_request and not place.loopback:
        raise WrongUsage("--no-sign-request is for an API on loopback only")
    session = credentials.open_session(profile, means.environment, loopback=place.loopback)
    region = region or place.region or session.get_config_variable("region")
    signer = None if no_sign_request else _signer(session, place)
    if not place.loopback:
        signer = credentials.required(signer)
        if region is None:
            raise WrongUsage("the host name says no region to sign for", "name the API's with --region")
    elif region is None:
        signer = None
    bundle = session.get_config_variable("ca_bundle")
    send = transport.sender(signer, region, bundle, loopback=place.loopback)
    return Api(place.url, Asking(send, means.terminal.say, means.sleep))


def _signer(session: Session, place: where.Where) -> Credentials | None:
    try:
        return credentials.credentials(session)
    except Failed as fault:
        more = "; --no-sign-request does without, on loopback" if place.loopback else ""
        raise Failed(fault.message, f"{fault.remedy}{more}") from None


_REACHING = (
    click.option("--url", metavar="URL", help=f"The API's URL. [default: {where.URL_VARIABLE}]"),
    click.option("--stage", metavar="STAGE", help="Take the URL that `chalice deploy` recorded of it."),
    click.option("--region", metavar="REGION", help="The API's region. [default: that in its host name]"),
    click.option("--profile", metavar="PROFILE", help="A profile of the AWS CLI to sign with."),
    click.option("--no-sign-request", is_flag=True, help="Sign nothing; for an API on loopback only."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON for programs."),
)


def reaching(run: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say where the API is, and the API."""

    @wraps(run)
    def reached(**options: Any) -> None:
        means: Means = click.get_current_context().obj
        means.terminal.json = options.pop("as_json")
        reach = {name: options.pop(name) for name in ("url", "stage", "region", "profile", "no_sign_request")}
        run(Command(open_api(means, **reach), means.terminal, means), **options)

    for option in reversed(_REACHING):
        reached = option(reached)
    return reached


def _print_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        try:
            click.echo(f"emq-elb {version('emq-elb')}")
        except PackageNotFoundError:
            click.echo("emq-elb, from a checkout")
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def cli() -> None:
    """Load balancers in front of EMQX clusters: plan, apply, look, probe, rotate.

    Credentials are found as the AWS CLI finds them. The exit status is 0 when done, 1 for a fault, 3 when
    something was still pending as --wait ended, 64 for a wrong command line, 130 when interrupted.
    """


def confirm(command: Command, question: str) -> None:
    """Ask before something is changed; raise Failed when the answer is no."""
    if not command.terminal.confirmed(question):
        raise Failed("not confirmed; nothing was changed")


def needs_answer(command: Command, *, yes: bool) -> None:
    """Raise WrongUsage where nobody could be asked."""
    if not yes and not command.terminal.interactive:
        raise WrongUsage("there is no terminal to confirm at", "say --yes")


@cli.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--adopt", is_flag=True, help="Take over load balancers that were made by hand.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
@reaching
def plan(command: Command, files: tuple[str, ...], adopt: bool, detailed_exitcode: bool) -> None:
    """Show what `apply` would change, and change nothing.

    FILE is YAML or JSON: `name`, and the fields of PUT's body. `-` is standard input.
    """
    planned = planning.plans(read(command, files), command.api, adopt=adopt)
    command.terminal.show(views.plans, {"plans": [one.value() for one in planned]})
    if detailed_exitcode and any(one.changed for one in planned):
        command.means.status = CHANGES


@cli.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--adopt", is_flag=True, help="Take over load balancers that were made by hand.")
@click.option("--wait", is_flag=True, help="Wait until AWS is done, and show how far it is.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=600,
    metavar="SECONDS",
    help="How long --wait waits. [default: 600]",
)
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@reaching
def apply(
    command: Command, *, files: tuple[str, ...], adopt: bool, wait: bool, timeout: float, yes: bool
) -> None:
    """Make AWS match the declarations.

    It shows the plan and asks before anything is changed. FILE is YAML or JSON: `name`, and the
    fields of PUT's body.
    """
    if STDIN in files and not yes:
        raise WrongUsage("a declaration from standard input leaves nobody to ask", "say --yes")
    needs_answer(command, yes=yes)
    terminal = command.terminal
    planned = planning.plans(read(command, files), command.api, adopt=adopt)
    if not terminal.json:
        terminal.show(views.plans, {"plans": [one.value() for one in planned]})
    changing = [one for one in planned if one.changed]
    if changing and not yes:
        confirm(command, "\nMake these changes?")
    done = []
    for one in planning.applied(changing, command.api, adopt=adopt):
        done.append(one)
        if one.fault:
            complain(command, one.fault)
        else:
            terminal.say(views.outcome(one.value()))
    if wait and any(one.pending for one in done):
        means = command.means
        try:
            with terminal.err.status("Waiting for AWS"):
                planning.follow(
                    done, command.api, seconds=timeout, say=terminal.say, sleep=means.sleep, clock=means.clock
                )
        except Failed as fault:
            complain(command, fault)
    if terminal.json:
        kept = [{**one.value(), "state": "ready", "changed": False} for one in planned if not one.changed]
        terminal.show(str, {"applied": [*(one.value() for one in done), *kept]})


def complain(command: Command, fault: Failed) -> None:
    """Print a fault after which the command goes on; the first one decides the exit status."""
    command.terminal.complain(fault)
    command.means.status = command.means.status or fault.status


def read(command: Command, files: tuple[str, ...]) -> list[Document]:
    """Read the declarations; the terminal gets to know the private keys in them, never to print one."""
    documents = read_files(files, command.means.directory)
    for one in documents:
        command.terminal.known.update(key_texts(dict(one.body)))
    return documents


@cli.command("list")
@reaching
def list_(command: Command) -> None:
    """List the load balancers of the deployment."""
    command.terminal.show(views.balancers, command.api.list())


@cli.command()
@click.argument("name")
@click.option("--adopt", is_flag=True, help="Also one that was made by hand and has no owner.")
@click.option("--as-declaration", is_flag=True, help="As a file in which `plan` finds no change.")
@reaching
def get(command: Command, name: str, adopt: bool, as_declaration: bool) -> None:
    """Show one load balancer."""
    shown = command.api.get(name, adopt=adopt)
    if not as_declaration:
        command.terminal.show(views.balancer, shown)
    elif command.terminal.json:
        command.terminal.show(str, declaration(shown))
    else:
        command.terminal.write(as_yaml(declaration(shown)))


@cli.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also while members are in service.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@reaching
def delete(command: Command, name: str, force: bool, yes: bool) -> None:
    """Delete a load balancer and what was made for it."""
    needs_answer(command, yes=yes)
    terminal = command.terminal
    if not yes:
        terminal.show(views.report, good(command.api.delete(name, dry_run=True, force=force), 200))
        confirm(command, f"\nDelete {name}?")
    answer = command.api.delete(name, force=force)
    if answer.status == 404 and answer.problem and answer.sent_again:
        done: Mapping[str, Any] = {"name": name, "state": "ready", "changed": True}
    else:
        done = good(answer, 200, 202)
    if yes:
        terminal.show(views.report, done)
    terminal.say(views.deleted(done))


@cli.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--new-ca", is_flag=True, help="Renew under a private CA that changed; devices trust it.")
@reaching
def rotate(command: Command, name: str, dry_run: bool, new_ca: bool) -> None:
    """Replace the certificate now, and prove it."""
    answer = command.api.rotate(name, dry_run=dry_run, new_ca=new_ca)
    command.terminal.show(views.rotation_planned if dry_run else views.rotation, answer)
    if answer.get("state") == "pending" and not dry_run:
        command.terminal.say("AWS needs more time; the rotation goes on in the background.")
    if answer.get("state") == "rolled-back":
        command.means.status = FAULT


@cli.command()
@click.argument("name")
@click.option("--deep", is_flag=True, help="What takes minutes, in the background; its result is in the log.")
@reaching
def probe(command: Command, name: str, deep: bool) -> None:
    """Use a load balancer as a device would, at each address. The exit status is 1 unless all is well."""
    answer = command.api.probe(name, deep=deep)
    command.terminal.show(views.probed, answer)
    if answer.get("verdict", "ok") != "ok":
        command.means.status = FAULT


@cli.command("private-ca")
@reaching
def private_ca(command: Command) -> None:
    """Print the private CA's certificate, for clients to trust."""
    text = command.api.private_ca()
    if command.terminal.json:
        command.terminal.show(str, {"certificate": text})
    else:
        command.terminal.write(text)


@cli.command()
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write it to a file.")
@reaching
def schema(command: Command, output: Path | None) -> None:
    """Print the JSON schema of a file, for editors."""
    try:
        made = file_schema(command.api.description())
    except (LookupError, TypeError, AttributeError):
        raise Failed("the API's description has no schema of PUT's body") from None
    text = f"{json.dumps(made, indent=2)}\n"
    if output is None:
        command.terminal.write(text)
    else:
        (command.means.directory / output).write_text(text)
    name = output.name if output else "emq-elb.schema.json"
    command.terminal.say(f"The first line of a file beside it, for VS Code and others:\n{modeline(name)}")


def main(arguments: list[str], means: Means | None = None) -> int:
    """Run a command and return its exit status."""
    means = means or Means()
    try:
        returned: Any = cli.main(
            arguments or ["--help"], prog_name="emq-elb", obj=means, standalone_mode=False
        )
        means.terminal.out.file.flush()
    except click.ClickException as error:
        usage = f"\n\n{context.get_usage()}" if (context := getattr(error, "ctx", None)) else ""
        means.terminal.fail(WrongUsage(f"{error.format_message()}{usage}"))
        return USAGE
    except Failed as fault:
        means.terminal.fail(fault)
        return fault.status
    except (click.Abort, KeyboardInterrupt):
        means.terminal.say("Interrupted: what was sent is not undone; `emq-elb plan` shows what is left.")
        return INTERRUPTED
    except BrokenPipeError:  # `emq-elb list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAULT
    return means.status or (returned if isinstance(returned, int) else DONE)


def script() -> None:
    """Run what was typed: the entry point of the installed command."""
    sys.exit(main(sys.argv[1:]))
