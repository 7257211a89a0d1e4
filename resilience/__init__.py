"""Resilience for Python services: circuit breakers and rate limits on any callable, sync or async."""

from resilience import events
from resilience._state import State
from resilience.breaker import CircuitBreaker, circuit_breaker
from resilience.clock import Clock, SystemClock

__version__ = "0.1.0"
