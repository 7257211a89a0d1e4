"""The only place that calls the user's function: each shell written once, as plain Python around `call`."""
