"""Signed webhooks: questions go out, decisions come back (Standard Webhooks 1.0.0)."""
