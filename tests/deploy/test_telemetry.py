"""The telemetry examples: their own linters take them, and they name what a gateway really has."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from netproxy.app.catalogue import CLOSED
from otel import attributes as a
from otel.events import EVENTS
from tests.support.metric_names import everything
from tests.support.people import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = ROOT / "deploy/examples/telemetry"
_METRIC = re.compile(r"\bnetproxy_[a-z_]+\b")
_LABELS = re.compile(r"\bby \(([a-z_, ]+)\)|[{,]\s*([a-z_]+)=")
# What Prometheus itself, and whoever scrapes, puts on a series.
_SCRAPED = {"job", "instance", "le"}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)"
)


def yaml(name: str) -> Any:
    return YAML(typ="safe").load((FOLDER / name).read_text())


def dashboard() -> Any:
    return json.loads((FOLDER / "dashboard.json").read_text())


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in yaml(name)["groups"] for rule in group["rules"]]


def queries(kind: str) -> list[str]:
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    targets = [target for panel in panels for target in panel["targets"]]
    return [each["expr"] for each in targets if each["datasource"]["type"] == kind]


def promql() -> list[str]:
    return [rule["expr"] for rule in rules("alerts.yaml")] + queries("prometheus")


def logql() -> list[str]:
    return [rule["expr"] for rule in rules("alerts-loki.yaml")] + queries("loki")


def check(*words: str) -> None:
    done = subprocess.run(
        ["promtool", *words], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize(
    "words",
    [
        ("check", "rules", "--lint-fatal", "alerts.yaml"),
        ("check", "config", "prometheus.yaml"),
        ("test", "rules", "alerts_test.yaml"),
    ],
    ids=" ".join,
)
def test_prometheus_takes_them(words: tuple[str, ...]) -> None:
    check(*words)


@needs_promtool
def test_prometheus_reads_every_query_of_the_dashboard(tmp_path: Path) -> None:
    found = [
        {"record": f"x:{number}", "expr": re.sub(r"\$__\w+", "5m", query)}
        for number, query in enumerate(queries("prometheus"))
    ]
    assert len(found) > 20
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "x", "rules": found}]}))
    check("check", "rules", str(file))


def test_they_name_metrics_and_labels_that_are_there() -> None:
    """A rule on a name that was changed is silent for ever."""
    known = everything()
    for query in promql():
        names = set(_METRIC.findall(query))
        assert names <= known.keys(), query
        labels = {
            label.strip()
            for group, one in _LABELS.findall(query)
            for label in (group.split(",") if group else [one])
        }
        allowed = set().union(_SCRAPED, *(known[name] for name in names))
        assert labels <= allowed, query


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for query in queries("prometheus") for name in _METRIC.findall(query)}
    parts = ("_count", "_sum")
    assert {name for name in everything() if not name.endswith(parts)} - shown == set()


def test_alarms_are_named_as_their_events() -> None:
    names = {kind.name for kind in EVENTS}
    for query in promql():
        assert set(re.findall(r'event="([^"]+)"', query)) <= names
    for query in logql():
        for words in re.findall(r"netproxy_event =~? `([^`]+)`", query):
            group = re.fullmatch(r"(.*)\((.*)\)", words)
            each = [f"{group[1]}{part}" for part in group[2].split("|")] if group else [words]
            assert set(each) <= names, query


def test_words_of_closed_sets_are_theirs() -> None:
    wanted = {"network_policy_decision": a.POLICY_DECISION}
    for label, attribute in wanted.items():
        for query in logql():
            assert set(re.findall(rf"{label} = `([^`]+)`", query)) <= set(CLOSED[attribute])


def test_records_have_the_fields_that_are_asked_for() -> None:
    """Loki writes underscores for dots."""
    names = [name for name in vars(a).values() if isinstance(name, str)]
    known = {name.replace(".", "_") for name in names}
    known |= {"netproxy_event", "service_name", "service_instance_id"}
    for query in logql():
        bare = re.sub(r"`[^`]*`|\"[^\"]*\"|\[[^\]]*\]", "", query)
        asked = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", bare))
        asked |= set(re.findall(r"\{\{\.(\w+)\}\}", query))
        functions = {"count_over_time", "max_over_time", "min_over_time", "line_format"}
        assert asked - functions <= known, query


def test_every_alert_says_what_and_how_bad() -> None:
    found = rules("alerts.yaml") + rules("alerts-loki.yaml")
    for rule in found:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]
    names = [rule["alert"] for rule in found]
    assert len(set(names)) == len(names)


def panels() -> Iterator[dict[str, Any]]:
    yield from dashboard()["panels"]


def test_the_dashboard_is_whole() -> None:
    """What Grafana's own linter asks of a dashboard that others import."""
    whole = dashboard()
    assert {"title", "uid", "schemaVersion", "templating", "time"} <= whole.keys()
    variables = {each["name"] for each in whole["templating"]["list"]}
    assert {"prometheus", "loki", "job", "instance"} <= variables
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)
    for panel in panels():
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] in {"${prometheus}", "${loki}"}
        assert panel["fieldConfig"]["defaults"]["unit"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0
    for query in queries("prometheus"):
        selectors = query.count("{")
        assert query.count('job=~"$job", instance=~"$instance"') == selectors, query
        assert all(span.startswith("$__") for span in re.findall(r"\[([^\]]+)\]", query)), query
        for name in _METRIC.findall(query):
            assert (
                not name.endswith(("_total", "_bucket")) or "rate(" in query or "increase(" in query
            )


def test_no_panel_lies_over_another() -> None:
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels()], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
        assert one["x"] + one["w"] <= 24


