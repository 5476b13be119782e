"""Which OCSF class each event of the catalogue is, and what of it goes where. Pure.

A row of `MAPPED` is a class, an activity in it, and a function that takes what the class has a
place for. A function may choose another activity by what the record says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from otel import attributes as a
from otel import events as e
from otel.ocsf_values import UNKNOWN, Values, authority, present

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel.ocsf_values import Fields


class Class(NamedTuple):
    """An OCSF class: category, number within it, name, and the names of its activities."""

    category: int
    number: int
    name: str
    activities: dict[int, str]

    @property
    def uid(self) -> int:
        """The number that consumers know it by."""
        return self.category * 1000 + self.number


BASE = Class(0, 0, "Base Event", {})
FINDING = Class(2, 4, "Detection Finding", {1: "Create", 2: "Update", 3: "Close"})
AUTHORIZE = Class(3, 3, "Authorize Session", {1: "Assign Privileges"})
ENTITY = Class(3, 4, "Entity Management", {1: "Create", 2: "Read", 3: "Update", 4: "Delete"})
NETWORK = Class(
    4,
    1,
    "Network Activity",
    {1: "Open", 2: "Close", 3: "Reset", 4: "Fail", 5: "Refuse", 6: "Traffic"},
)
HTTP = Class(
    4,
    2,
    "HTTP Activity",
    {
        1: "Connect",
        2: "Delete",
        3: "Get",
        4: "Head",
        5: "Options",
        6: "Post",
        7: "Put",
        8: "Trace",
        9: "Patch",
    },
)
LIFECYCLE = Class(6, 2, "Application Lifecycle", {1: "Install", 2: "Remove", 3: "Start", 4: "Stop"})
API = Class(6, 3, "API Activity", {1: "Create", 2: "Read", 3: "Update", 4: "Delete"})

OTHER = 99
FAILURE = {"status_id": 2, "status": "Failure"}
_METHODS = {name.upper(): number for number, name in HTTP.activities.items()}
_ALLOWED = {"action_id": 1, "action": "Allowed"}
_DENIED = {"action_id": 2, "action": "Denied"}
_DISPOSITIONS = {1: "Allowed", 2: "Blocked", 8: "Approved", 25: "Rejected", 27: "Error"}
# Other than by policy alone: by a person, or because something of ours is broken.
_BY_REASON = {
    "approved": 8,
    "allowed_by_grant": 8,
    "denied_by_reviewer": 25,
    "denied_by_session": 25,
    "audit_unavailable": 27,
    "approval_unavailable": 27,
}
_UDP = frozenset(("socks5-udp", "udp"))


class Placed(NamedTuple):
    """What became of a record: its class, its activity there, and the fields of the class."""

    kind: Class
    activity: int
    fields: Fields
    activity_name: str = ""  # of an activity that the class has none for


def decision(values: Values, _: str) -> Placed:
    """Every request's own: an open or a refused connection, or an HTTP request."""
    denied = values.text(a.POLICY_DECISION) != "allow"
    reason = values.see(a.POLICY_REASON) or ""
    rule = present(name=values.text(a.POLICY_RULE), desc=values.text(a.POLICY_EXPLANATION))
    is_http = values.see(a.TRANSPORT_PROTOCOL) == "http"
    fields = {
        **_endpoints(values),
        **_controlled(denied=denied, disposition=_BY_REASON.get(reason)),
        **present(firewall_rule=rule or None),
    }
    if not is_http:
        return Placed(NETWORK, 5 if denied else 1, fields)
    method = values.text(a.REQUEST_METHOD) or UNKNOWN
    to = fields["dst_endpoint"]
    url = present(hostname=to.get("hostname") or to.get("ip"), port=to.get("port"), scheme="http")
    fields["http_request"] = {"http_method": method, "url": url}
    activity = _METHODS.get(method, OTHER)
    return Placed(HTTP, activity, fields, method if activity == OTHER else "")


def connection(activity: int) -> Callable[[Values, str], Placed]:
    """A step in the life of a connection."""

    def place(values: Values, _: str) -> Placed:
        return Placed(NETWORK, activity, _endpoints(values))

    return place


def opened(values: Values, _: str) -> Placed:
    """The address that was dialled stands beside the name that was asked for."""
    fields = _endpoints(values)
    if "hostname" in fields["dst_endpoint"] and (address := values.text(a.PEER_ADDRESS)):
        fields["dst_endpoint"]["ip"] = address
    return Placed(NETWORK, 1, fields)


def refused(values: Values, _: str) -> Placed:
    """Something of the gateway's own stood against it."""
    fields = {**_endpoints(values), **_controlled(denied=True, disposition=None)}
    return Placed(NETWORK, 5, {**fields, **present(count=values.number(a.LIMIT_REFUSED))})


def parent_used(values: Values, _: str) -> Placed:
    """The way led through a proxy of the operator's, which is told where to go on."""
    target = authority(values.text(a.PARENT_TARGET) or UNKNOWN)
    parent = {"name": values.text(a.PARENT_NAME) or UNKNOWN}
    fields = {"dst_endpoint": target, "proxy_endpoint": parent, **_connection_info(values)}
    return Placed(NETWORK, 1, fields)


