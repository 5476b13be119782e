"""Sockets: listeners, lookups, dialling and the relay. It obeys; it decides nothing."""
