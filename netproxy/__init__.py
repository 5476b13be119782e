"""The gateway: policy, protocols and the data plane. Wiring and command line live in `app`."""
