"""Programs that show the package at work; run them from the top of the repository."""
