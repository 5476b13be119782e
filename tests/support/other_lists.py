"""Hypothesis strategies for other tools' entries, and the destinations that these may meet."""

from __future__ import annotations

from hypothesis import strategies as st

from netproxy.model import Destination, Protocol

_bases = st.sampled_from(
    ["example.org", "a.example.org", "co.uk", "b.co.uk", "org", "github.io", "example"]
)
_heads = st.sampled_from(
    ["", "", "a.", "b.a.", "*.", "**.", "*", "a*.", "*a.", "a.*.", "?.", "{a,b}.", "[ab].", "*.a*."]
)
_names = st.builds(lambda head, base: f"{head}{base}", _heads, _bases)
_odd = st.sampled_from(
    [
        "*", "**", "", ".", "*.", "localhost", "LOCALHOST.", "x.localhost", "*.localhost",
        "a.local", "*.internal", "metadata.google.internal", "127.0.0.1", "10.0.0.1", "8.8.8.8",
        "*.8.8", "::1", "[::1]", "2606:4700::1", "2606:4700:0::1", "::ffff:8.8.8.8", "fe80::1%eth0",
        "10.0.0.0/8", "8.8.8.0/24", "2130706433", "0x7f.1", "xn--mnchen-3ya.example.org",
        "m\u00fcnchen.example.org", "*.m\u00fcnchen.example.org", "a_b.example.org",
        "-a.example.org", "A.Example.Org", " a.example.org ", "a.example.org.", "a.example.org..",
        "http://a.example.org", "a.example.org/path", "a\n.example.org", 'a".example.org',
        "a.example.org\u202e", "example.*",
    ]
)  # fmt: skip
_ports = st.sampled_from(["", "", "", ":443", ":22", ":0", ":99999", ":x", ":*"])

entries: st.SearchStrategy[str] = st.builds(
    lambda host, port: f"{host}{port}", st.one_of(_names, _names, _names, _odd), _ports
)
lists = st.lists(entries, max_size=6)
HOSTS = (
    "example.org", "a.example.org", "b.a.example.org", "a.b.example.org", "ab.example.org",
    "ba.example.org", "a.x.example.org", "b.co.uk", "a.b.co.uk", "co.uk", "a.github.io",
    "example", "a.example", "localhost", "x.localhost", "a.local", "x.internal",
    "metadata.google.internal", "127.0.0.1", "10.0.0.1", "10.0.0.2", "8.8.8.8", "8.8.8.9",
    "::1", "2606:4700::1", "fe80::1", "xn--mnchen-3ya.example.org", "a_b.example.org",
    "a.xn--mnchen-3ya.example.org", "evil.net",
)  # fmt: skip
# Each that a pattern above may meet, on a port in the default of an allow and on one that is not.
DESTINATIONS = [
    Destination(host=host, port=port, protocol=protocol)
    for host in HOSTS
    for port in (22, 443)
    for protocol in Protocol
]
