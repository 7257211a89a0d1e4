"""What each call carries to the service, for the service to log.

The instant at which a policy admitted a call cannot be seen from outside, but it can be enclosed: *asked_at* is read
just before the guarded function is called and *admitted_at* is the first thing that its body reads. The same goes for
the generation of the circuit. Whatever the scheduler does in between, the truth lies between the two readings, so a
promise judged by them is never found broken by mistake. Both processes read the system's one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Ticket"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One admitted call.

    Args:
        number: From 1, given to each admitted call once.
        asked_at: Monotonic seconds just before the guarded call.
        admitted_at: Monotonic seconds just after admission.
        from_generation: The circuit's generation just before the guarded call.
        generation: The circuit's generation just after admission; of a half-open circuit, this is the round.
    """

    number: int
    asked_at: float
    admitted_at: float
    from_generation: int
    generation: int

    def headers(self) -> dict[str, str]:
        """The ticket as HTTP header fields; the floats survive the journey exactly."""
        return {
            "X-Number": str(self.number),
            "X-Asked-At": repr(self.asked_at),
            "X-Admitted-At": repr(self.admitted_at),
            "X-Generations": f"{self.from_generation}-{self.generation}",
        }

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Ticket:
        """The ticket that *headers* carry.

        Raises:
            KeyError: A field is missing.
            ValueError: A field is malformed.
        """
        first, _, last = headers["X-Generations"].partition("-")
        return cls(
            number=int(headers["X-Number"]),
            asked_at=float(headers["X-Asked-At"]),
            admitted_at=float(headers["X-Admitted-At"]),
            from_generation=int(first),
            generation=int(last),
        )
