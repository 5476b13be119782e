"""What OCSF 1.5.0 says of the classes and objects that we use: names, requirements, activities.

Written down from https://schema.ocsf.io/1.5.0: the schema's own files install from no registry.
`check` returns what an event does that it says nothing of.
"""

from __future__ import annotations

from typing import Any

_BASE = {
    "action", "action_id", "activity_id", "activity_name", "actor", "category_name",
    "category_uid", "class_name", "class_uid", "count", "disposition", "disposition_id",
    "duration", "end_time", "firewall_rule", "is_alert", "message", "metadata", "policy",
    "raw_data", "severity", "severity_id", "start_time", "status", "status_code", "status_detail",
    "status_id", "time", "type_name", "type_uid", "unmapped",
}  # fmt: skip
_REQUIRED = {
    "activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid",
}  # fmt: skip
_NETWORK = {
    "connection_info", "dst_endpoint", "proxy_endpoint", "src_endpoint", "tls", "traffic", "url",
}  # fmt: skip
# class_uid: name, own attributes, what of them is required, of which one is needed, activities.
CLASSES: dict[int, tuple[str, set[str], set[str], set[str], set[int]]] = {
    0: ("Base Event", set(), set(), set(), {0, 99}),
    2004: (
        "Detection Finding",
        {"evidences", "finding_info", "resources"},
        {"finding_info"},
        set(),
        {0, 1, 2, 3, 99},
    ),
    3003: (
        "Authorize Session",
        {"dst_endpoint", "group", "privileges", "session", "src_endpoint", "user"},
        {"user"},
        {"privileges", "group"},
        {0, 1, 2, 99},
    ),
    3004: (
        "Entity Management",
        {"comment", "entity", "entity_result", "src_endpoint"},
        {"entity"},
        set(),
        {0, 1, 2, 3, 4, 99},
    ),
    4001: (
        "Network Activity",
        _NETWORK,
        set(),
        {"dst_endpoint", "src_endpoint"},
        {0, 1, 2, 3, 4, 5, 6, 7, 99},
    ),
    4002: (
        "HTTP Activity",
        _NETWORK | {"http_request", "http_response"},
        set(),
        {"http_request", "http_response"},
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 99},
    ),
    6002: ("Application Lifecycle", {"app"}, {"app"}, set(), {0, 1, 2, 3, 4, 99}),
    6003: (
        "API Activity",
        {"actor", "api", "dst_endpoint", "http_request", "resources", "src_endpoint"},
        {"actor", "api", "src_endpoint"},
        set(),
        {0, 1, 2, 3, 4, 99},
    ),
}
_ENDPOINT = ({"hostname", "ip", "name", "port", "uid"}, set[str](), {"hostname", "ip", "name"})
# attribute: what its object may have, must have, and needs one of.
OBJECTS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "actor": ({"app_name", "process", "session", "user"}, set(), {"app_name", "session", "user"}),
    "api": ({"operation", "request", "response", "service", "version"}, {"operation"}, set()),
    "app": ({"name", "uid", "vendor_name", "version"}, {"vendor_name"}, {"name", "uid"}),
    "connection_info": (
        {"direction", "direction_id", "protocol_name", "protocol_num", "uid"},
        {"direction_id"},
        set(),
    ),
    "dst_endpoint": _ENDPOINT,
    "entity": ({"data", "name", "type", "uid", "version"}, set(), {"name", "uid"}),
    "finding_info": ({"desc", "title", "types", "uid"}, {"uid"}, set()),
    "firewall_rule": ({"desc", "name", "type", "uid"}, set(), {"name", "uid"}),
    "http_request": ({"http_method", "uid", "url"}, set(), set()),
    "metadata": (
        {
            "correlation_uid", "event_code", "log_name", "original_time", "product", "profiles",
            "sequence", "uid", "version",
        },
        {"product", "version"},
        set(),
    ),
    "product": ({"name", "uid", "vendor_name", "version"}, {"vendor_name"}, {"name", "uid"}),
    "proxy_endpoint": _ENDPOINT,
    "request": ({"uid"}, {"uid"}, set()),
    "resources": ({"name", "type", "uid"}, set(), {"name", "uid"}),
    "service": ({"name", "uid", "version"}, set(), {"name", "uid"}),
    "session": ({"uid"}, set(), set()),
    "src_endpoint": _ENDPOINT,
    "traffic": (
        {"bytes", "bytes_in", "bytes_out", "packets", "packets_in", "packets_out"},
        set(),
        set(),
    ),
    "url": ({"hostname", "path", "port", "scheme", "url_string"}, set(), set()),
    "user": ({"name", "uid"}, set(), {"name", "uid"}),
}  # fmt: skip
_DISPOSITIONS = {1: "Allowed", 2: "Blocked", 8: "Approved", 25: "Rejected", 27: "Error"}
_SEVERITIES = {1: "Informational", 3: "Medium", 4: "High", 5: "Critical", 99: None}
_INTEGERS = {
    "bytes", "bytes_in", "bytes_out", "count", "duration", "packets_in", "packets_out", "port",
    "sequence", "time",
}  # fmt: skip


def check(event: dict[str, Any]) -> list[str]:
    """Everything in which an event differs from what is written down here."""
    uid = event["class_uid"]
    name, own, required, one_of, activities = CLASSES[uid]
    found = _held(event, f"class {uid}", _BASE | own, _REQUIRED | required, one_of)
    if event["class_name"] != name or uid // 1000 != event["category_uid"]:
        found.append(f"class {uid} is not {event['class_name']}")
    if event["activity_id"] not in activities:
        found.append(f"class {uid} has no activity {event['activity_id']}")
    if event["type_uid"] != uid * 100 + event["activity_id"]:
        found.append("type_uid")
    if "disposition_id" in event:
        if _DISPOSITIONS[event["disposition_id"]] != event["disposition"]:
            found.append("disposition")
        if "security_control" not in event["metadata"]["profiles"]:
            found.append("security_control is not among the profiles")
    if _SEVERITIES[event["severity_id"]] not in {None, event["severity"]}:
        found.append("severity")
    return found


def _held(
    table: dict[str, Any], where: str, allowed: set[str], required: set[str], one_of: set[str]
) -> list[str]:
    found = [f"{where}: {key} is not of it" for key in table if key not in allowed]
    found += [f"{where}: {key} is missing" for key in required if key not in table]
    if one_of and not one_of & table.keys():
        found.append(f"{where}: needs one of {sorted(one_of)}")
    for key, value in table.items():
        if key in _INTEGERS and type(value) is not int:
            found.append(f"{where}: {key} is no integer")
        for item in value if isinstance(value, list) else [value]:
            if key in OBJECTS and isinstance(item, dict):
                found += _held(item, key, *OBJECTS[key])
            elif isinstance(item, dict) and key != "unmapped":
                found.append(f"{where}: {key} is an object that nothing is known of")
            elif key in OBJECTS:
                found.append(f"{where}: {key} is no object")
    return found
