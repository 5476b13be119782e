"""Settings, wiring and command line: knows everybody, decides nothing."""
