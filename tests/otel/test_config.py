from __future__ import annotations

import pytest

from otel import ExportRefused, otlp_settings
from otel.sinks import Protocol

GENERAL = "OTEL_EXPORTER_OTLP_ENDPOINT"
LOGS = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
URL = "http://collector:4318"


@pytest.mark.parametrize(
    ("environ", "override", "endpoint"),
    [
        pytest.param({}, None, None, id="nothing"),
        pytest.param({GENERAL: ""}, None, None, id="empty-is-unset"),
        pytest.param({GENERAL: URL}, None, f"{URL}/v1/logs", id="general"),
        pytest.param({GENERAL: f"{URL}/"}, None, f"{URL}/v1/logs", id="general-slash"),
        pytest.param({GENERAL: f"{URL}/otlp"}, None, f"{URL}/otlp/v1/logs", id="general-path"),
        pytest.param({GENERAL: f"{URL}/v1/logs"}, None, f"{URL}/v1/logs/v1/logs", id="as-the-sdk"),
        pytest.param({LOGS: f"{URL}/x"}, None, f"{URL}/x", id="logs-as-it-is"),
        pytest.param({LOGS: f"{URL}/x", GENERAL: "http://o"}, None, f"{URL}/x", id="logs-wins"),
        pytest.param({LOGS: "http://o"}, URL, f"{URL}/v1/logs", id="option-wins"),
        pytest.param({}, f"{URL}/v1/logs", f"{URL}/v1/logs", id="option-with-path"),
        pytest.param({}, "https://[::1]:4318", "https://[::1]:4318/v1/logs", id="ipv6"),
        pytest.param({GENERAL: URL, "OTEL_SDK_DISABLED": "true"}, None, f"{URL}/v1/logs", id="off"),
    ],
)
def test_endpoint(environ: dict[str, str], override: str | None, endpoint: str | None) -> None:
    settings = otlp_settings(environ, override)
    assert (settings and settings.endpoint) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        "collector:4318",
        "grpc://collector:4317",
        "file:///etc/passwd",
        "http://",
        "http://h:port",
        "http://h:99999",
        "http://[::1",
        "http://h/\x1b[2J",
        "http://h/a b",
        "http://bücher.example",
        "",
    ],
)
def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(ExportRefused, match="--otlp: expected a URL"):
        otlp_settings({}, url)


@pytest.mark.parametrize("url", ["http://me:S3CRET@h", "http://h?key=S3CRET", "http://h#S3CRET"])
def test_secrets_in_the_url_are_refused_and_not_repeated(url: str) -> None:
    """The URL is an argument of the exporter, which every user can list."""
    with pytest.raises(ExportRefused) as caught:
        otlp_settings({GENERAL: url}, None)
    assert "S3CRET" not in str(caught.value)
    assert "OTEL_EXPORTER_OTLP_HEADERS" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"]
)
@pytest.mark.parametrize("protocol", ["http/json", "GRPC", "\x1b[2J"])
def test_other_protocols_are_refused(name: str, protocol: str) -> None:
    with pytest.raises(ExportRefused, match="use http/protobuf or grpc"):
        otlp_settings({GENERAL: URL, name: protocol}, None)


def test_the_protocol_does_not_matter_without_an_endpoint() -> None:
    assert otlp_settings({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, None) is None


@pytest.mark.parametrize(
    ("environ", "override"),
    [
        pytest.param({GENERAL: URL}, None, id="general"),
        pytest.param({LOGS: URL, GENERAL: "http://o"}, None, id="logs"),
        pytest.param({}, URL, id="option"),
    ],
)
def test_a_grpc_endpoint_has_no_path(environ: dict[str, str], override: str | None) -> None:
    found = otlp_settings({**environ, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, override)
    assert found is not None
    assert (found.endpoint, found.protocol) == (URL, Protocol.GRPC)


def test_a_client_certificate_needs_its_key() -> None:
    given = {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/c.pem"}
    with pytest.raises(ExportRefused, match="go together"):
        otlp_settings(given, URL)
    found = otlp_settings({**given, "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/k.pem"}, URL)
    assert found is not None
    assert (found.client_certificate, found.client_key) == ("/c.pem", "/k.pem")


def headers_of(text: str) -> dict[str, str]:
    settings = otlp_settings({"OTEL_EXPORTER_OTLP_HEADERS": text}, URL)
    assert settings is not None
    return dict(settings.headers)


def test_headers_are_decoded() -> None:
    text = "authorization=Bearer%20a%3Db, x-tenant = 7 ,"
    assert headers_of(text) == {"authorization": "Bearer a=b", "x-tenant": "7"}


@pytest.mark.parametrize(
    "text", ["S3CRET", "=S3CRET", "a b=S3CRET", "a=S3CRET%0d%0ax: y", "é=S3CRET"]
)
def test_bad_headers_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ExportRefused) as caught:
        headers_of(text)
    assert "S3CRET" not in str(caught.value)


def test_secrets_do_not_show() -> None:
    settings = otlp_settings({"OTEL_EXPORTER_OTLP_HEADERS": "a=S3CRET"}, URL)
    assert settings is not None
    assert "S3CRET" not in repr(settings)


def test_a_private_ca() -> None:
    settings = otlp_settings({"OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem"}, URL)
    assert settings is not None
    assert settings.certificate == "/ca.pem"
