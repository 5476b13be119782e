"""What the settings files say about sinks, and that nothing unclear or unsafe starts a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.run_options import parse_run
from netproxy.app.settings import Settings, load_settings
from netproxy.app.sinks import listening_there
from netproxy.errors import InvalidSettings
from otel import FileSettings, OtlpSettings
from otel.sinks import Protocol

if TYPE_CHECKING:
    from pathlib import Path


def settings(home: Path, text: str, *arguments: str, managed: str = "", **environ: str) -> Settings:
    folder = home / ".config" / "netproxy"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)
    if managed:
        (home / "etc" / "requirements.toml").write_text(managed)
    return load_settings(
        parse_run([*arguments, "--no-project", "--", "true"]),
        {"HOME": str(home), **environ},
        managed_file=home / "etc" / "requirements.toml",
        managed_owner=os.getuid(),
        directory=home,
    )


def secret(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path


def problems(home: Path, text: str, **given: str) -> tuple[str, ...]:
    with pytest.raises(InvalidSettings) as caught:
        settings(home, text, **given)
    return caught.value.problems


def test_sinks_stand_side_by_side(home: Path) -> None:
    secret(home / ".config/netproxy/headers", "# of the collector\nauthorization=Bearer%20S3CRET\n")
    (home / "ca.pem").write_text("")
    found = settings(
        home,
        """\
[[audit.sink]]
type = "otlp"
endpoint = "https://collector.test:4317"
protocol = "grpc"
headers_file = "~/.config/netproxy/headers"
certificate = "~/ca.pem"

