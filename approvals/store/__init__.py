"""Where approvals are kept: implementations of `approvals.ports.Store`."""
