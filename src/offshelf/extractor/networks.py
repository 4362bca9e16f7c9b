"""Networks that stay built from one extraction to the next."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from offshelf.extractor.plan import Plan
from offshelf.extractor.request import Request


class Networks:
    """Holds the network of the last request, for whoever extracts with it image by image, as a server does."""

    def __init__(self) -> None:
        self.lock = Lock()
        """To be held while a network works: what it taps is kept in it."""
        self._request: Request | None = None
        self._built: dict[Plan, Any] = {}

    def get(self, request: Request, plan: Plan, build: Callable[[], Any]) -> Any:
        """What was built for this request and plan; what was built for another request is let go."""
        if request != self._request:
            self._request, self._built = request, {}
        if plan not in self._built:
            self._built[plan] = build()
        return self._built[plan]
