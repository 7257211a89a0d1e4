"""A core made safe to share: with a lock, a clock, and events on their way to listeners."""
