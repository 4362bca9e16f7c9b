"""Networks that are kept from one extraction to the next."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from offshelf.extractor.plan import Plan
from offshelf.extractor.request import Request


class Networks:
    """The network of the last request, for callers that extract image by image, as a server does."""

    def __init__(self) -> None:
        self.lock = Lock()
        """Lock to hold while a network runs, because its hooks keep their results in it."""
        self._request: Request | None = None
        self._built: dict[Plan, Any] = {}

    def get(self, request: Request, plan: Plan, build: Callable[[], Any]) -> Any:
        """Return what was built for this request and plan; discard what was built for another request."""
        if request != self._request:
            self._request, self._built = request, {}
        if plan not in self._built:
            self._built[plan] = build()
        return self._built[plan]
