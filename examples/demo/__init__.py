"""Guarded clients against a real HTTP service that is made slow, erroring, hung, dead and well again.

Run it with `make demo` or `python -m examples.demo`. One file a noun:

========== ==============================================================================
settings   the numbers of a run, all derived from how long it may last
ticket     what each call carries: number, admission instant, generation of the circuit
service    the program of the second process, an HTTP service with a limit and a log
process    that process as its parent holds it: start, stop, continue, kill
guards     the one breaker and the one bucket, sound or sabotaged
tally      what the clients counted, for the timeline
clients    guarded functions in threads and guarded coroutines in tasks
chaos      the faults, when they begin and end
timeline   the live view
ledger     the service's log and the circuit's transitions, read back
verdict    the promises, judged by the ledger
========== ==============================================================================
"""

__all__: list[str] = []
