"""Audit records: events, the journal that keeps them, and their export."""
