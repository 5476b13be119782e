"""Absolute paths as text, without links and without a slash at the end. Pure."""

from __future__ import annotations


def is_within(path: str, root: str) -> bool:
    """Whether `path` is `root` or lies below it."""
    return path == root or path.startswith(root.rstrip("/") + "/")
