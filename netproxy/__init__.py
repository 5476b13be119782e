"""The gateway: policy, protocols and the data plane. Wiring and command line live in `app`."""

# The one place: pyproject.toml reads it from here. importlib.metadata would cost a start 20 ms.
VERSION = "0.1.0"
