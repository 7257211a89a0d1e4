"""Whether this build of Python runs one thread's bytecode at a time, which the lock-free paths rely on."""

from __future__ import annotations

import sys

__all__ = ["LOCK_FREE"]

LOCK_FREE: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
"""False in a process without the GIL: every policy made then takes its lock where others would not."""
