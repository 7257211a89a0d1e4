"""Lives of token buckets (see `limiter_steps` for the words)."""

from __future__ import annotations

from tests.scenarios.row import Row

__all__ = ["ROWS"]

TENTH = "1/10"
MILLISECOND = "1/1000"
NANOSECOND = "1/1000000000"
TWO = {"rate": 10, "capacity": 2}
THREE = {"rate": 10, "capacity": 3}
ONE = {"rate": 1, "capacity": 1}
SMOOTH = {"rate": 1, "per": 0.5, "capacity": 1}

X_TIME_RATE = [
    Row(
        id="RL01",
        project="x/time/rate",
        options={"rate": 10, "capacity": 1},
        unit=TENTH,
        steps="yes no no @1 yes no no @2 never:2 yes no",
        differs="A cost beyond the capacity is a ValueError.",
    ),
    Row(
        id="RL06",
        project="x/time/rate",
        options=TWO,
        unit=TENTH,
        steps="never:3 yes:2 @1 no:2 wait#r:2=2 no @3 yes",
        differs="As for RL01.",
    ),
    Row(id="RL07", project="x/time/rate", options=TWO, unit=TENTH, steps="yes:2 wait#r:2 @1 cancel#r wait#s:2=2"),
    Row(
        id="RL08",
        project="x/time/rate",
        options=TWO,
        unit=TENTH,
        steps="yes:2 wait#r:2=2 @3 cancel#r tokens:1 wait#s:2=4",
    ),
    Row(
        id="RL09",
        project="x/time/rate",
        options=TWO,
        unit=TENTH,
        steps="yes:2 wait#r:1 wait#s:1=1 cancel#r wait#t:1=2",
        differs="Those behind a waiter that leaves move forward.",
    ),
    Row(
        id="RL10",
        project="x/time/rate",
        options=TWO,
        unit=TENTH,
        steps="yes:2 wait#r:2 wait#s:1=1.5 @1.5! cancel#r @2 wait#t:2=3",
        differs="All that the leaver would have taken is left for those behind.",
    ),
    Row(
        id="RL13",
        project="x/time/rate",
        options=ONE,
        steps="yes wait#w:1=0.01 set:100 wait#v:1=0.02",
    ),
    Row(
        id="RL14",
        project="x/time/rate",
        options={"rate": 5, "capacity": 2},
        unit=TENTH,
        steps="yes:2 wait#r:2=3 @3! set:5,4 wait#s:4=9",
        differs="A level scales with the capacity, so the waiter is served by the change (3 of 4, after 1.5 of 2).",
    ),
    Row(
        id="RL15",
        project="x/time/rate",
        options=TWO,
        unit=TENTH,
        steps="yes:2 wait#a:1<1=1 refuse:1<1~2 wait#b:1<2=2",
    ),
    Row(
        id="RL16",
        project="x/time/rate",
        options=THREE,
        unit=TENTH,
        steps="never:4 yes:2 wait#a:3=2",
        differs="As for RL01; a task that is cancelled before it begins never asks.",
    ),
    Row(
        id="RL18",
        project="x/time/rate",
        options=THREE,
        unit=TENTH,
        steps="yes:2 wait#c:3 @1 cancel#c tokens:2 wait#d:2=1",
    ),
    Row(
        id="RL19",
        project="x/time/rate",
        options={"rate": float("inf")},
        steps="unmade",
        differs="A rate is finite: without a limit there is nothing to guard.",
    ),
    Row(
        id="RL20",
        project="x/time/rate",
        options={"rate": 0, "capacity": 1},
        steps="unmade",
        differs="A rate is more than zero; `pause` stops a bucket.",
    ),
    Row(
        id="RL20",
        project="x/time/rate",
        case="nearly zero",
        options={"rate": 1e-10, "capacity": 1},
        unit=TENTH,
        steps="yes no set:10 wait#a:1=1",
    ),
    Row(id="RL21", project="x/time/rate", options={"rate": 1e-10, "capacity": 1}, steps="yes no refuse:1<1e9~1e10"),
    Row(
        id="RL21",
        project="x/time/rate",
        case="beyond every float",
        options={"rate": 1e-308, "capacity": 1},
        steps="yes no",
    ),
    Row(id="RL22", project="x/time/rate", options={"rate": 1, "capacity": 5}, steps="crowd:15=5 no tokens:0"),
    Row(id="RL24", project="x/time/rate", options={"rate": 0.7692307692307693, "capacity": 1}, steps="yes no"),
]

