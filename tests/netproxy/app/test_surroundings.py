"""What reviewers are shown is what decides and records now."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from netproxy.app.cli.run_options import parse_run
from netproxy.app.policy_in_force import PolicyInForce
from netproxy.app.settings import load_settings
from netproxy.app.surroundings import GatewaySurroundings
from otel import heads, keys
from otel.folders import Position

if TYPE_CHECKING:
    from pathlib import Path

    from netproxy.app.reception import Run
    from netproxy.app.settings import Settings
    from otel import AuditTrail


class Trail:
    impairment: str | None = None
    is_almost_full = False
    chain = ("w-1", 7)
    lost = 0


def settings(home: Path, *arguments: str) -> Settings:
    return load_settings(
        parse_run([*arguments, "--", "true"]),
        {"HOME": str(home)},
        managed_file=home / "absent",
        directory=home,
    )


def run(settings_: Settings, session: str = "s-1", command: str = "make") -> Run:
    return cast(
        "Run",
        SimpleNamespace(
            settings=settings_,
            session_id=session,
            execution_id="r-1",
            command=command,
            directory="/work",
            policy=PolicyInForce(settings_.policy(now=0)),
        ),
    )


def around(chosen: Settings, trail: Trail, *runs: Run) -> Any:
    return GatewaySurroundings(chosen, cast("AuditTrail", trail), lambda: runs)


def test_the_policy_is_that_in_force(tmp_path: Path) -> None:
    chosen = settings(tmp_path, "--allow", "pypi.org:443", "--deny", "**.evil.test")
    one = run(chosen)
    shown = around(chosen, Trail(), one)
    assert shown.policy()[:4] == ("mode full", "default ask", "on_denial cancel", "sni refuse")
    assert "allow pypi.org:443" in shown.policy()
    one.policy.swap(settings(tmp_path, "--allow", "other.test:443").policy(now=0))
    assert "allow other.test:443" in shown.policy()
    assert "allow pypi.org:443" not in shown.policy()


def test_of_several_sessions_each_has_its_own(tmp_path: Path) -> None:
    first, second = settings(tmp_path, "--allow", "a.test:443"), settings(tmp_path)
    lines = around(first, Trail(), run(first), run(second, "s-2")).policy()
    assert [line for line in lines if line.startswith("session")] == [
        "session s-1:",
        "session s-2:",
    ]


def test_health_says_what_the_journal_can_do(tmp_path: Path) -> None:
    chosen, trail = settings(tmp_path), Trail()
    shown = around(chosen, trail)
    assert shown.health()["journal"] == "ok"
    assert shown.health()["sinks"] == []
    assert shown.health()["store"].endswith("approvals.db")
    trail.is_almost_full = True
    assert "almost full" in shown.health()["journal"]
    trail.impairment = "disk \x1b full"
    assert shown.health()["journal"] == r"takes no records: disk \u001b full"


def test_health_says_how_far_the_record_is_signed(tmp_path: Path) -> None:
    chosen = settings(tmp_path, "--audit-dir", str(tmp_path / "audit"))
    shown = around(chosen, Trail())
    told = {"audit_writer": "w-1", "audit_records": 7, "audit_signed_up_to": None, "audit_lost": 0}
    assert told.items() <= shown.health().items()
    audit = tmp_path / "audit"
    key = keys.open_key(audit, None)
    heads.save(audit, "w-1", key, end=Position(1, 10), left=heads.Left(2, 5), line=b"{}")
    assert shown.health()["audit_signed_up_to"] == 5


def test_who_is_served_with_hostile_text_made_visible(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    (told,) = around(chosen, Trail(), run(chosen, command="x\x1b[2J")).sessions()
    assert told["command"] == r"x\u001b[2J"
    assert (told["session"], told["run"], told["name"]) == ("s-1", "r-1", None)
