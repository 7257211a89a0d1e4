"""One half-open round, exhaustively: it ends as soon as no verdict still to come could change how, not before (B4)."""

from __future__ import annotations

from itertools import product

import pytest

from resilience._core.half_open import Round

RATES = (None, 0.2, 0.25, 1 / 3, 0.4, 0.5, 0.6, 2 / 3, 0.75, 1.0)
VERDICTS = tuple(product((False, True), repeat=2))
"""Whether a probe failed, and whether it was slow."""


def bad_end(bad: list[bool], rate: float | None) -> bool:
    """Whether a round with these verdicts, all of them, reopens the circuit: at one failure, or at a share."""
    return any(bad) if rate is None else sum(bad) / len(bad) >= rate


def certain(size: int, bad: list[bool], rate: float | None) -> bool | None:
    """True to close, False to reopen, whatever the missing verdicts are; None while both may be."""
    missing = size - len(bad)
    ends = {bad_end([*bad, *rest], rate) for rest in ([False] * missing, [True] * missing)}
    return None if len(ends) == 2 else ends == {False}


@pytest.mark.parametrize("size", range(1, 6))
def test_a_round_is_decided_as_soon_as_it_is_certain(size: int) -> None:
    """For every sequence of verdicts, every rate and every rate of slow probes."""
    rates = RATES if size < 5 else (None, 0.2, 0.4, 0.5, 0.6, 1.0)
    for rate, slow_rate, verdicts in product(rates, rates, product(VERDICTS, repeat=size)):
        current = Round(size, 10, rate=rate, slow_rate=slow_rate)
        for number in range(1, size + 1):
            failed, slow = zip(*verdicts[:number], strict=True)
            fates = [certain(size, list(failed), rate)]
            if slow_rate is not None:
                fates.append(certain(size, list(slow), slow_rate))
            expected = False if False in fates else None if None in fates else True
            probe = current.issue(number)
            assert probe is not None
            assert expected == current.settle(probe, failed=failed[-1], slow=slow[-1])
            if expected is not None:
                break
        else:
            pytest.fail("all probes have come back, and nothing is certain")


@pytest.mark.parametrize("size", range(1, 6))
def test_slots_are_those_of_running_and_settled_probes(size: int) -> None:
    """Never more than so many probes run and have settled; a verdict keeps its slot, nothing gives it back."""
    current = Round(size, 10, rate=1.0, slow_rate=None)
    probes = [current.issue(at) for at in range(size)]
    assert None not in probes
    assert current.issue(size) is None

    current.give_back(probes[0])
    assert current.earliest_deadline() == (11 if size > 1 else None)
    latest = current.issue(size)
    assert latest is not None
    assert current.issue(size) is None

    current.settle(latest, failed=True, slow=False)
    assert current.issue(size) is None
