"""Somebody who can write a copy of the journal changes it: `verify` finds it.

Without the signing key every change of what was signed is found in the copy itself. With a key of
his own, or by a cut at the end, he needs an anchor that he can't write to be found; where that is
so, the test says it. Each test fails when the check that it attacks is taken out.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel import Anchors, Kind, State, Verdict, anchor_lines, keys, read_anchors, verify
from otel.evidence import EvidenceSettings
from otel.folders import segment_name
from tests.support.evidence import (
    hashed_anew,
    lines_of,
    put_lines,
    signed_anew,
    signed_journal,
)
from tests.support.journals import segment_of, write_journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    type Files = list[list[bytes]]  # the lines of each segment

KEPT = EvidenceSettings(segment_bytes=9000)
EXAMPLES = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


class Copy:
    """A copied journal of one writer, without what was remembered beside it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.writer = signed_journal(directory, 20, settings=KEPT, every=4)
        signed_journal(directory, 3, settings=KEPT)
        self.heads = directory / "heads"
        self.anchors = read_anchors(
            (line.encode() for line in anchor_lines(directory, print)), "anchor"
        )
        self.files = self._read()
        self.count = sum(map(len, self.files))
        self.public = keys.public_keys(directory)
        self.heads.rename(directory / "set-aside")

    def judge(self, files: Files, anchors: Anchors | None = None) -> Verdict:
        """The verdict on these files in place of the others."""
        for old in (self.directory / self.writer).glob("*.jsonl"):
            old.unlink()
        for number, lines in enumerate(files, 1):
            put_lines_at(self.directory, self.writer, lines, number)
        (verdict,) = verify(self.directory, anchors=anchors)
        return verdict

    def flat(self) -> list[bytes]:
        return [line for lines in self.files for line in lines]

    def split(self, lines: list[bytes]) -> Files:
        """Over as many segments as there were."""
        sizes = [len(part) for part in self.files[:-1]]
        files: Files = []
        for size in sizes:
            files.append(lines[:size])
            lines = lines[size:]
        return [*files, lines]

    def _read(self) -> Files:
        paths = sorted((self.directory / self.writer).glob("*.jsonl"))
        return [lines_of(self.directory, self.writer, n) for n in range(1, len(paths) + 1)]


def put_lines_at(directory: Path, writer: str, lines: list[bytes], number: int) -> None:
    segment_of(directory, writer, number).touch()
    put_lines(directory, writer, lines, number)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("copy"))


def kinds(verdict: Verdict) -> list[Kind]:
    return [finding.kind for finding in verdict.findings]


def name_of(line: bytes) -> str:
    return str(json.loads(line)["name"]).removeprefix("netproxy.")


def checkpoints(lines: list[bytes]) -> list[int]:
    return [place for place, line in enumerate(lines) if name_of(line) == "audit.checkpoint"]


def test_the_copy_is_well_and_worth_attacking(copy: Copy) -> None:
    alone, anchored = copy.judge(copy.files), copy.judge(copy.files, copy.anchors)
    assert alone.is_well
    assert anchored.is_well
    assert (alone.completeness.state, anchored.completeness.state) == (
        State.UNKNOWN,
        State.COMPLETE,
    )
    assert len(copy.files) >= 3
    assert alone.signed.checkpoints >= 8
    assert alone.signed.up_to == alone.records == copy.count


@EXAMPLES
@given(st.data())
def test_any_changed_byte(copy: Copy, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(copy.files) - 1))
    content = bytearray(b"".join(copy.files[number]))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    files = [*copy.files]
    files[number] = [bytes(content)]
    assert not copy.judge(files).holds


@EXAMPLES
@given(st.data())
def test_any_line_moved_doubled_or_left_out(copy: Copy, data: st.DataObject) -> None:
    lines = copy.flat()
    last = len(lines) - 1
    what = data.draw(st.sampled_from(["cut", "swap", "double", "move"]))
    first, second = data.draw(st.integers(0, last - 1)), data.draw(st.integers(0, last))
    match what:
        case "cut":
            del lines[first : min(second, last) if second > first else first + 1]
        case "swap":
            lines[first], lines[second] = lines[second], lines[first]
        case "double":
            lines.insert(second, lines[first])
        case _:
            lines.insert(second, lines.pop(first))
    assert lines == copy.flat() or not copy.judge(copy.split(lines)).holds


@pytest.mark.parametrize("kept", [0, 1, 7, 12, 20, -2, -1])
def test_a_cut_at_the_end_needs_the_anchor(copy: Copy, kept: int) -> None:
    lines = copy.flat()[:kept]
    files = copy.split(lines)
    alone, anchored = copy.judge(files), copy.judge(files, copy.anchors)
    assert alone.holds
    assert alone.completeness.state is State.UNKNOWN
    assert anchored.completeness.state is State.TRUNCATED
    assert anchored.completeness.missing == copy.count - len(lines)
    assert not anchored.is_well