[[audit.sink]]
type = "ocsf"
path = "~/siem.jsonl"
required = false
""",
        "--otlp",
        "http://other.test:4318",
    )
    first, second, third = found.sinks
    assert isinstance(first, OtlpSettings)
    assert (first.endpoint, first.protocol) == ("https://collector.test:4317", Protocol.GRPC)
    assert first.headers == {"authorization": "Bearer S3CRET"}
    assert (first.certificate, first.required) == (str(home / "ca.pem"), True)
    assert first.place.endswith("config.toml:1:1 audit.sink[0]")
    assert second == FileSettings(path=str(home / "siem.jsonl"), required=False)
    assert isinstance(third, OtlpSettings)
    assert third.endpoint == "http://other.test:4318/v1/logs"


def test_how_long_a_sink_may_stand_still_and_how_much_may_wait(home: Path) -> None:
    found = settings(home, "[audit]\nstall_seconds = 60.0\nmax_unexported_bytes = 1048576\n")
    assert (found.stall_seconds, found.max_unexported_bytes) == (60, 1048576)
    assert "audit.stall_seconds" in problems(home, "[audit]\nstall_seconds = 0\n")[0]


def test_what_the_managed_file_names_nobody_can_change(home: Path) -> None:
    managed = '[[audit.sink]]\ntype = "otlp"\nendpoint = "http://siem.test:4318"\n'
    again = f"{managed}required = false\n"
    (found,) = settings(home, again, managed=managed).sinks
    assert found.required
    assert "requirements.toml:1" in found.place
    assert settings(home, "", managed=managed).sinks == (found,)


def test_a_managed_secret_lies_beside_the_managed_file(home: Path) -> None:
    managed = (
        '[[audit.sink]]\ntype = "otlp"\nendpoint = "http://siem.test"\n'
        f'headers_file = "{home}/etc/headers"\n'
    )
    (home / "etc" / "headers").write_text("a=b")
    (found,) = settings(home, "", managed=managed).sinks
    assert isinstance(found, OtlpSettings)
    assert found.headers == {"a": "b"}
    (home / "etc" / "headers").chmod(0o666)
    assert "others may open it" in problems(home, "", managed=managed)[0]


OTLP = '[[audit.sink]]\ntype = "otlp"\n'
OCSF = '[[audit.sink]]\ntype = "ocsf"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('[[audit.sink]]\ntype = "syslog"\n', "audit.sink[0].type", id="type"),
        pytest.param(OTLP, "endpoint is missing", id="no-endpoint"),
        pytest.param(OTLP + 'endpoint = "collector:4318"', "expected a URL", id="no-url"),
        pytest.param(OTLP + 'endpoint = "http://a"\npath = "/a"', "for type 'ocsf'", id="path"),
        pytest.param(OTLP + 'endpoint = "http://a"\nprotocol = "http/json"', "protocol", id="json"),
        pytest.param(
            OTLP + 'endpoint = "http://a"\nclient_key = "/k"', "go together", id="half-a-pair"
        ),
        pytest.param(
            OTLP + 'endpoint = "http://a"\ncertificate = "~/none.pem"',
            "none.pem is not a file that can be read",
            id="no-ca",
        ),
        pytest.param(
            OTLP + 'endpoint = "http://a"\nheaders_file = "/etc/hostname"',
            "which a command can't see",
            id="headers-elsewhere",
        ),
        pytest.param(
            OTLP + 'endpoint = "http://a"\nheaders_file = "~/.config/netproxy/none"',
            "No such file",
            id="no-headers-file",
        ),
        pytest.param(
            OTLP + 'endpoint = "http://a"\nheaders_file = "~/.config/netproxy/bad"',
            "pair 1 is not name=value",
            id="bad-headers",
        ),
        pytest.param(
            OTLP + 'endpoint = "http://a"\nheaders_file = "~/.config/netproxy/open"',
            "chmod 600",
            id="open-headers",
        ),
        pytest.param(OCSF, "path is missing", id="no-path"),
        pytest.param(OCSF + 'path = "a.jsonl"', "neither absolute nor below ~/", id="relative"),
        pytest.param(OCSF + 'path = "/no/such/a.jsonl"', "there is no folder", id="no-folder"),
        pytest.param(OCSF + 'path = "/tmp/a"\nendpoint = "http://a"', "type 'otlp'", id="endpoint"),
    ],
)
def test_what_can_not_be_used_is_told_with_its_place(home: Path, text: str, said: str) -> None:
    secret(home / ".config/netproxy/bad", "S3CRET")
    secret(home / ".config/netproxy/open", "a=b")
    (home / ".config/netproxy/open").chmod(0o644)
    (line,) = problems(home, text)
    assert "config.toml:" in line
    assert said in line
    assert "S3CRET" not in line


def test_a_client_key_is_a_secret_too(home: Path) -> None:
    secret(home / ".config/netproxy/key.pem", "")
    (home / "c.pem").write_text("")
    text = OTLP + 'endpoint = "https://a"\nclient_certificate = "~/c.pem"\nclient_key = '
    (found,) = settings(home, f'{text}"~/.config/netproxy/key.pem"').sinks
    assert isinstance(found, OtlpSettings)
    assert found.client_key == str(home / ".config/netproxy/key.pem")
    secret(home / "key.pem", "")
    assert "can't see" in problems(home, f'{text}"~/key.pem"')[0]


@pytest.mark.parametrize(
    ("endpoint", "taken", "there"),
    [
        pytest.param("http://127.0.0.1:3128", ("127.0.0.1", 3128), True, id="same"),
        pytest.param("http://localhost:3128", ("127.0.0.1", 3128), True, id="by-name"),
        pytest.param("http://LocalHost.:3128/v1/logs", ("::1", 3128), True, id="by-its-name"),
        pytest.param("http://127.0.0.1:3128", ("0.0.0.0", 3128), True, id="everywhere"),
        pytest.param("http://[::1]:3128", ("::", 3128), True, id="everywhere-6"),
        pytest.param("http://[::ffff:127.0.0.1]:3128", ("127.0.0.1", 3128), True, id="mapped"),
        pytest.param("http://0.0.0.0:3128", ("127.0.0.1", 3128), True, id="no-address"),
        pytest.param("http://127.0.0.1", ("127.0.0.1", 80), True, id="usual-port"),
        pytest.param("http://127.0.0.1:4318", ("127.0.0.1", 3128), False, id="other-port"),
        pytest.param("http://192.0.2.7:3128", ("127.0.0.1", 3128), False, id="other-host"),
        pytest.param("http://192.0.2.7:3128", ("0.0.0.0", 3128), False, id="another-hosts"),
        pytest.param("http://[2001:db8::7]:3128", ("::", 3128), False, id="the-same-6"),
        pytest.param("http://collector:3128", ("0.0.0.0", 3128), False, id="other-name"),
    ],
)
def test_a_collector_can_not_be_where_the_gateway_listens(
    endpoint: str, taken: tuple[str, int], *, there: bool
) -> None:
    assert listening_there(endpoint, [taken]) is there