def test_the_collector_is_wired_up() -> None:
    """Every component is used, every one that is used is there, and records wait on the disk."""
    config = yaml("collector.yaml")
    pipelines = config["service"]["pipelines"]
    for kind in ("receivers", "processors", "exporters"):
        used = {name for pipeline in pipelines.values() for name in pipeline[kind]}
        assert used == set(config[kind]), kind
    assert set(config["service"]["extensions"]) == set(config["extensions"])
    for pipeline in pipelines.values():
        assert pipeline["processors"][0] == "memory_limiter"
    assert "batch" not in pipelines["logs/audit"]["processors"]
    loki = config["exporters"]["otlphttp/loki"]
    assert loki["sending_queue"]["storage"] in config["extensions"]
    assert loki["retry_on_failure"]["max_elapsed_time"] == "0s"
    listening = [each["endpoint"] for each in config["receivers"]["otlp"]["protocols"].values()]
    listening.append(config["extensions"]["health_check"]["endpoint"])
    assert all(endpoint.startswith("127.0.0.1:") for endpoint in listening)


@pytest.mark.skipif(
    shutil.which("otelcol-contrib") is None,
    reason="the Collector (otelcol-contrib) is in no package registry that CI has",
)
def test_the_collector_takes_its_configuration() -> None:
    done = subprocess.run(
        ["otelcol-contrib", "validate", "--config", str(FOLDER / "collector.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


_PARSE = """
import { parser } from '@grafana/lezer-logql';
import { readFileSync } from 'fs';
for (const query of JSON.parse(readFileSync(0, 'utf8')))
  parser.parse(query).iterate({ enter(node) {
    if (node.type.isError) console.log(`${node.from}: ${query}`);
  } });
"""


@pytest.mark.network
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_lokis_own_grammar_reads_every_query(tmp_path: Path) -> None:
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(tmp_path),
         "@grafana/lezer-logql@0.4.2", "@lezer/lr@1.4.10"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip("no registry of npm packages answers")
    (tmp_path / "parse.mjs").write_text(_PARSE)
    found = [query.replace("$__auto", "5m") for query in logql()]
    broken = "{a="
    for texts, is_wrong in ((found, False), ([broken], True)):
        done = subprocess.run(
            ["node", "parse.mjs"], cwd=tmp_path, input=json.dumps(texts), capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        assert bool(done.stdout) == is_wrong, done.stdout
