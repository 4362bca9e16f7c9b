"""Connecting to a Ray cluster, and what is wrong where that cannot be done, in one sentence."""

import logging
import signal
import socket
from typing import Any

import ray

from offshelf.cluster.ray_cluster import GIB, RayCluster
from offshelf.cluster.seat import node_releases
from offshelf.process.cores import usable_cores
from offshelf.process.signals import LEAVE_SIGNALS

LOCAL = "local"
"""Address of a cluster that is started here, whatever others there are."""

ANSWER_SECONDS = 10.0
"""Seconds that a head has to accept a connection."""


def connect(cluster: RayCluster) -> str:
    """Connect to the cluster, or start one. Returns why it cannot be used; empty if it can."""
    address = address_of(cluster)
    is_local = address == LOCAL
    here: dict[str, Any] = {"num_cpus": len(usable_cores()), "include_dashboard": False} if is_local else {}
    try:
        require_answer(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **here)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        return cannot_connect(address, error)
    finally:
        for number in (signal.SIGINT, *LEAVE_SIGNALS):  # Ray sets its own
            signal.signal(number, signal.SIG_IGN)
    return impossible(cluster, ray.nodes()) if is_local else ""


def address_of(cluster: RayCluster) -> str:
    """Return the address for Ray."""
    return cluster.found_at or LOCAL


def require_answer(address: str) -> None:
    """Raise OSError where nothing listens at host:port, for which Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()


def cannot_connect(address: str, error: BaseException) -> str:
    """Return in one sentence why a connection has failed."""
    text = " ".join(str(error).split())
    if "Version mismatch" in text or "version" in text.lower():
        return f"The Ray cluster at {address} has other versions than this process; install the same here: {text[:300]}"
    if "Failed to connect" in text:  # though something listens there
        return (
            f"The Ray cluster at {address} does not accept this process. Where it asks for one, the head's token "
            "belongs into ~/.ray/auth_token here, and `token` into the variable RAY_AUTH_MODE."
        )
    start = "start one with `ray start --head`, or leave the address null for this machine alone"
    return f"There is no Ray cluster at {address} ({text[:200].rstrip('.')}); {start}."


def impossible(cluster: RayCluster, nodes: list[dict[str, Any]]) -> str:
    """Return in one sentence that no node can ever give what an actor takes; empty if one can."""
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    if any(all(node.get(name, 0) >= value for name, value in cluster.demand.items()) for node in alive):
        return ""
    kinds = "; ".join(dict.fromkeys(map(described, alive)))
    return (
        f"No node of the Ray cluster has {cluster.wanted}, so that jobs wait until one joins; nodes have {kinds}. "
        "Ask for less (cpus, gpus, memory_gb, resources), or add such a node."
    )


def described(node: dict[str, float]) -> str:
    """Return the resources of a node in words, without those that name it."""
    own = {"CPU": "cpus", "GPU": "gpus", "memory": "memory_gb"}
    amounts = [
        f"{own.get(name, name)}={value / GIB if name == 'memory' else value:.4g}"
        for name, value in sorted(node.items())
        if not name.startswith(("node:", "object_store_memory"))
    ]
    return " ".join(amounts) or "nothing"


def difference(found: dict[str, str], where: str) -> str:
    """Return in one sentence how releases differ from those here; empty if they do not."""
    here = node_releases()
    pairs = [
        f"{name} {found[name] or 'none'} (here {here[name] or 'none'})" for name in here if found[name] != here[name]
    ]
    return f"{where[0].upper()}{where[1:]} has {', '.join(pairs)}: install the same on all machines." if pairs else ""