def test_numbers_made_to_fit_a_deletion(copy: Copy) -> None:
    """Reference section 10, case 8."""
    lines = copy.flat()
    del lines[4]
    renumbered = [
        line.replace(b'"seq":%d,' % (place + 2), b'"seq":%d,' % (place + 1)) if place >= 4 else line
        for place, line in enumerate(lines)
    ]
    first = copy.judge(copy.split(renumbered)).findings[0]
    assert first.seq == 5
    assert first.kind in {Kind.UNLINKED, Kind.EDITED}


@EXAMPLES
@given(st.data())
def test_hashes_made_anew_do_not_help_without_the_key(copy: Copy, data: st.DataObject) -> None:
    """One record is left out or edited, and the chain hashed again: all fits but the signatures."""
    lines = copy.flat()
    place = data.draw(st.integers(0, copy.count - 2))

    def edit(fields: dict[str, object]) -> None:
        if fields["seq"] == place + 1:
            fields["sev"] = 21

    if data.draw(st.booleans()):
        del lines[place]
        changed = hashed_anew(copy.writer, lines)
    else:
        changed = hashed_anew(copy.writer, lines, edit)
    found = kinds(copy.judge(copy.split(changed)))
    assert Kind.SIGNATURE in found or Kind.CHECKPOINT_MISSING in found
    assert Kind.EDITED not in found
    assert Kind.UNLINKED not in found


@pytest.mark.parametrize("anew", [False, True], ids=["as-they-are", "hashed-anew"])
def test_two_checkpoints_in_a_row_are_both_named(copy: Copy, *, anew: bool) -> None:
    """Reference section 10, case 10."""
    lines = copy.flat()
    _, second, third, *_ = checkpoints(lines)
    left = [line for place, line in enumerate(lines) if place not in {second, third}]
    verdict = copy.judge(copy.split(hashed_anew(copy.writer, left) if anew else left))
    (said,) = (each.message for each in verdict.findings if each.kind is Kind.CHECKPOINT_MISSING)
    assert said.startswith("checkpoints 2, 3 are missing")


def test_all_checkpoints_stripped_needs_the_key_or_the_anchor(copy: Copy) -> None:
    lines = [line for line in copy.flat() if name_of(line) != "audit.checkpoint"]
    files = copy.split(hashed_anew(copy.writer, lines))
    alone = copy.judge(files)
    assert alone.holds
    assert alone.signed.up_to == 0  # said in words: signed by nobody
    (with_key,) = verify(copy.directory, trusted=copy.public.values())
    assert kinds(with_key) == [Kind.UNSIGNED]
    assert copy.judge(files, copy.anchors).completeness.state is State.TRUNCATED


def test_all_checkpoints_of_a_long_chain_stripped(tmp_path: Path) -> None:
    """The writer says that it signs, and would have signed by then."""
    writer = signed_journal(tmp_path, 5100)
    lines = [line for line in lines_of(tmp_path, writer) if name_of(line) != "audit.checkpoint"]
    put_lines(tmp_path, writer, hashed_anew(writer, lines))
    shutil.rmtree(tmp_path / "heads")
    (verdict,) = verify(tmp_path)
    assert kinds(verdict) == [Kind.UNSIGNED]


def test_a_chain_signed_anew_by_another_key_needs_the_key_or_the_anchor(
    copy: Copy, tmp_path: Path
) -> None:
    """Reference section 10, case 11: everything fits, since the attacker wrote everything."""
    theirs = keys.open_key(tmp_path, None)
    lines = [line for line in copy.flat() if b"h7.example" not in line]
    files = copy.split(signed_anew(copy.writer, lines, theirs))
    public = tmp_path / "keys" / f"{theirs.key_id}.pub"
    planted = copy.directory / "keys" / public.name
    assert kinds(copy.judge(files))[0] is Kind.KEY  # as long as his key is not planted, too
    shutil.copy(public, planted)
    try:
        alone, anchored = copy.judge(files), copy.judge(files, copy.anchors)
        (with_key,) = verify(copy.directory, trusted=[copy.public[next(iter(copy.anchors.keys))]])
    finally:
        planted.unlink()
    assert alone.holds
    assert alone.signed.keys == (theirs.key_id,)
    assert Kind.KEY in kinds(anchored)
    assert Kind.KEY in kinds(with_key)


@pytest.mark.parametrize("number", [0, 1])
def test_a_segment_that_is_gone(copy: Copy, number: int) -> None:
    files = [*copy.files]
    files[number] = []
    verdict = copy.judge(files)
    assert Kind.GAP in kinds(verdict)
    segment_of(copy.directory, copy.writer).unlink()
    (verdict,) = verify(copy.directory)
    assert Kind.GAP in kinds(verdict)


def test_segments_in_another_order(copy: Copy) -> None:
    first, second, *rest = copy.files
    assert not copy.judge([second, first, *rest]).holds


def test_a_finished_segment_that_was_written_anew_is_not_what_was_signed(copy: Copy) -> None:
    lines = hashed_anew(copy.writer, copy.flat(), _loud)
    assert Kind.SEALED in kinds(copy.judge(copy.split(lines)))


