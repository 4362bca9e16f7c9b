"""`offshelf` and `python SCRIPT` without their seconds of imports: a process that has made them forks for each command.

A command is still a process of its own, run as `python -m offshelf` is, in the folder, environment and streams of
whoever starts it. Signals are passed on to it (SIGKILL kills both), and its exit code or signal is passed back. Tests
of the process itself, such as of the rights it has or of what it imports, start a new Python instead; so does `python`
with an option.
"""

import atexit
import functools
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import tables

PROGRAM = """\
#!{python} -IS
import contextlib, json, os, signal, socket, sys
if os.path.basename(sys.argv[0]) == "python" and (len(sys.argv) == 1 or sys.argv[1].startswith("-")):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
def forward(number, frame):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    server.connect({address!r})
    request = json.dumps([sys.argv, os.getcwd(), dict(os.environ)])
    socket.send_fds(server, [request.encode()], [0, 1, 2])
    process = int(server.recv(16))
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    code = int(server.recv(16))
if code < 0:
    if code != -signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""
"""What stands for `offshelf`: it hands itself over, and waits."""

COSTS = "costs"
"""File beside the socket: CPU seconds of each command that has ended, a line each."""

LATER = ["mlflow.store.tracking.sqlalchemy_store", "pytorch_lightning", "sklearn.svm", "timm", "torchvision"]
"""What commands import inside functions, and what of it takes longest."""


@functools.cache
def program():
    """Path of an executable that stands for `offshelf` as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix="offshelf-"))
    address = str(folder / "socket")
    environment = {name: value for name, value in os.environ.items() if name != "OFFSHELF_HOME"}  # of one test
    command = [sys.executable, __file__, address, tables.template().name]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    server.stdout.readline()  # it listens
    (folder / COSTS).touch()
    atexit.register(stop, server, folder)
    for name in ("offshelf", "python"):
        (folder / name).write_text(PROGRAM.format(python=sys.executable, address=address))
        (folder / name).chmod(0o755)
    return folder / "offshelf"


def spent():
    """CPU seconds of all commands that have ended."""
    if not program.cache_info().currsize:
        return 0.0
    return sum(map(float, (program().with_name(COSTS)).read_text().split()))


def stop(server, folder):
    """End it and leave nothing behind."""
    server.stdin.close()
    server.wait()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def serve(address, template):
    """Fork for each command; only its process returns, with its arguments. Ends with the process that started it."""
    for found in walk_packages(import_module("offshelf").__path__, "offshelf."):
        if found.name != "offshelf.__main__":
            import_module(found.name)
    for name in LATER:
        import_module(name)
    tables.share(lambda: template)
    gc.freeze()  # forks share the memory of what they do not look through
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what attends to a command
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(address)
        listener.listen()
        print("listening", flush=True)
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            if not os.fork():
                break
            connection.close()
        else:
            os._exit(0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return attend(connection, Path(address).with_name(COSTS))


def attend(connection, costs):
    """Start the command of a connection and wait for its end, which comes at once when nobody waits for it any more."""
    request, streams, *_ = socket.recv_fds(connection, 1 << 20, 3)
    process = os.fork()
    if not process:
        connection.close()
        return begin(*json.loads(request), streams)
    for stream in [0, 1, 2, *streams]:
        os.close(stream)
    connection.send(str(process).encode())
    while not (ended := os.wait4(process, os.WNOHANG))[0]:
        if select.select([connection], [], [], 0.01)[0]:
            os.kill(process, signal.SIGKILL)
    _, status, used = ended
    with costs.open("a") as file:
        file.write(f"{used.ru_utime + used.ru_stime}\n")
    connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def begin(arguments, folder, environment, streams):
    """Take the place of whoever asked. Returns its arguments, the name of the program before them."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return arguments


def perform(program, arguments):
    """Run the command line of offshelf, or a script as `python` does."""
    if Path(program).name == "offshelf":
        sys.argv[1:] = arguments
        runpy.run_module("offshelf", run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = arguments
        sys.path.insert(0, str(Path(arguments[0]).parent.resolve()))
        runpy.run_path(arguments[0], run_name="__main__")


def leave(code):
    """As Python does, save that modules are not taken down one by one, which takes longer than many a command."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    asked, *rest = serve(*sys.argv[1:])
    try:
        perform(asked, rest)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise  # Python prints it
        leave(ended.code or 0)
    leave(0)
