"""The pytest fixtures; the package itself is imported only by a test that asks for one."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from resilience.testing import FakeClock

__all__ = ["fake_clock", "policies_reset"]


@pytest.fixture
def fake_clock() -> FakeClock:
    """A `FakeClock` at 0 whose sleeps jump."""
    from resilience.testing import FakeClock  # noqa: PLC0415 -- see above

    return FakeClock()


@pytest.fixture
def policies_reset() -> Generator[None]:
    """Every policy as good as new before the test and after it."""
    from resilience.testing import reset_policies  # noqa: PLC0415 -- see above

    reset_policies()
    yield
    reset_policies()
