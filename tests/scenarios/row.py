"""One scenario: where it comes from, what is set up, and what happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

__all__ = ["Row", "misread"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A life of one policy.

    Attributes:
        id: Its number in the catalogue (`catalogue.py`).
        project: Where the behaviour was seen.
        options: What the policy is made with.
        steps: What happens and what is then so, in the words of `breaker_steps` or `limiter_steps`.
        case: What tells several rows of one number apart.
        differs: How this library differs from that project, on purpose; empty where they agree.
        unit: Seconds that one unit of time in `steps` stands for.
    """

    id: str
    project: str
    options: dict[str, Any] = field(default_factory=dict)
    steps: str
    case: str = ""
    differs: str = ""
    unit: str = "1"

    @property
    def title(self) -> str:
        """What a test of it is called."""
        return " ".join(filter(None, (self.id, self.project, self.case)))


def misread(word: str) -> NoReturn:
    """Stop at a step that nobody understands."""
    message = f"no step reads {word!r}"
    raise ValueError(message)
