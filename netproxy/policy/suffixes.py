"""Public suffixes: names below which anybody may register, so a wildcard there means everybody.

Every single label counts, and this short list of the busiest two-label ICANN suffixes. It is a part
of the Public Suffix List only; the policy issue (3) replaces it by the whole list.
"""

from __future__ import annotations

_TWO_LABELS = frozenset(
    f"{second}.{country}"
    for country, seconds in {
        "ar": "com edu gob net org",
        "au": "asn com edu gov id net org",
        "bd": "com edu gov net org",
        "br": "app art blog com dev eco edu gov net org",
        "cn": "ac com edu gov net org",
        "co": "com edu gov net nom org",
        "cr": "co fi or",
        "eg": "com edu gov net org",
        "es": "com edu gob nom org",
        "fr": "asso com gouv nom",
        "gr": "com edu gov net org",
        "hk": "com edu gov idv net org",
        "hu": "co info org",
        "id": "ac co go my net or web",
        "il": "ac co gov muni net org",
        "in": "ac co edu firm gen gov ind net org res",
        "it": "edu gov",
        "jp": "ac ad co ed go gr lg ne or",
        "ke": "ac co go ne or",
        "kr": "ac co go ne or pe re",
        "ma": "ac co gov net org",
        "mx": "com edu gob net org",
        "my": "com edu gov net org",
        "ng": "com edu gov net org",
        "nz": "ac co geek gen govt iwi net org school",
        "pe": "com edu gob net org",
        "ph": "com edu gov net org",
        "pk": "com edu gov net org",
        "pl": "com edu gov info net org",
        "pt": "com edu gov org",
        "ro": "com info org",
        "rs": "ac co edu gov in org",
        "ru": "ac edu gov int mil",
        "sa": "com edu gov net org",
        "sg": "com edu gov net org per",
        "th": "ac co go in net or",
        "tr": "av bel com edu gen gov info net org web",
        "tw": "club com edu gov idv net org",
        "ua": "com edu gov in net org",
        "uk": "ac co gov ltd me net nhs org plc police sch",
        "ve": "co com edu gob net org",
        "vn": "ac com edu gov net org",
        "za": "ac co edu gov net org web",
    }.items()
    for second in seconds.split()
)


def is_public_suffix(domain: str) -> bool:
    """Tell whether strangers hold names directly below this canonical name."""
    return "." not in domain or domain in _TWO_LABELS
