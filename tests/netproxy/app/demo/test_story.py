"""The demo's printer: what is typed can be typed, and nothing false is printed."""

from __future__ import annotations

import io
import shlex

import pytest

from netproxy.app.demo.story import LOCAL, ClaimFailed, Story

COLUMNS = 80


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def story(stream: io.StringIO) -> Story:
    return Story(stream, colours=False, columns=COLUMNS)


def test_a_true_claim_is_printed(story: Story, stream: io.StringIO) -> None:
    story.claim("two is even", holds=True)
    assert stream.getvalue() == "  ok  two is even\n"


def test_a_false_claim_is_not_printed_but_raised(story: Story, stream: io.StringIO) -> None:
    with pytest.raises(ClaimFailed, match="two is odd"):
        story.claim("two is odd", holds=False)
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "words",
    [
        ("netproxy", "run", "--", "sh", "-c", "echo 'a b' \"$HOME\"; true"),
        ("netproxy", "run", LOCAL, *("--allow", "a.test") * 9, "--", "curl", "http://a.test/?*"),
    ],
    ids=["quoted", "long"],
)
def test_what_is_shown_as_typed_is_what_a_shell_reads(
    story: Story, stream: io.StringIO, words: tuple[str, ...]
) -> None:
    story.typed(words)
    shown = stream.getvalue().strip().removeprefix("$ ")
    # Unlike shlex, a shell takes a backslash and the end of the line away together.
    assert shlex.split(shown.replace("\\\n", "")) == list(words)
    assert all(len(line) <= COLUMNS for line in shown.splitlines())


def test_a_variable_is_what_a_shell_reads(story: Story, stream: io.StringIO) -> None:
    words = ("--resolve", "a.test=127.0.0.1") * 4
    story.defined("LOCAL", words)
    (definition,) = shlex.split(stream.getvalue().strip().removeprefix("$ "))
    assert definition.removeprefix("LOCAL=").split() == list(words)


def test_output_keeps_its_text_when_it_is_wrapped(story: Story, stream: io.StringIO) -> None:
    text = '{"one":"' + "x" * 100 + '","two":"' + "y" * 30 + '","three":3}'
    story.shown(text)
    shown = stream.getvalue().replace("  │   ", "").replace("  │ ", "").replace("\n", "")
    assert shown == text
    assert all(len(line) <= COLUMNS for line in stream.getvalue().splitlines())


def test_colours_only_where_wanted(stream: io.StringIO) -> None:
    Story(stream, colours=True, columns=COLUMNS).claim("it is", holds=True)
    assert "\x1b[32mok\x1b[0m" in stream.getvalue()
