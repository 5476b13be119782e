"""What is said of capture."""

from __future__ import annotations

from sandbox.capture import said, unavailable


def test_the_record_says_whether_and_why_not() -> None:
    assert said(is_on=True, why_not=None) == "on"
    assert said(is_on=False, why_not=None) == "off"
    assert said(is_on=False, why_not="the kernel can't") == "off: the kernel can't"


def test_a_run_that_needs_it_is_told_what_to_type() -> None:
    refusal = unavailable("the kernel can't redirect connections: Operation not supported")

    assert "the kernel can't redirect connections" in refusal.cause
    assert "modprobe -a nf_tables" in refusal.fix
