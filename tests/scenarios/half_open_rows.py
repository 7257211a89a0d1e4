"""Lives of circuit breakers: half-open, and what comes back late (see `breaker_steps` for the words)."""

from __future__ import annotations

from tests.scenarios.breaker_rows import R4J
from tests.scenarios.row import Row

__all__ = ["ROWS"]

ONE = {"failure_threshold": 1, "recovery_timeout": 10}
TWO = {"failure_threshold": 2, "recovery_timeout": 10}
TEN_PROBES = {"failure_rate": 0.4, "minimum_calls": 5, "recovery_timeout": 10, "probes": 10}
TRIP = "fail*5 is:open +5 "

GOBREAKER = [
    Row(
        id="CB05",
        project="gobreaker",
        options=ONE | {"probes": 3},
        steps="fail +10 ok*2 is:half_open start#3 running:1 refused ok#3 is:closed",
    ),
    Row(
        id="CB07",
        project="gobreaker",
        options=ONE | {"probes": 2},
        steps="""fail +10 start#1 start#2 running:2 refused ignored#1 ignored#2 running:0 is:half_open
                 ok is:half_open fail is:open""",
    ),
    Row(
        id="CB09",
        project="gobreaker",
        options=TWO,
        steps="start#slow fail*2 is:open +12 is:open start#p is:half_open ok#slow is:half_open stale:1 ok#p is:closed",
        differs="Half-open begins with the first call after the recovery time.",
    ),
    Row(
        id="CB10",
        project="gobreaker",
        options=ONE | {"probe_timeout": 5},
        steps="""fail +10 start#1 is:half_open refused:5 +4 refused:1 +1 refused:10 is:open
                 +10 ok is:closed ok#1 is:closed stale:1""",
    ),
]

FAILSAFE_GO = [
    Row(
        id="CB16",
        project="failsafe-go",
        options=TWO | {"probes": 3},
        steps="fail*2 +10 ok is:half_open ok is:half_open fail is:open",
    ),
    Row(
        id="CB18",
        project="failsafe-go",
        options={"failure_rate": 0.5, "minimum_calls": 2, "recovery_timeout": 10, "probes": 4},
        steps="fail*2 +10 ok*2 is:half_open fail is:half_open ok is:closed",
    ),
    Row(
        id="CB20",
        project="failsafe-go",
        options={"failure_threshold": 3, "recovery_timeout": 10},
        steps="fail*3 +10 fail is:open +10 ok is:closed",
        differs="In consecutive mode the first failed probe reopens; the failure threshold is for the closed state.",
    ),
    Row(
        id="CB26",
        project="failsafe-go",
        options=ONE | {"probes": 2},
        steps="""start#old fail is:open +12 start#1 start#2 refused ok#old stale:1 refused is:half_open
                 ok#1 is:half_open ok#2 is:closed""",
    ),
    Row(
        id="CB28",
        project="failsafe-go",
        options=ONE,
        steps="fail +10 aborted is:half_open running:0 start#a refused ok#a is:closed",
    ),
]

RESILIENCE4J = [
    Row(
        id="CB37",
        project="resilience4j",
        options=R4J,
        steps=TRIP + "fail is:half_open fail is:open heard:2_of_4",
        differs="Decided as soon as it is certain: two of four are half already.",
    ),
    Row(
        id="CB38",
        project="resilience4j",
        options=R4J,
        steps=TRIP + "fail ok*2 is:half_open ok is:closed window:0/0",
    ),
    Row(
        id="CB40",
        project="resilience4j",
        options=R4J,
        steps=TRIP
        + """start#1 start#2 start#3 start#4 refused ignored#1 start#5 refused fail#2 is:half_open fail#3 is:open
             +5 start#a start#b start#c start#d refused running:4 ignored#4 ignored#5 running:4 refused""",
    ),
    Row(
        id="CB41",
        project="resilience4j",
        options=R4J,
        steps=TRIP + "ok*2 is:half_open ignored is:half_open running:0 fail is:half_open ok is:closed",
        differs="A third success would close at once, so the failure comes before it.",
    ),
    Row(
        id="CB42",
        project="resilience4j",
        options=R4J,
        steps=TRIP + "ignored*4 is:half_open ok*4 is:closed window:1/0",
        differs="Closed by the third success: three of four are certain to be enough.",
    ),
    Row(
        id="CB43",
        project="resilience4j",
        options=R4J,
        steps=TRIP
        + "start#1 start#2 start#3 start#4 +0.5 refused:0.5 +0.5 refused:5 is:open opened:2 +5 start#p is:half_open",
        differs="The limit is each probe's, and starts with it.",
    ),
    Row(
        id="CB49",
        project="resilience4j",
        options=ONE | {"recovery_timeout": 5},
        steps="start#a fail +5.001 start#p refused ignored#a refused running:1",
    ),
    Row(
        id="CB50",
        project="resilience4j",
        options=ONE,
        steps="fail +10 cancelled is:half_open running:0 start#p refused ok#p is:closed",
    ),
]

POLLY = [
    Row(
        id="CB67",
        project="Polly",
        options=ONE,
        steps="fail +10 start#1 refused cancelled#1 is:half_open running:0 start#2 is:half_open refused",
    ),
    Row(
        id="CB68",
        project="Polly",
        options=ONE,
        steps="fail +10 start#p refused:30 last:Down",
        differs="The type of the last failure is remembered, not the error: it would keep its frames alive.",
    ),
    Row(
        id="CB71",
        project="Polly",
        options=TWO,
        steps="""start#a start#b fail*2 +10 start#p ok#a is:half_open fail#b is:half_open stale:2 refused
                 ok#p is:closed row:0""",
    ),
]

COCKATIEL = [
    Row(
        id="CB80",
        project="cockatiel",
        options=TEN_PROBES,
        steps="fail*5 +10 fail*3 is:half_open ok*6 is:half_open ok is:closed half_opened:1",
        differs="A rate opens when it is reached, not when it is passed: four of ten, not more than three.",
    ),
    Row(
        id="CB81",
        project="cockatiel",
        options=TEN_PROBES,
        steps="fail*5 +10 fail*3 is:half_open fail is:open",
        differs="As for CB80.",
    ),
    Row(
        id="CB82",
        project="cockatiel",
        options=ONE | {"probes": 2},
        steps="fail +10 start#a start#b refused ok#a refused ok#b is:closed ok",
        differs="Callers beyond the probes are rejected; they do not wait for the verdict.",
    ),
]

OPOSSUM = [
    Row(
        id="CB91",
        project="opossum",
        options=ONE,
        steps="fail +10 ignored is:half_open running:0 fail is:open",
    ),
    Row(
        id="CB92",
        project="opossum",
        options=TWO | {"recovery_timeout": 0.05},
        steps="start#slow fail*2 is:open +0.05 start#p is:half_open ok#slow is:half_open refused ok#p is:closed",
    ),
    Row(
        id="CB93",
        project="opossum",
        options={"failure_rate": 0.5, "minimum_calls": 6, "recovery_timeout": 10},
        steps="fail*5 is:closed fail is:open +10 fail is:open",
    ),
]

ROWS = [*GOBREAKER, *FAILSAFE_GO, *RESILIENCE4J, *POLLY, *COCKATIEL, *OPOSSUM]
