"""What is said of capture."""

from __future__ import annotations

from sandbox.capture import loopback_names, said, unavailable


def test_the_record_says_whether_and_why_not() -> None:
    assert said(is_on=True, why_not=None) == "on"
    assert said(is_on=False, why_not=None) == "off"
    assert said(is_on=False, why_not="the kernel can't") == "off: the kernel can't"


def test_a_run_that_needs_it_is_told_what_to_type() -> None:
    refusal = unavailable("the kernel can't redirect connections: Operation not supported")

    assert "the kernel can't redirect connections" in refusal.cause
    assert "modprobe -a nf_tables" in refusal.fix


def test_of_the_hosts_names_only_the_loopbacks_are_kept() -> None:
    hosts = b"""# names
127.0.0.1\tlocalhost
127.0.1.1 build.lan build # ours
::1 localhost ip6-localhost
fe00::0 ip6-localnet

10.1.2.3 db.lan
93.184.215.14 127.example.org
#127.0.0.2 gone
"""
    assert loopback_names(hosts).decode().splitlines() == [
        "127.0.0.1\tlocalhost",
        "127.0.1.1 build.lan build # ours",
        "::1 localhost ip6-localhost",
    ]
