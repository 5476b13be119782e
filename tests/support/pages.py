"""What a browser would see in a page of HTML."""

from __future__ import annotations

from html.parser import HTMLParser

# All that may lead elsewhere, run, or carry style past the style sheet's hash.
_LEADS = frozenset(
    (
        "href",
        "src",
        "srcset",
        "action",
        "formaction",
        "data",
        "style",
        "poster",
        "xlink:href",
        "ping",
    )
)


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.leads: list[tuple[str, str | None]] = []
        self.text = ""
        self.comments: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.leads += [(name, value) for name, value in attrs if name in _LEADS]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


TAGS = frozenset(
    (
        "html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer",
        "h1", "h2", "p", "strong", "span", "br", "code", "div", "dl", "dt", "dd", "table", "thead",
        "tbody", "tr", "th", "td", "svg", "g", "rect", "line", "text",
    )
)  # fmt: skip


def assert_inert(text: str) -> Page:
    """Nothing in it runs, loads or leads anywhere; it has no tag that the report doesn't use."""
    page = Page(text)
    assert page.tags <= TAGS
    assert page.leads == []
    assert page.comments == []
    assert [name for name in page.attributes if name.startswith("on")] == []
    assert "url(" not in text
    assert "@import" not in text
    return page
