"""The checkpoints of one chain, without files and without a signing library."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otel.chain import Record
from otel.checkpoints import Mark
from otel.signed import Checkpoints, Keyring
from otel.verdicts import Kind

WRITER = "w-01JD2QABCDEFGHJKMNPQRSTVWX"
TIME = "2026-01-02T03:04:05.678Z"
KEY = "cd" * 16
GOOD, BAD = bytes(64), bytes(63) + b"x"
RING = Keyring(public={KEY: bytes(32)}, is_signed=lambda _, signature, __: signature == GOOD)


def record(seq: int, name: str = "netproxy.policy_decision", **attributes: Any) -> Record:
    return Record(
        writer=WRITER,
        seq=seq,
        uid="u",
        timestamp=TIME,
        mono_ns=0,
        name=name,
        severity=9,
        attributes={key.replace("__", "."): value for key, value in attributes.items()},
        previous=digest(seq - 1),
        digest=digest(seq),
        expected_digest=digest(seq),
    )


def digest(seq: int) -> bytes:
    return seq.to_bytes(32)


def mark(number: int, seq: int, records: int, **changes: Any) -> Record:
    """The checkpoint in record `seq`."""
    signature = changes.pop("signature", GOOD)
    made = Mark(
        writer=WRITER,
        number=number,
        head_seq=seq - 1,
        head_hash=digest(seq - 1).hex(),
        records=records,
        segment="00000001.jsonl",
        cause="records",
        time=TIME,
        key_id=KEY,
    )
    event = replace(made, **changes).event(signature)
    return replace(record(seq, event.name), attributes=event.attributes())


def follow(*records: Record, keyring: Keyring = RING, **changes: Any) -> list[tuple[Kind, str]]:
    checkpoints = Checkpoints(writer=WRITER, keyring=keyring, digests=changes)
    return [wrong for each in records for wrong in checkpoints.check(each)]


def test_a_good_chain() -> None:
    checkpoints = Checkpoints(writer=WRITER, keyring=RING, digests={})
    for each in (record(1), mark(1, 2, 1), record(3), mark(2, 4, 1)):
        assert list(checkpoints.check(each)) == []
    signed = checkpoints.signed(6)
    assert (signed.checkpoints, signed.up_to, signed.records_behind) == (2, 4, 2)
    assert signed.keys == (KEY,)


@pytest.mark.parametrize(
    ("second", "kind", "said"),
    [
        pytest.param(mark(3, 4, 1), Kind.CHECKPOINT_MISSING, "checkpoint 2 is", id="one-missing"),
        pytest.param(mark(4, 4, 1), Kind.CHECKPOINT_MISSING, "checkpoints 2, 3 are", id="two"),
        pytest.param(mark(99, 4, 1), Kind.CHECKPOINT_MISSING, "2 to 98", id="many"),
        pytest.param(mark(1, 4, 1), Kind.ORDER, "comes after checkpoint 1", id="again"),
        pytest.param(mark(2, 4, 7), Kind.SIGNATURE, "signs 7 records", id="count"),
        pytest.param(mark(2, 4, 1, head_seq=2), Kind.SIGNATURE, "another record", id="place"),
        pytest.param(
            mark(2, 4, 1, head_hash="ab" * 32), Kind.SIGNATURE, "another record", id="content"
        ),
        pytest.param(
            mark(2, 4, 1, writer=WRITER[:-1] + "Y"), Kind.SIGNATURE, "for chain", id="chain"
        ),
        pytest.param(mark(2, 4, 1, signature=BAD), Kind.SIGNATURE, "did not sign", id="signature"),
        pytest.param(mark(2, 4, 1, key_id="ab" * 16), Kind.KEY, "not at hand", id="key"),
        pytest.param(
            mark(2, 4, 1, sealed_segment="00000001.jsonl", sealed_digest="ab" * 32),
            Kind.SEALED,
            "not what was signed",
            id="sealed",
        ),
        pytest.param(
            record(4, "netproxy.audit.checkpoint"), Kind.SIGNATURE, "without", id="no-checkpoint"
        ),
    ],
)
def test_what_can_be_wrong_with_one(second: Record, kind: Kind, said: str) -> None:
    digests = {"00000001.jsonl": "cd" * 32}
    checkpoints = Checkpoints(writer=WRITER, keyring=RING, digests=digests)
    found = [
        wrong
        for each in (record(1), mark(1, 2, 1), record(3), second)
        for wrong in checkpoints.check(each)
    ]
    assert [each[0] for each in found] == [kind]
    assert said in found[0][1]
    assert checkpoints.signed(4).up_to == 2


def test_a_segment_that_is_not_here_can_not_be_compared() -> None:
    sealed = mark(1, 2, 1, sealed_segment="00000001.jsonl", sealed_digest="ab" * 32)
    assert follow(record(1), sealed) == []


def test_a_key_that_is_not_trusted_is_told_once() -> None:
    ring = replace(RING, trusted=frozenset({"ab" * 16}))
    found = follow(record(1), mark(1, 2, 1), record(3), mark(2, 4, 1), keyring=ring)
    assert [each[0] for each in found] == [Kind.KEY]
    assert "not trusted" in found[0][1]
    ring = replace(RING, public={})
    assert len(follow(record(1), mark(1, 2, 1), record(3), mark(2, 4, 1), keyring=ring)) == 1


def test_a_beginning_that_was_removed_may_have_any_number() -> None:
    checkpoints = Checkpoints(writer=WRITER, keyring=RING, digests={})
    checkpoints.begin_later(100)
    assert list(checkpoints.check(record(100))) == []
    assert list(checkpoints.check(mark(7, 101, 55))) == []
    assert [kind for kind, _ in checkpoints.check(mark(9, 102, 0))] == [Kind.CHECKPOINT_MISSING]


def test_a_writer_that_signs_leaves_no_more_than_some_thousands_unsigned() -> None:
    start = "netproxy.gateway.started"
    signs = record(1, start, netproxy__checkpoint__key_id=KEY)
    does_not = record(1, start, netproxy__checkpoint__key_id=None)
    rest = [record(5000), record(5001), record(9000), record(10003)]
    assert [kind for kind, _ in follow(signs, *rest)] == [Kind.UNSIGNED, Kind.UNSIGNED]
    assert follow(does_not, *rest) == []
