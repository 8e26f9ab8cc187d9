"""The verbs, joined into one program, and the one place where an error becomes a line on stderr.

Exit status: 0; 1 with one error on stderr and nothing on stdout; 2 for wrong usage; 130 for Ctrl-C. No torch is imported
until a verb needs it.
"""

import logging
import os
import sys
from collections.abc import MutableMapping

import typer

from adapterkit.cli import experiment, fetch, find, publish, show
from adapterkit.cli.corpus import corpus
from adapterkit.cli.demo import demo
from adapterkit.cli.evaluate import evaluate
from adapterkit.cli.predict import predict
from adapterkit.cli.report import report
from adapterkit.cli.self_train import self_train
from adapterkit.cli.train_language import train_language
from adapterkit.cli.train_task import train_task
from adapterkit.cli.wording import for_recipe, for_shell
from adapterkit.errors import AdapterkitError, visible
from adapterkit.version import __version__

INTERRUPTED = 130
"""What typer makes of Ctrl-C, which therefore never arrives here."""
RESUMING = {"train-language", "train-task", "self-train", "run"}
_GOES_ON = "; the same command goes on from the last checkpoint"

app = typer.Typer(
    name="adapterkit",
    help="Bring any NLP task to any language: language and task adapters on a frozen backbone.\n\n"
    "Start with: adapterkit demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(corpus)
app.command()(train_language)
app.command()(train_task)
app.command()(self_train)
app.command()(predict)
app.command()(evaluate)
app.command()(show.fill)
app.command()(show.inspect)
app.command()(report)
app.command()(find.search)
app.command()(publish.push)
app.command()(publish.convert)
app.command()(publish.stack)
app.command()(fetch.pull)
app.command()(fetch.lock)
app.command()(fetch.sync)
app.command()(fetch.verify)
app.command()(experiment.run)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
    verbose: bool = typer.Option(
        False, "--verbose", "-v", help="Say on stderr what is taken from where."
    ),
) -> None:
    """Bring any NLP task to any language: language and task adapters on a frozen backbone."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("adapterkit").setLevel(level)


def wait_asleep(environment: MutableMapping[str, str]) -> None:
    """Let threads that wait for one another sleep soon, where the user says nothing else; before torch is loaded.

    GNU's OpenMP lets them spin 300,000 times. Where other programs use the cores, the thread that is waited for does
    not run meanwhile, and a training on two cores takes two to three times as long (docs/log.md). Others ignore this.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & environment.keys():
        environment["GOMP_SPINCOUNT"] = "20000"


def main() -> None:
    """Run the program."""
    wait_asleep(os.environ)
    try:
        app()
    except AdapterkitError as error:
        verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
        spelt = for_recipe if verb == experiment.run.__name__ else for_shell
        typer.echo(f"{type(error).__name__}: {visible(spelt(str(error)))}", err=True)
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            goes_on = RESUMING.intersection(sys.argv[1:])
            typer.echo(f"stopped{_GOES_ON if goes_on else ''}", err=True)
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # a full disk, a place that cannot be written
        typer.echo(f"{type(error).__name__}: {visible(' '.join(str(error).split()))}", err=True)
        sys.exit(1)
