"""Lives of circuit breakers: counting, rates, windows and opening (see `breaker_steps` for the words)."""

from __future__ import annotations

from resilience import exponential, linear
from tests.scenarios.row import Row

__all__ = ["ROWS"]

R4J = {
    "failure_rate": 0.5,
    "slow_call_duration": 4,
    "slow_call_rate": 0.5,
    "window_seconds": 20,
    "minimum_calls": 5,
    "recovery_timeout": 5,
    "probes": 4,
    "probe_timeout": 1,
}
TEN_SECONDS = {"failure_rate": 1.0, "window_seconds": 10, "minimum_calls": 100}
TENTH = {"failure_rate": 0.1, "window_seconds": 10, "minimum_calls": 10}

GOBREAKER = [
    Row(
        id="CB01",
        project="gobreaker",
        options={"failure_threshold": 6, "recovery_timeout": 60},
        steps="fail*5 row:5 is:closed ok row:0 fail*5 is:closed fail is:open refused:60 row:0 window:0/0",
    ),
    Row(
        id="CB08",
        project="gobreaker",
        options={"failure_rate": 0.5, "window_seconds": 30},
        steps="crowd:10x1000:ok,ignored is:closed window:5000/0 rejected:0",
        differs="A neutral outcome is in no count; a tenth of the calls.",
    ),
]

FAILSAFE_GO = [
    Row(
        id="CB12",
        project="failsafe-go",
        steps="fail is:closed fail*3 is:closed fail is:open refused:30",
        differs="Five failures in a row by default, not one.",
    ),
    Row(
        id="CB14",
        project="failsafe-go",
        options={"failure_rate": 2 / 3, "window_calls": 3, "minimum_calls": 3},
        steps="fail ok is:closed fail is:open",
    ),
    Row(
        id="CB15",
        project="failsafe-go",
        options={"failure_rate": 0.75, "window_calls": 4, "minimum_calls": 4},
        steps="ok is:closed fail is:closed " * 20 + "window:4/2",
    ),
    Row(
        id="CB22",
        project="failsafe-go",
        options={
            "failure_rate": 0.6,
            "window_seconds": 0.2,
            "minimum_calls": 3,
            "recovery_timeout": 0.001,
            "probes": 2,
        },
        steps="""fail ok window:2/1 +0.21 window:0/0 fail ok is:closed window:2/1 +0.05 fail is:open
                 +0.001 fail is:half_open fail is:open +0.001 fail is:half_open ok is:closed""",
        differs="A share of the calls stands for a number of failures in a span, which no option gives.",
    ),
    Row(
        id="CB23",
        project="failsafe-go",
        options={
            "failure_rate": 0.5,
            "window_seconds": 0.2,
            "minimum_calls": 3,
            "recovery_timeout": 0.001,
            "probes": 3,
        },
        steps="""fail ok +0.21 window:0/0 fail ok +0.05 ok is:closed window:3/1 fail is:open
                 +0.001 fail is:half_open fail is:open refused:0.001
                 +0.001 fail is:half_open ok is:half_open ok is:closed""",
        differs="Half-open reopens at the second failure of three probes: the third could not change it.",
    ),
    Row(
        id="CB24",
        project="failsafe-go",
        options={"failure_rate": 0.5, "window_calls": 10, "minimum_calls": 10, "recovery_timeout": 1, "probes": 20},
        steps="ok fail ok fail ok fail ok is:closed window:7/3 "
        + "fail ok ok ok " * 3
        + "fail ok ok is:closed window:10/2 fail ok fail fail fail is:open +1 "
        + "fail ok ok " * 5
        + "is:half_open ok is:closed",
        differs="Half-open shows no counts; that ten successes stand is seen from the eleventh, which closes.",
    ),
    Row(
        id="CB25",
        project="failsafe-go",
        options={"failure_threshold": 1, "recovery_timeout": lambda _: 0.1, "probes": 2},
        steps="""wait:none fail refused:0.1 +0.06 refused:0.04 wait:0.04 +0.039999999 refused:0.000000001
                 +0.000000001 ok is:half_open wait:0 ok is:closed wait:none""",
    ),
    Row(
        id="CB27",
        project="failsafe-go",
        options={"failure_rate": 0.5, "window_seconds": 60, "minimum_calls": 1000},
        steps="ok*505 fail*495 window:1000/495 is:closed fail*9 is:closed fail is:open heard:505_of_1010",
    ),
    Row(
        id="CB29",
        project="failsafe-go",
        options={"failure_rate": 0.5, "window_calls": 2, "minimum_calls": 2},
        steps="ok fail is:open heard:1_of_2 window:0/0",
        differs="The event's reason has the counts of the state that ended; a listener that looks sees the new one.",
    ),
]

