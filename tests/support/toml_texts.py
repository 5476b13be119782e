"""Hypothesis strategies for texts that look like settings files, and now and then are one."""

from __future__ import annotations

from hypothesis import strategies as st

keys = st.sampled_from(
    ["profiles", "dev", "network", "allow", "deny", "rules", "bundles", "a", "mode", "host"]
)
leaves = st.one_of(
    st.sampled_from(['"@a"', '"a.test:443"', '"*.com"', '"full"', '""', '"\\u001b"', "'''\n'''"]),
    st.sampled_from(["1", "-0.0", "nan", "inf", "true", "1979-05-27", "07:32:00", "0xff", "1e400"]),
)
nested = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(keys, inner, max_size=3).map(
            lambda items: "{ " + ", ".join(f"{key} = {item}" for key, item in items.items()) + " }"
        )
    ),
    max_leaves=8,
)
statements = st.one_of(
    st.lists(keys, min_size=1, max_size=4).map(lambda path: f"[{'.'.join(path)}]"),
    st.lists(keys, min_size=1, max_size=4).map(lambda path: f"[[{'.'.join(path)}]]"),
    st.builds(
        lambda path, value: f"{'.'.join(path)} = {value}",
        st.lists(keys, min_size=1, max_size=4),
        nested,
    ),
)
# The pieces that a whole file is made of, so that some of them are good.
_good = st.sampled_from(
    [
        'default_profile = "dev"',
        "[profiles.dev.network]",
        'mode = "limited"',
        'allow = ["a.test:443", "**.b.test", "[2001:db8::/32]:22"]',
        "[[profiles.dev.network.rules]]",
        'host = "a.test"\nverdict = "deny"',
        'ports = [443, "80-90", "*"]',
        "expires = 2030-01-01",
        'methods = ["GET"]\nheaders = { x-team = "a*" }',
        "[resolver]",
        'hosts = { "a.test" = "10.0.0.1", "b.test" = ["::1"] }',
        "timeout_seconds = 3",
        '[bundles]\na = ["b.test"]',
    ]
)
files = st.lists(statements | _good, max_size=7).map("\n".join)
