"""Ray nodes as machines of their own: each has a network namespace with an IP, and /tmp, /dev/shm and home of its own.

For the superuser on Linux. Only the installed software is common to the nodes.
"""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rays import TOKEN

PORT = 6379
OWN = (
    "mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /dev/shm && mkdir /tmp/home && echo ready && exec sleep infinity"
)
"""What the first process of a machine does in its mount namespace."""

QUICK = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
"""A node whose link is cut counts as dead in 5 seconds; by default it takes about a minute."""


def run(*command, **options):
    """A command that has to end well."""
    return subprocess.run(command, check=True, **options)


def are_permitted():
    """Whether this process may make namespaces."""
    probe = ["unshare", "--net", "--mount", "true"]
    return sys.platform == "linux" and not subprocess.run(probe, capture_output=True, check=False).returncode


@dataclass
class Machine:
    """A machine of a `Network`."""

    name: str
    ip: str
    holder: subprocess.Popen = None
    """A process that keeps the mount namespace, whatever dies in it."""

    def open(self):
        """Make its namespaces, if that is not done."""
        if not self.holder:
            self.holder = self.popen("ip", "netns", "exec", self.name, "unshare", "--mount", "sh", "-c", OWN)
            self.holder.stdout.readline()

    def start(self, *options):
        """Start a Ray node."""
        self.open()
        ray = str(Path(sys.executable).with_name("ray"))
        command = self.enter(ray, "start", "--block", "--disable-usage-stats", f"--node-ip-address={self.ip}")
        self.popen(*command, "--object-store-memory=80000000", *options)

    def popen(self, *command):
        """Start a program that outlives the terminal."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, env=environment(), start_new_session=True, **streams)

    def enter(self, *command):
        """A command line for a program in the namespaces of the node."""
        return ["nsenter", "--target", str(self.holder.pid), "--mount", "--net", "--wd=/tmp", *command]

    def processes(self):
        """Numbers of the processes of the machine."""
        found = run("ip", "netns", "pids", self.name, capture_output=True, text=True).stdout
        return [int(process) for process in found.split()]

    def kill(self, keeps_files=False):
        """Kill all processes of the machine at once, as when its power fails."""
        for process in self.processes():
            if not (keeps_files and process == self.holder.pid):
                with suppress(ProcessLookupError):
                    os.kill(process, 9)
        if self.holder and not keeps_files:
            self.holder.communicate()
            self.holder = None

    def set_link(self, state):
        """`down` cuts the cable: nobody is told of what happens after."""
        run("ip", "-n", self.name, "link", "set", "eth0", state)


@dataclass
class Network:
    """Machines on one switch, as a context; nothing of them is left at its end."""

    machines: dict = field(default_factory=dict)
    prefix: str = field(default_factory=lambda: f"os{os.getpid()}")

    def __enter__(self):
        run("ip", "netns", "add", self.prefix)
        run("ip", "-n", self.prefix, "link", "add", "switch", "type", "bridge")
        run("ip", "-n", self.prefix, "link", "set", "switch", "up")
        return self

    def add(self, name):
        """A machine with the next IP."""
        number = len(self.machines) + 1
        machine = Machine(f"{self.prefix}{name}", f"10.77.0.{number}")
        run("ip", "netns", "add", machine.name)
        cable = ["link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", machine.name]
        run("ip", "-n", self.prefix, *cable)
        run("ip", "-n", self.prefix, "link", "set", f"port{number}", "master", "switch", "up")
        run("ip", "-n", machine.name, "address", "add", f"{machine.ip}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            run("ip", "-n", machine.name, "link", "set", link, "up")
        self.machines[name] = machine
        return machine

    def __exit__(self, *_):
        for machine in self.machines.values():
            machine.kill()
            run("ip", "netns", "delete", machine.name)
        run("ip", "netns", "delete", self.prefix)


def environment():
    """Of programs on the machines."""
    own = {"HOME": "/tmp/home", "OFFSHELF_HOME": "/tmp/home/offshelf", "TMPDIR": "/tmp"}
    return {**os.environ, **own, **QUICK, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
