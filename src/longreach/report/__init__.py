"""Tables and pictures out of run records."""
