"""What several processes measured, put together and judged."""

import statistics
from typing import Any

from benchmarks.row import OURS

__all__ = ["MISS", "NOT_MEASURED", "judged", "verdict"]

PASS, NOISE, MISS, NOT_MEASURED = "pass", "pass (noise)", "MISS", "not measured"

Result = dict[str, Any]


def verdict(result: Result) -> str:
    """Whether this library's value reaches the bar; empty when there is none."""
    limit, value = result["bar"], result["values"].get(OURS)
    if limit is None:
        return ""
    if value is None:
        return NOT_MEASURED
    if result["higher_is_better"]:
        return PASS if value >= limit else NOISE if value >= limit * (1 - result["tolerance"]) else MISS
    return PASS if value <= limit else NOISE if value <= limit * (1 + result["tolerance"]) else MISS


def judged(results: list[Result]) -> Result:
    """One row's results of several processes, as one.

    Each candidate's value is the median of its values: each of those is a ratio within one process, where candidate
    and reference took turns.

    Args:
        results: The same row's, one of each process that ran it.
    """
    whole = results[0] | {
        key: {name: _median(results, key, name) for name in results[0][key]} for key in ("values", "nanoseconds")
    }
    found = [result["values"][OURS] for result in results if OURS in result["values"]]
    noises = [result["noise"] for result in results if result["noise"] is not None]
    values = whole["values"]
    peers = {name: value for name, value in values.items() if name != OURS}
    best = max if whole["higher_is_better"] else min
    return whole | {
        "verdict": verdict(whole),
        "ours": values.get(OURS),
        "spread": [min(found), max(found)] if len(found) > 1 else None,
        "noise": max(noises) if noises else None,
        "best_peer": best(peers, key=peers.__getitem__) if peers else None,
        "processes": len(results),
    }


def _median(results: list[Result], key: str, name: str) -> float:
    return float(statistics.median(result[key][name] for result in results if name in result[key]))
