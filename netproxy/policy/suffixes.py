"""Public suffixes: names below which anybody may register, so a wildcard there means everybody.

The whole Public Suffix List (https://publicsuffix.org/list/), registries and private ones such as
github.io alike, as the locked package ships it. Only its data is used: the package turns every line
into objects on import, which takes ten times as long. Loaded with the first wildcard.
"""

from __future__ import annotations

from functools import cache
from importlib.machinery import ModuleSpec, SourceFileLoader

from netproxy.policy.hosts import is_address, unicode_form

_PACKAGE, _FILE = "publicsuffixlist", "public_suffix_list.dat"


def is_public_suffix(domain: str) -> bool:
    """Tell whether strangers hold names directly below this canonical name."""
    # A top-level domain is one whether the list knows it or not (its rule `*`).
    return "." not in domain or _is_listed(_as_listed(domain))


def registrable_domain(host: str) -> str | None:
    """Return the name below a public suffix that one owner registered, with all that is below it.

    None for an address, and for a public suffix: those have no such owner.
    """
    if is_address(host):
        return None
    labels = host.split(".")
    # From the longest on: the longest rule of the list decides. The last label always is one.
    starts = range(len(labels))
    start = next(each for each in starts if is_public_suffix(".".join(labels[each:])))
    return ".".join(labels[start - 1 :]) if start else None


def _is_listed(domain: bytes) -> bool:
    """Apply the list's three kinds of rules: exceptions, wildcards for one label, exact ones."""
    rules = _rules()
    if b"!" + domain in rules:
        return False
    above = domain.partition(b".")[2]
    # "*.kobe.jp" says by itself that kobe.jp is public, too.
    return bool({domain, b"*." + domain, b"*." + above} & rules)


def _as_listed(domain: str) -> bytes:
    """Return the list's spelling: labels of other scripts are not encoded there."""
    return unicode_form(domain).encode()


@cache
def _rules() -> frozenset[bytes]:
    """Return the lines of the list; comments among them match no name."""
    from importlib.util import find_spec

    match find_spec(_PACKAGE):
        case ModuleSpec(origin=str(origin), loader=SourceFileLoader() as loader):
            folder = origin.removesuffix("__init__.py")
            return frozenset(loader.get_data(folder + _FILE).split(b"\n"))
        case _ as impossible:
            raise AssertionError(impossible)
