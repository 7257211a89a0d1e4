"""Both ways of being exact: as this build of Python does it, and with the locks of a build without the GIL."""

from __future__ import annotations

import pytest

from resilience import _gil


@pytest.fixture(params=["as built", "locked"], autouse=False)
def locking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Policies that the test makes itself are made for this build, or for one without the GIL."""
    if request.param == "locked":
        monkeypatch.setattr(_gil, "LOCK_FREE", False)
    return str(request.param)
