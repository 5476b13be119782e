"""The filesystem profiles of a user's file, and which one holds: checked, problems with places.

What a profile means is `sandbox.profile`; nothing here looks at the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.policy.spelling import nearest
from sandbox.errors import ProfileRefused
from sandbox.profile import (
    DEFAULT_PROFILE,
    PLACES,
    Profile,
    check_entry,
    check_name,
    known_profiles,
    lineage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.policy.loader import Document


def own_profiles(document: Document | None, problems: list[str]) -> tuple[Profile, ...]:
    """Read `[sandbox.profiles]`."""
    if document is None or document.sandbox is None:
        return ()
    profiles = tuple(
        Profile(
            name=name,
            extends=table.extends,
            read=tuple(table.read),
            write=tuple(table.write),
            hide=tuple(table.hide),
            scan_depth=table.scan_depth,
        )
        for name, table in document.sandbox.profiles.items()
    )
    problems.extend(_problems(document, profiles))
    return profiles


def profile_in_force(
    document: Document | None,
    flag: str | None,
    profiles: tuple[Profile, ...],
    problems: list[str],
) -> str:
    """Choose between the command line, the file, and what holds without a word."""
    said = document.sandbox.files if document is not None and document.sandbox else None
    chosen = flag or said or DEFAULT_PROFILE
    known = known_profiles(profiles)
    if chosen not in known:
        what = f"there is no profile {chosen}{nearest(chosen, known)}"
        if flag is not None or document is None:
            problems.append(f"--files: {what}")
        else:
            problems.append(document.problem(("sandbox", "files"), what))
    return chosen


def _problems(document: Document, profiles: tuple[Profile, ...]) -> Iterator[str]:
    known = known_profiles(profiles)
    for profile in profiles:
        place = ("sandbox", "profiles", profile.name)
        try:
            check_name(profile.name)
        except ProfileRefused as refused:
            yield document.problem(place, str(refused))
            continue
        try:
            lineage(profile.name, known)
        except ProfileRefused as refused:
            near = nearest(refused.name, known) if refused.name else ""
            yield document.problem((*place, "extends"), f"{refused}{near}")
        for key, texts in (
            ("read", profile.read),
            ("write", profile.write),
            ("hide", profile.hide),
        ):
            for index, text in enumerate(texts):
                try:
                    check_entry(key, text)
                except ProfileRefused as refused:
                    near = nearest(refused.name, PLACES) if refused.name else ""
                    yield document.problem((*place, key, index), f"{refused}{near}")