def _loud(fields: dict[str, object]) -> None:
    fields["sev"] = 21


def test_a_signature_of_another_chain(copy: Copy, tmp_path: Path) -> None:
    """A checkpoint of one writer, put into the chain of another that has the same key."""
    from otel import Journal

    shutil.copytree(copy.directory / "keys", tmp_path / "keys")
    busy = Journal.open(tmp_path)
    other = signed_journal(tmp_path, 1)
    busy.close()
    theirs = [line for line in copy.flat() if name_of(line) == "audit.checkpoint"][:1]
    mine = [line for line in lines_of(tmp_path, other) if name_of(line) != "audit.checkpoint"]
    put_lines(tmp_path, other, hashed_anew(other, [*mine, *theirs], _of(other)))
    shutil.rmtree(tmp_path / "heads")
    found = [verdict for verdict in verify(tmp_path) if verdict.writer == other]
    assert Kind.SIGNATURE in kinds(found[0])


def _of(writer: str) -> Callable[[dict[str, object]], None]:
    def put(fields: dict[str, object]) -> None:
        fields["writer"] = writer

    return put


def test_a_removal_that_nobody_signed_accounts_for_nothing(copy: Copy) -> None:
    """He cuts off the beginning, and appends the record that retention would have left."""
    last = json.loads(copy.files[0][-1])
    end = json.loads(copy.flat()[-1])
    removed = {
        **end,
        "name": "netproxy.audit.segment_removed",
        "attrs": {
            "netproxy.segment.name": segment_name(1),
            "netproxy.segment.first_seq": 1,
            "netproxy.segment.last_seq": last["seq"],
            "netproxy.segment.last_hash": last["hash"],
            "netproxy.sealed.digest": "0" * 64,
        },
    }
    appended = appended_to(copy.flat()[-1], removed)
    copy.judge([[], *copy.files[1:-1], [*copy.files[-1], appended]])
    segment_of(copy.directory, copy.writer).unlink()
    (verdict,) = verify(copy.directory)
    assert kinds(verdict) == [Kind.GAP]
    assert verdict.completeness.removed == 0


def appended_to(line: bytes, fields: dict[str, object]) -> bytes:
    """One more line of a chain, hashed as it has to be."""
    import hashlib

    from otel.chain import canonical

    before = json.loads(line)
    made = {**fields, "seq": before["seq"] + 1, "prev": before["hash"]}
    made.pop("hash")
    digest = hashlib.sha256(bytes.fromhex(before["hash"]) + canonical(made).encode()).hexdigest()
    return canonical({**made, "hash": digest}).encode() + b"\n"


def test_what_nobody_signed_yet_is_rewritten_and_needs_the_anchor(tmp_path: Path) -> None:
    """A killed gateway's last records: as many as before, and every hash fits."""
    writer = write_journal(tmp_path, 6)
    anchors = read_anchors((line.encode() for line in anchor_lines(tmp_path, print)), "a")
    put_lines(tmp_path, writer, hashed_anew(writer, lines_of(tmp_path, writer), _loud))
    (alone,) = verify(tmp_path)
    (anchored,) = verify(tmp_path, anchors=anchors)
    assert alone.is_well
    assert kinds(anchored) == [Kind.REWRITTEN]
    assert anchored.findings[0].seq == 6


def test_what_is_remembered_beside_the_journal_finds_a_cut_too(tmp_path: Path) -> None:
    """No anchor: who knows of it removes it, too."""
    writer = signed_journal(tmp_path, 3)
    put_lines(tmp_path, writer, lines_of(tmp_path, writer)[:4])
    (verdict,) = verify(tmp_path)
    assert verdict.completeness.state is State.TRUNCATED
    assert verdict.completeness.missing == 2


def test_an_older_copy_put_back(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 3)
    shutil.copytree(tmp_path / writer, tmp_path / "older")
    signed_journal(tmp_path, 3)
    anchors = read_anchors((line.encode() for line in anchor_lines(tmp_path, print)), "a")
    shutil.rmtree(tmp_path / writer)
    (tmp_path / "older").rename(tmp_path / writer)
    (beside,) = verify(tmp_path)
    shutil.rmtree(tmp_path / "heads")
    (anchored,) = verify(tmp_path, anchors=anchors)
    for verdict in (beside, anchored):
        assert verdict.completeness.state is State.TRUNCATED
        assert verdict.completeness.missing == 6


def test_a_writer_that_is_gone(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 3)
    anchors = read_anchors((line.encode() for line in anchor_lines(tmp_path, print)), "a")
    shutil.rmtree(tmp_path / writer)
    (beside,) = verify(tmp_path)
    shutil.rmtree(tmp_path / "heads")
    (anchored,) = verify(tmp_path, anchors=anchors)
    for verdict in (beside, anchored):
        assert verdict.writer == writer
        assert verdict.completeness.state is State.MISSING
        assert verdict.completeness.missing == 6
        assert not verdict.is_well
