"""The account of a test process on the servers of the suite's own: an access key, and the clock that goes with it."""

from __future__ import annotations

import os
import time
import uuid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class FreshAccount:
    """Signed in when the first server is started; the servers' clocks follow its own."""

    def __init__(self, counterpart: Callable[[str], Any]) -> None:
        self._counterpart = counterpart
        self._servers: dict[str, Any] = {}
        self.identity = f"AKIDportable-role-{uuid.uuid4().hex[:8]}"
        self.ahead = 0.0

    def server(self, name: str) -> Any:
        """Return the running server of this name: `cos`, `cmq`."""
        if name not in self._servers:
            self._servers[name] = self._counterpart(name).start()
            self._sign_in()
            self.steer(name, "clock", key=self.identity, ahead=str(self.ahead))
        return self._servers[name]

    def steer(self, name: str, command: str, **parameters: str) -> Any:
        return self._counterpart(name).steer(self.server(name), command, **parameters)

    def clock(self) -> float:
        return time.time() + self.ahead

    def set_clock(self, ahead: float) -> None:
        if ahead != self.ahead:
            self.ahead = ahead
            for name in self._servers:
                self.steer(name, "clock", key=self.identity, ahead=str(ahead))

    def _sign_in(self) -> None:
        """Set what SCF sets for a function with a role."""
        account = self._counterpart("_tencent_accounts").account_of(self.identity)
        os.environ["TENCENTCLOUD_SECRETID"] = self.identity
        os.environ["TENCENTCLOUD_SECRETKEY"] = account.key
        os.environ["TENCENTCLOUD_SESSIONTOKEN"] = account.token
