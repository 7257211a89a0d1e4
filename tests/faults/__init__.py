"""Faults found in other libraries: a test's name says the fault, its docstring what holds here, and who has it."""
