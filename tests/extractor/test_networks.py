"""Networks that stay built."""

from offshelf.augmentation import center, mirror
from offshelf.backbone import Tiny
from offshelf.extractor import Extractor, Networks, Request


def test_held_for_the_same_request_alone():
    """One for each plan; another request lets go of them."""
    networks, built = Networks(), []
    few, many = (Extractor(device="cpu", engine=engine).plan(1) for engine in ("eager", "compile"))
    plain, mirrored = (Request(Tiny(), ("block1",), "auto", views.views) for views in (center(), mirror()))

    def get(request, plan):
        return networks.get(request, plan, lambda: built.append((request, plan)) or len(built))

    assert [get(plain, few), get(plain, few), get(plain, many), get(plain, few)] == [1, 1, 2, 1]
    assert [get(mirrored, few), get(plain, few)] == [3, 4]