RESILIENCE4J = [
    Row(
        id="CB31",
        project="resilience4j",
        options=R4J,
        steps="fail*3 is:closed window:3/3 ok*2 is:closed window:5/3 fail is:open refused:5 rejected:1",
        differs="A success never opens a circuit: the next failure does.",
    ),
    Row(
        id="CB34",
        project="resilience4j",
        options=R4J,
        steps="fail*5 refused:5 +3 refused:2 rejected:2 +3 start#p is:half_open window:0/0/0 row:0 rejected:2",
    ),
    Row(
        id="CB36",
        project="resilience4j",
        options={"failure_threshold": 1, "recovery_timeout": exponential(5, factor=1.5)},
        steps="fail +3 refused:2 +3 fail is:open openings:2 +6 refused:1.5 +5 ok is:closed openings:0",
    ),
    Row(
        id="CB45",
        project="resilience4j",
        options={"failure_threshold": 3, "shadow": True},
        steps="fail*3 is:open opened:1 would:0 fail*50 ok is:open opened:1 would:51 rejected:0",
        differs="The state moves as it would; each call that would have been rejected is told.",
    ),
    Row(
        id="CB46",
        project="resilience4j",
        options=R4J,
        steps="force:7200 is:forced_open refused:7200 +3600 refused:3600 +3601 start#p is:half_open",
    ),
    Row(
        id="CB51",
        project="resilience4j",
        options=R4J | {"window_seconds": 5, "slow_call_duration": 0.4},
        steps="""fail +0.1 ok +0.2 fail:0.5 window:3/2/1 +4 window:3/2/1 +0.2 window:2/1/1 +0.1 window:1/1/1
                 +0.7 window:0/0/0""",
        differs="The window slides: each verdict leaves at its own age, not at whole seconds.",
    ),
]

POLLY = [
    Row(
        id="CB61",
        project="Polly",
        options=TEN_SECONDS,
        steps="""fail ok +2 window:2/1 fail ok +2 window:4/2 ok*2 +2 ok*2 +2 window:8/2 ok*2 +2 window:8/1
                 +2 window:6/0""",
    ),
    Row(
        id="CB62",
        project="Polly",
        options=TEN_SECONDS,
        steps="ok +1 " * 10 + "window:9/0 +1 window:8/0",
    ),
    Row(
        id="CB63",
        project="Polly",
        options=TEN_SECONDS,
        steps="ok*2 +9.999999999 window:2/0 +0.000000001 window:0/0",
    ),
    Row(id="CB64", project="Polly", case="0 of 10", options=TENTH, steps="ok*10 is:closed window:10/0"),
    Row(id="CB64", project="Polly", case="1 of 10", options=TENTH, steps="ok*9 is:closed fail is:open"),
    Row(id="CB64", project="Polly", case="2 of 10", options=TENTH, steps="ok*8 fail is:closed fail is:open"),
    Row(
        id="CB64",
        project="Polly",
        case="2 of 11",
        options=TENTH,
        steps="fail ok*9 is:closed fail is:open heard:2_of_11",
        differs="The failure before the last is not judged by the successes that follow.",
    ),
    Row(id="CB64", project="Polly", case="1 of 9", options=TENTH, steps="ok*8 fail is:closed window:9/1"),
    Row(
        id="CB65",
        project="Polly",
        options={"failure_threshold": 1, "recovery_timeout": linear(10)},
        steps="""fail refused:10 +10 fail refused:20 +20 fail refused:30 +30 fail refused:40 +40 fail refused:50 +50 ok
                 is:closed fail refused:10 +10 fail refused:20 +20 fail refused:30""",
        differs="Openings in a row are counted from one.",
    ),
    Row(
        id="CB66",
        project="Polly",
        options={"failure_threshold": 1},
        steps="""start#a start#b force is:forced_open ok#a is:forced_open fail#b is:forced_open refused:none
                 +1e6 refused:none""",
        differs="One order reaches all keys of one breaker; several breakers are given it one by one.",
    ),
    Row(
        id="CB69",
        project="Polly",
        options={"failure_threshold": 1},
        steps="fail fresh:100 rejected:100",
    ),
    Row(
        id="CB70",
        project="Polly",
        options={"failure_threshold": 1, "recovery_timeout": 1e12},
        steps="fail is:open refused:1e12 +1e12 +1 ok is:closed",
    ),
    Row(
        id="CB70",
        project="Polly",
        case="beyond every float",
        options={"failure_threshold": 1, "recovery_timeout": 10**400},
        steps="fail is:open refused:1e15",
        differs="What is longer than 1e15 s is cut to that.",
    ),
    Row(
        id="CB72",
        project="Polly",
        options={"failure_threshold": 1, "recovery_timeout": 10},
        steps="start#a fail +4 fail#a is:open refused:6 opened:1 stale:1 +6 ok is:closed",
    ),
]

COCKATIEL = [
    Row(
        id="CB86",
        project="cockatiel",
        options=TEN_SECONDS,
        steps="fail +1 " * 10 + "window:9/9 +3600 window:0/0 fail window:1/1",
    ),
]

ROWS = [*GOBREAKER, *FAILSAFE_GO, *RESILIENCE4J, *POLLY, *COCKATIEL]
