"""What other tools make of their own lists, in as few lines as that takes: references for tests.

From their sources and documentation; no address that a name resolves to is looked at.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from netproxy.model import Destination, OnDenial, Protocol, Verdict
from netproxy.policy.addresses import AddressClass, classify
from netproxy.policy.engine import Policy, compile_policy
from netproxy.policy.imports.writing import as_toml
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer
from netproxy.policy.spec import PolicySpec
from tests.support.policies import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netproxy.policy.imports.common import Imported


def policies(imported: Imported) -> dict[str, Policy]:
    """The written file, through our own loader, one policy for each of its profiles."""
    document = load(as_toml(imported), "imported.toml", layer=Layer.USER)
    found = {}
    for name, profile in document.profiles.items():
        assert profile.mode is not None
        assert profile.default is not None
        spec = PolicySpec(
            rules=profile.rules,
            default=profile.default.value,
            mode=profile.mode.value,
            on_denial=OnDenial.CANCEL,
        )
        found[name] = compile_policy(spec, now=0.0)
    return found


def allowed(policy: Policy, asked: Destination) -> bool:
    return policy.judge(asked, "GET", Memory()).verdict is Verdict.ALLOW


def glob_matches(glob: str, host: str) -> bool:
    """`globset` without a separator: `*` and `?` cross dots."""
    return re.fullmatch(_glob_regex(glob), host, re.IGNORECASE | re.DOTALL) is not None


def _glob_regex(glob: str) -> str:
    regex, depth = "", 0
    for mark in glob:
        match mark:
            case "*":
                regex += ".*"
            case "?":
                regex += "."
            case "{":
                regex, depth = f"{regex}(?:", depth + 1
            case "}" if depth:
                regex, depth = f"{regex})", depth - 1
            case "," if depth:
                regex += "|"
            case _:
                regex += re.escape(mark)
    return regex + ")" * depth


def _codex_host(text: str) -> str:
    text = text.strip()
    if text.startswith("[") and "]" in text:
        text = text[1 : text.index("]")]
    elif text.count(":") == 1:
        text = text.split(":")[0]
    return text.lower().rstrip(".")


def _codex_candidates(pattern: str) -> list[str]:
    pattern = pattern.strip()
    for head in ("**.", "*."):
        if pattern.startswith(head):
            rest = _codex_host(pattern.removeprefix(head))
            return [f"?*.{rest}", rest] if head == "**." else [f"?*.{rest}"]
    return ["*" if pattern == "*" else _codex_host(pattern)]


def codex_allows(
    domains: Mapping[str, str], asked: Destination, *, tcp: bool = True, udp: bool = True
) -> bool:
    """One permission profile without hooks and without local binding."""
    carried = {
        Protocol.SOCKS5_TCP: tcp,
        Protocol.SOCKS5_UDP: tcp and udp,
        # A captured connection has no protocol of its own: it is a tunnel.
        Protocol.TCP: tcp and udp,
    }
    hit = {"allow": False, "deny": not carried.get(asked.protocol, True)}
    for pattern, said in domains.items():
        hit[said] |= any(glob_matches(each, asked.host) for each in _codex_candidates(pattern))
    if hit["deny"]:
        return False
    if asked.host == "localhost" or _is_local_literal(asked.host):
        return any(
            said == "allow" and _codex_host(pattern) == asked.host
            for pattern, said in domains.items()
        )
    if asked.host.endswith(".localhost"):  # resolves to loopback
        return False
    return hit["allow"]


def srt_allows(network: Mapping[str, Any], asked: Destination) -> bool:
    """Without a callback to ask."""
    if asked.protocol in {Protocol.SOCKS5_UDP, Protocol.TCP}:
        return False
    entries: Sequence[str] = network["allowedDomains"]
    if not all(map(_srt_takes, entries)):  # such an entry and the whole file with it
        entries = [entry for entry in entries if _srt_takes(entry)]
    if any(_srt_matches(entry, asked) for entry in network["deniedDomains"]):
        return False
    return any(_srt_matches(entry, asked) for entry in entries)


def _srt_split(entry: str) -> tuple[str, int | None]:
    port = re.search(r":([1-9][0-9]{0,4})$", entry)
    if entry.startswith("[") and ":" in entry.partition("]")[0]:
        inside = entry[1 : entry.index("]")]
        rest = entry[entry.index("]") + 1 :]
        return inside.lower(), int(rest[1:]) if re.fullmatch(r":[1-9][0-9]{0,4}", rest) else None
    if port and entry.count(":") == 1:
        return entry[: port.start()].lower(), int(port[1])
    return entry.lower(), None


def _srt_takes(entry: str) -> bool:
    host, _ = _srt_split(entry)
    if host == "localhost" or ":" in host:
        return True
    labels = host.removeprefix("*.").split(".")
    return len(labels) > 1 and all(labels) and "*" not in host.removeprefix("*.")


def _srt_matches(entry: str, asked: Destination) -> bool:
    host, port = _srt_split(entry)
    if port not in {None, asked.port}:
        return False
    if host.startswith("*."):
        return not _is_literal(asked.host) and asked.host.endswith(host[1:])
    return host in {"*", asked.host}


def smokescreen_allows(acl: Mapping[str, Any], service: str, asked: Destination) -> bool:
    """Its list and what its address check then says of literals and of loopback."""
    if asked.protocol not in {Protocol.HTTP, Protocol.HTTPS} or _is_local_literal(asked.host):
        return False
    if asked.host == "localhost" or asked.host.endswith(".localhost"):
        return False
    named = [each for each in acl["services"] if each["name"] == service]
    rule = named[0] if named else acl["default"]
    if any(_smokescreen_matches(g, asked.host) for g in rule.get("allowed_domains") or ()):
        return True
    if any(_smokescreen_matches(g, asked.host) for g in acl.get("global_deny_list") or ()):
        return False
    if any(_smokescreen_matches(g, asked.host) for g in acl.get("global_allow_list") or ()):
        return True
    return rule["action"] in {"open", "report"}


def _smokescreen_matches(glob: str, host: str) -> bool:
    base = glob.removeprefix("*.").lower().rstrip(".")
    return host.endswith(f".{base}") if glob.startswith("*.") else host == base


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_local_literal(host: str) -> bool:
    return _is_literal(host) and classify(host) is not AddressClass.PUBLIC
