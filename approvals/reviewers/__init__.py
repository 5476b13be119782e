"""Who answers questions. Each reviewer is a plug-in behind `approvals.ports.Reviewer`."""
