"""Random weights are those of their seed, whatever other threads do."""

import os
import threading

import pytest
import torch

from offshelf.backbone import Tiny
from offshelf.backbone.seeded import seeded


def seed_and_stay(inside, leave):
    """Seed the generators, say so, and keep them until told to leave."""
    with seeded(1):
        inside.set()
        leave.wait(30)


def test_another_thread_waits():
    """It seeds the generators of the process in the middle of this one's draws."""
    inside, drawn = threading.Event(), threading.Event()
    with seeded(0):
        expected = torch.rand(3)
    other = threading.Thread(target=seed_and_stay, args=(inside, drawn))
    with seeded(0):
        first = torch.rand(1)
        other.start()
        inside.wait(0.3)
        rest = torch.rand(2)
        drawn.set()
    other.join()

    assert inside.is_set()
    assert torch.cat([first, rest]).equal(expected)


def test_networks_of_many_threads():
    """All have the same weights, and the generators go on as before."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    expected = Tiny().load().module[0][0].weight
    found = []
    threads = [threading.Thread(target=lambda: found.append(Tiny().load().module[0][0].weight)) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert len(found) == 8
    assert all(weight.equal(expected) for weight in found)
    assert torch.get_rng_state().equal(before)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_forked_in_the_middle():
    """It does not wait for a thread that it does not have."""
    inside, done = threading.Event(), threading.Event()
    other = threading.Thread(target=seed_and_stay, args=(inside, done))
    other.start()
    inside.wait(30)
    child = os.fork()
    if not child:
        with seeded(0):
            os._exit(7)
    done.set()
    other.join()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