FAILSAFE_GO = [
    Row(
        id="RL30",
        project="failsafe-go",
        options=SMOOTH,
        unit=MILLISECOND,
        steps="""yes wait#a:1=500 wait#b:1=1000 wait#c:1=1500 wait#d:1=2000 wait#e:1=2500 wait#f:1=3000
                 @800 wait#g:1=3500 wait#h:1=4000 wait#i:1=4500 @2300 wait#j:1=5000
                 @3500 wait#k:1=5500 wait#l:1=6000 wait#m:1=6500 @9100 yes wait#n:1=9600 wait#o:1=10100 @11000 yes""",
        differs="There is no grid: the one wait that is not the same counts from the call, not from a half second.",
    ),
    Row(
        id="RL32",
        project="failsafe-go",
        options={"rate": 1e7, "capacity": 1},
        unit=NANOSECOND,
        steps="yes @150 yes @249 no @250 yes wait#a:1=350",
        differs="There is no grid: a token takes 100 ns from the last one.",
    ),
    Row(
        id="RL34",
        project="failsafe-go",
        options={"rate": 2, "capacity": 2},
        unit=MILLISECOND,
        steps="""yes yes wait#a:1=500 wait#b:1=1000 wait#c:1=1500 wait#d:1=2000 wait#e:1=2500
                 @800 wait#f:1=3000 wait#g:1=3500 wait#h:1=4000 @2300 wait#i:1=4500
                 @3500 wait#j:1=5000 wait#k:1=5500 wait#l:1=6000 @7000 yes tokens:1""",
        differs="Tokens come one by one, not two at each whole second.",
    ),
    Row(
        id="RL36",
        project="failsafe-go",
        case="at once",
        options={"rate": 10, "capacity": 7},
        unit=TENTH,
        steps="yes:7 wait#a:7=7",
    ),
    Row(
        id="RL36",
        project="failsafe-go",
        case="one by one",
        options={"rate": 10, "capacity": 7},
        unit=TENTH,
        steps="yes:7 wait#a:1=1 wait#b:1=2 wait#c:1=3 wait#d:1=4 wait#e:1=5 wait#f:1=6 wait#g:1=7",
    ),
    Row(
        id="RL38",
        project="failsafe-go",
        options={"rate": 10, "capacity": 1},
        unit=MILLISECOND,
        steps="yes wait#a:1 @10 cancel#a wait#b:1=100",
    ),
]

RESILIENCE4J = [
    Row(id="RL40", project="resilience4j", options=ONE, steps="yes no refuse:1<0~1 @1 yes no refuse:1<0~1"),
    Row(
        id="RL42",
        project="resilience4j",
        options={"rate": 3, "per": 0.01},
        unit=NANOSECOND,
        steps="""@1 yes @2 yes @3 yes @4 wait#d:1<12000000=3333335 @5 wait#e:1<12000000=6666668
                 @6 wait#f:1<12000000=10000001 @7 refuse:1<12000000~13333328
                 @8 refuse:1<12000000 @9 refuse:1<12000000""",
        differs="Tokens come one by one, a third of a cycle apart, each at its nanosecond.",
    ),
    Row(id="RL43", project="resilience4j", options=ONE, steps="yes wait#a:1<1 cancel#a tokens:0 wait#b:1<1=1"),
    Row(id="RL44", project="resilience4j", options={"rate": 1, "per": 10}, steps="yes refuse:1<0.3~10"),
    Row(
        id="RL45",
        project="resilience4j",
        options=ONE,
        steps="yes wait#w:1=0.5 set:2,2 @1 tokens:1 yes no",
        differs="The new rate holds at once: the waiter is served after half a second.",
    ),
]

DOTNET = [
    Row(id="RL52", project=".NET", options=ONE, steps="yes wait#a:1 @0.5 cancel#a @1 yes no"),
]

ROWS = [*X_TIME_RATE, *FAILSAFE_GO, *RESILIENCE4J, *DOTNET]
