"""`offshelf ui`: MLflow's UI on a home, opened where the runs are."""

from difflib import get_close_matches

from offshelf.commands.result import CommandResult
from offshelf.errors import ConfigError, TrackingError
from offshelf.home import home_path
from offshelf.secret import masked
from offshelf.terminal import say
from offshelf.tracking.mlflow.client import connect, default_uri
from offshelf.tracking.mlflow.dead_runs import try_close_dead
from offshelf.tracking.mlflow.server import (
    LAST_PORT,
    free_port,
    official_metric,
    start_server,
    stop_server,
    ui_url,
    wait_until_up,
)

DEFAULTS = {"home": "", "uri": "", "port": "5000", "experiment": "offshelf", "metric": "", "dataset": ""}
"""Options and their defaults: an empty `metric` is the official one of the newest run; `dataset` filters runs."""

HELP = """\
usage: offshelf ui [key=value ...]

MLflow's UI on the runs of a home, until Ctrl-C; of a server, its address.

  port=5000              where it listens on this machine; the next free one if that is taken
  home=DIR               the home; by default OFFSHELF_HOME, or the system's folder for user data
  uri=URI                a tracking server, or a database, instead of the home's
  experiment=offshelf    whose runs are shown
  metric=test/accuracy   that they are sorted by
"""


def main(arguments: list[str]) -> CommandResult:
    """Serve until Ctrl-C; arguments are `key=value`.

    Raises:
        ConfigError: An argument is misspelt.
        TrackingError: There is no store to show, or the server does not start.
    """
    if {"-h", "--help"} & set(arguments):
        print(HELP, end="")
        return CommandResult()
    options = parse(arguments)
    home = home_path(options["home"])
    if not options["uri"] and not (home / "mlflow.db").exists():
        raise TrackingError(f"There are no runs in {home} yet. Make some with: offshelf classify layer=all")
    client, experiment = connect(home, options["uri"] or None, options["experiment"], create=False)
    try_close_dead(client, experiment, home)
    metric = options["metric"] or official_metric(client, experiment, options["dataset"])
    if options["uri"].startswith("http"):
        say(masked(ui_url(options["uri"], experiment, metric, options["dataset"])))
        return CommandResult()
    port = free_port(int(options["port"]))
    server = start_server(home, options["uri"] or default_uri(home), port)
    try:
        wait_until_up(server, port)
        link = ui_url(f"http://127.0.0.1:{port}", experiment, metric, options["dataset"])
        say(f"Runs, by {metric}, best first: {link}")
        print("Ctrl-C stops.", flush=True)
        return CommandResult(code=server.wait())
    except KeyboardInterrupt:
        return CommandResult()
    finally:
        stop_server(server)


def parse(arguments: list[str]) -> dict[str, str]:
    """Parse the options of the command.

    Raises:
        ConfigError: An option is unknown, or the port is not a port.
    """
    options = dict(DEFAULTS)
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or key not in options:
            near = get_close_matches(key, options, 1)
            hint = f"; did you mean '{near[0]}=…'?" if near else "."
            raise ConfigError(
                f"offshelf ui has no option '{argument}'{hint} It takes {', '.join(f'{k}=' for k in options)}"
            )
        options[key] = value
    if not (options["port"].isdecimal() and 0 < int(options["port"]) <= LAST_PORT):
        raise ConfigError(f"port is a number from 1 to {LAST_PORT}; got '{options['port']}'.")
    return options
