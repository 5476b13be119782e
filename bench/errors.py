"""What ends a benchmark: its figures would be wrong, so it prints none."""


class BenchFailed(Exception):
    """A peer or a client failed. The message is all that is shown."""
