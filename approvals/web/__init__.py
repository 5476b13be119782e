"""The web inbox: pages on which reviewers answer, for a browser with or without JavaScript."""
