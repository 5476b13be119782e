"""Who can be asked: implementations of `approvals.ports.Reviewer`."""
