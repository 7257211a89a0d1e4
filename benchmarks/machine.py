"""The machine that a run was made on."""

import os
import platform
from pathlib import Path
from typing import Any

__all__ = ["machine"]


def machine() -> dict[str, Any]:
    """The processor and the system, by model only."""
    model = platform.processor() or platform.machine()
    source = Path("/proc/cpuinfo")
    if source.exists():
        for line in source.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {"model": model, "cores": os.cpu_count(), "system": platform.system()}
