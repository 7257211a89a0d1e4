"""Runs the faults found in other libraries against them and against this one, side by side.

``python -m benchmarks.peers`` prints a table and writes it to ``benchmarks/PEERS.md``; it ends non-zero when
this library fails a row. A peer that is not installed is named as such, and never held to be sound.
"""

__all__: list[str] = []