def failed(values: Values, _: str) -> Placed:
    """Neither refused nor opened."""
    fields = {**_endpoints(values), **FAILURE, **_status_code(values)}
    return Placed(NETWORK, 4, fields)


def closed(values: Values, _: str) -> Placed:
    """How much flowed. OCSF counts from the source's point of view, as we do."""
    sent, received = values.number(a.BYTES_SENT), values.number(a.BYTES_RECEIVED)
    traffic = present(
        bytes_out=sent,
        bytes_in=received,
        bytes=None if sent is None or received is None else sent + received,
        packets_out=values.number(a.DATAGRAMS_SENT),
        packets_in=values.number(a.DATAGRAMS_RECEIVED),
    )
    reason = values.text(a.CLOSE_REASON)
    fields = {
        **_endpoints(values),
        **present(
            traffic=traffic or None,
            duration=values.number(a.CONNECTION_DURATION),
            status_detail=reason,
        ),
    }
    return Placed(NETWORK, 3 if reason == "reset" else 2, fields)


def approval(activity: int, activity_name: str = "") -> Callable[[Values, str], Placed]:
    """A step in the life of a question: what was done, by whom, over which channel."""

    def place(values: Values, name: str) -> Placed:
        channel, reviewer = values.text(a.REVIEWER_CHANNEL), values.text(a.REVIEWER_ID)
        verdict = values.see(a.REVIEW_VERDICT)
        approval_id = values.text(a.APPROVAL_ID) or UNKNOWN
        about = values.destination() if values.see(a.SERVER_ADDRESS) else None
        fields = {
            "actor": _actor(values, reviewer),
            "api": {
                "operation": name.removeprefix("netproxy."),
                "request": {"uid": approval_id},
                "service": {"name": "netproxy"},
            },
            "src_endpoint": {"name": channel or "netproxy"},
            "resources": [present(uid=approval_id, type="approval", name=about)],
            **_status_code(values),
        }
        if verdict is not None:
            denied = verdict != "allow"
            fields |= _controlled(denied=denied, disposition=25 if denied else 8)
        return Placed(API, activity, fields, activity_name)

    return place


def grant(activity: int, activity_name: str = "") -> Callable[[Values, str], Placed]:
    """What a session may do from here on, or no longer."""

    def place(values: Values, _: str) -> Placed:
        kind = values.text(a.GRANT_KIND)
        about = f"{kind or 'grant'} {values.destination()}" if kind else values.see(a.GRANT_ID)
        fields = {
            "user": present(uid=values.text(a.USER_ID), name=values.text(a.USER_NAME) or UNKNOWN),
            "privileges": [about or UNKNOWN],
            **present(session=_session(values)),
        }
        return Placed(AUTHORIZE, activity, fields, activity_name)

    return place


def entity(activity: int, kind: str, uid: str, name: str = "") -> Callable[[Values, str], Placed]:
    """Something that is made, changed or removed, named by one attribute or two."""

    def place(values: Values, _: str) -> Placed:
        called = values.text(name) if name else None
        managed = present(type=kind, uid=values.text(uid) or UNKNOWN, name=called or kind)
        return Placed(ENTITY, activity, {"entity": managed})

    return place


def policy(values: Values, name: str) -> Placed:
    """The rules that hold: from the start, or in place of others."""
    first = values.see(a.CONFIG_SOURCE) == "start"
    placed = entity(1 if first else 3, "policy", a.POLICY_DIGEST)(values, name)
    if name == e.ConfigRejected.name:
        placed.fields.update({**FAILURE, **_status_code(values)})
    return placed


def gateway(activity: int) -> Callable[[Values, str], Placed]:
    """Ourselves."""

    def place(values: Values, _: str) -> Placed:
        version = values.text(a.SERVICE_VERSION)
        app = present(name="netproxy", vendor_name="netproxy", version=version)
        return Placed(LIFECYCLE, activity, {"app": app})

    return place


def run(activity: int) -> Callable[[Values, str], Placed]:
    """A command that runs behind the gateway."""

    def place(values: Values, _: str) -> Placed:
        name = values.text(a.PROCESS_EXECUTABLE) or UNKNOWN
        app = present(name=name, vendor_name=UNKNOWN, uid=values.see(a.EXECUTION_ID))
        fields = {"app": app, **present(duration=values.number(a.RUN_DURATION))}
        return Placed(LIFECYCLE, activity, fields)

    return place


def probed(values: Values, name: str) -> Placed:
    """A sandbox that was tried: part of a run's life, unless it does not hold."""
    if values.left.get(a.PROBE_HELD) is False:
        return finding("A sandbox does not hold")(values, name)
    fields = {"app": present(name="netproxy", vendor_name="netproxy")}
    return Placed(LIFECYCLE, OTHER, fields, "Probe")


