"""Questions to reviewers about destinations, their lifecycle, and the grants they leave behind."""
