"""Pure state machines: time and outcomes come in, decisions go out; no clock, lock, await, log or user call."""