def finding(title: str) -> Callable[[Values, str], Placed]:
    """Something that a person should look at. What has recovered closes what was found."""

    def place(values: Values, name: str) -> Placed:
        recovered = values.see(a.EXPORT_STATE) == "recovered" or values.see(a.SPACE_STATE) == "ok"
        info = {"title": title, "types": [name]}  # its uid is the record's
        fields = {"finding_info": info, "is_alert": not recovered, **_status_code(values)}
        return Placed(FINDING, 3 if recovered else 1, fields)

    return place


MAPPED: dict[str, Callable[[Values, str], Placed]] = {
    e.GatewayStarted.name: gateway(3),
    e.GatewayStopped.name: gateway(4),
    e.PolicyLoaded.name: policy,
    e.ConfigRejected.name: policy,
    e.SessionStarted.name: entity(1, "session", a.SESSION_ID, a.SESSION_NAME),
    e.SessionEnded.name: entity(4, "session", a.SESSION_ID, a.SESSION_NAME),
    e.RunStarted.name: run(3),
    e.SandboxProbed.name: probed,
    e.RunExited.name: run(4),
    e.RunCancelled.name: finding("A command was stopped because of what it asked for"),
    e.PolicyDecision.name: decision,
    e.DialRefused.name: refused,
    e.ConnectionOpened.name: opened,
    e.ParentUsed.name: parent_used,
    e.ConnectionFailed.name: failed,
    e.TlsObserved.name: connection(6),
    e.ConnectionClosed.name: closed,
    e.AssociationClosed.name: closed,
    e.ClientsTurnedAway.name: refused,
    e.NameAnswered.name: connection(6),
    e.NameRefused.name: refused,
    e.NameFlood.name: finding("A command looks up more names than are recorded"),
    e.EgressRejected.name: refused,
    e.EgressFlood.name: finding("A command sends more that is refused than is recorded"),
    e.ExposeOpened.name: connection(1),
    e.ExposeRefused.name: failed,
    e.ExposeClosed.name: closed,
    e.UnixOpened.name: connection(1),
    e.UnixRefused.name: refused,
    e.UnixClosed.name: closed,
    e.ApprovalRequested.name: approval(1),
    e.ApprovalNotified.name: approval(OTHER, "Notify"),
    e.ApprovalReviewed.name: approval(3),
    e.ReviewRejected.name: approval(OTHER, "Reject"),
    e.ReviewerFailed.name: approval(OTHER, "Fail"),
    e.ReviewerSignedIn.name: approval(OTHER, "Sign In"),
    e.ApprovalResolved.name: approval(3),
    e.WaiterLeft.name: approval(OTHER, "Leave"),
    e.ApprovalFlood.name: finding("A session asks more than reviewers can answer"),
    e.GrantCreated.name: grant(1),
    e.GrantEnded.name: grant(OTHER, "Revoke Privileges"),
    e.RuleWritten.name: entity(1, "policy rule", a.POLICY_RULE, a.RULE_FILE),
    e.AuditCheckpoint.name: entity(1, "audit checkpoint", a.CHECKPOINT_SIGNATURE, a.CHECKPOINT_KEY),
    e.SegmentRemoved.name: entity(4, "journal segment", a.SEALED_DIGEST, a.SEGMENT_NAME),
    e.AuditGap.name: finding("Audit records are missing"),
    e.AuditSpace.name: finding("The audit journal's disk fills up"),
    e.ExportState.name: finding("The export of audit records is impaired"),
    e.IntegrityFailed.name: finding("The audit journal was changed"),
    e.ClockJumped.name: finding("The clock was set"),
}


def _endpoints(values: Values) -> Fields:
    """Both ends, as far as the record has them: a network event must have one."""
    ends = present(src_endpoint=values.client(), dst_endpoint=values.server())
    return {"dst_endpoint": {"name": UNKNOWN}, **ends, **_connection_info(values)}


def _connection_info(values: Values) -> Fields:
    protocol = values.see(a.TRANSPORT_PROTOCOL)
    name = None if protocol is None else ("udp" if protocol in _UDP else "tcp")
    info = present(uid=values.see(a.CONNECTION_ID), protocol_name=name)
    return {"connection_info": {"direction_id": 2, "direction": "Outbound", **info}}


def _controlled(*, denied: bool, disposition: int | None) -> Fields:
    number = disposition or (2 if denied else 1)
    action = _DENIED if denied else _ALLOWED
    return {**action, "disposition_id": number, "disposition": _DISPOSITIONS[number]}


def _actor(values: Values, reviewer: str | None) -> Fields:
    user = None if reviewer is None else {"name": reviewer}
    return {"app_name": "netproxy", **present(user=user, session=_session(values))}


def _session(values: Values) -> Fields | None:
    uid = values.see(a.SESSION_ID)
    return None if uid is None else {"uid": uid}


def _status_code(values: Values) -> Fields:
    code = values.text(a.ERROR_TYPE)
    return {} if code is None else {**FAILURE, "status_code": code}
