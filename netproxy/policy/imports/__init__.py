"""Other tools' allow and deny lists, read as rules of ours that never allow more than theirs."""
