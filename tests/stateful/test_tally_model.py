"""The windows against a list of all verdicts: the last so many, and those of the last so long, in slices."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from resilience._core.permit import CountTally, SliceTally
from tests.stateful.naive_breaker import NaiveBreaker

SPANS = st.sampled_from([1, 7, 100, 250, 12_345, 10**6, 10**9])
HOW_FAR = st.sampled_from(["nothing", "nothing", "a slice", "a slice", "half a slice", "half the span", "the span"])
STEPS = st.tuples(HOW_FAR, st.integers(-1, 1), st.booleans(), st.booleans(), st.booleans())
"""Time that passes, a nanosecond more or less; whether the verdict is a failure, slow, and counted by a shell."""


def naive(**window: Any) -> NaiveBreaker:
    """A breaker that no verdict opens."""
    rules = {"failure_rate": 1.0, "slow_call_rate": None, "failure_threshold": None, "recovery_time": 1, "probes": 1}
    window = {"window_calls": None, "window_span": None} | window
    return NaiveBreaker(0, **rules, minimum_calls=10**9, probe_timeout=1, **window)


@settings(max_examples=max(500, settings.default.max_examples))
@given(span=SPANS, steps=st.lists(STEPS, max_size=60))
def test_a_window_by_seconds_is_that_of_its_slices(span: int, steps: list[tuple[str, int, bool, bool, bool]]) -> None:
    """A slice is a hundredth of the span wide from its first verdict, and goes when that one is as old as the span."""
    lengths = {"nothing": 0, "a slice": -(-span // 100), "half a slice": span // 200, "half the span": span // 2}
    tally, model = SliceTally(span), naive(window_span=span)
    now = 0
    for how_far, more, failed, slow, by_shell in steps:
        now = max(now, now + lengths.get(how_far, span) + more)
        for later in (0, span // 100, span // 2, span - 1, span):
            assert model.counts(now + later) == tally.holds(now + later)
        model.observe(now)
        if by_shell and now / 1e9 < tally.until:
            tally.calls += 1.0
            model.record(None, slow=False)
        else:
            tally.record(failed=failed, slow=slow, now=now)
            model.record("OSError" if failed else None, slow=slow)
        assert model.counts(now) == tally.holds(now)
        assert len(tally._slices) <= 100


@given(size=st.integers(1, 12), verdicts=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=50))
def test_a_window_by_calls_holds_exactly_the_last_ones(size: int, verdicts: list[tuple[bool, bool, bool]]) -> None:
    """The last so many verdicts, whether a shell counted them or not."""
    tally, model = CountTally(size), naive(window_calls=size)
    for failed, slow, by_shell in verdicts:
        if by_shell and tally.counts:
            tally.calls += 1.0
            model.record(None, slow=False)
        else:
            tally.record(failed=failed, slow=slow, now=0)
            model.record("OSError" if failed else None, slow=slow)
        assert model.counts(0) == tally.holds(0)


@given(span=SPANS, window=st.integers(1, 12))
def test_nothing_is_added_to_a_retired_window(span: int, window: int) -> None:
    """A window that is over, and one that wants every call settled, keep shells from counting by themselves."""
    for tally in (SliceTally(span), CountTally(window)):
        tally.record(failed=False, slow=False, now=0)
        tally.retire()
        assert (False, float("-inf")) == (tally.counts, tally.until)
    for tally in (SliceTally(span, counts=False), CountTally(window, counts=False)):
        tally.record(failed=False, slow=False, now=0)
        assert (False, float("-inf")) == (tally.counts, tally.until)


@given(span=st.sampled_from([100, 700, 10**9]), number=st.integers(1, 250))
def test_there_are_never_more_than_a_hundred_slices(span: int, number: int) -> None:
    """With a verdict at the beginning of each slice, the first one goes when the hundred and first begins."""
    tally = SliceTally(span)
    for at in range(number):
        tally.record(failed=True, slow=False, now=at * span // 100)
        assert len(tally._slices) <= 100

    assert (min(number, 100), min(number, 100), 0) == tally.holds((number - 1) * span // 100)
