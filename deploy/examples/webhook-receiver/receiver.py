#!/usr/bin/env python3
"""A webhook receiver to begin with: verifies questions, answers by pattern or asks at its prompt.

Python's standard library only. What it shows, any other receiver has to do as well: verify the raw
body before reading it, answer 2xx at once and work later, remember ids, sign the decision, and send
the same decision again until it was answered.
"""

import argparse
import base64
import hmac
import json
import queue
import secrets
import sys
import threading
import time
import urllib.error
import urllib.request
from email.message import Message
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOLERANCE_SECONDS = 300
BODY_BYTES = 200_000
CHOICES = {
    "o": ("allow", "once"),
    "r": ("allow", "run"),
    "d": ("deny", "once"),
    "s": ("deny", "session"),
}


def keys_in(path: str) -> list[bytes]:
    """Every key of a secret file: one `whsec_…` a line."""
    lines = (line.strip() for line in Path(path).read_text().splitlines())
    found = [
        base64.b64decode(line.removeprefix("whsec_")) for line in lines if line.startswith("whsec_")
    ]
    if not found:
        sys.exit(f"{path}: holds no whsec_ line")
    return found


def signature(key: bytes, webhook_id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join([webhook_id.encode(), timestamp.encode(), body])
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def is_genuine(headers: Message, body: bytes, keys: list[bytes]) -> bool:
    """Whether one of the keys signed this, now."""
    webhook_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit():
        return False
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    given = [each.encode() for each in headers.get("webhook-signature", "").split()]
    ours = [signature(key, webhook_id, timestamp, body).encode() for key in keys]
    fits = [hmac.compare_digest(a, b) for a in given for b in ours]  # all: in constant time
    return any(fits)


class Hook(BaseHTTPRequestHandler):
    """Takes messages. `server` has the keys, the ids that were seen, and the queue."""

    timeout = 10

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > BODY_BYTES:
            return self.answer(413)
        body = self.rfile.read(int(length))
        if not is_genuine(self.headers, body, self.server.keys):
            return self.answer(401)
        if self.headers["webhook-id"] not in self.server.seen:
            self.server.seen.add(self.headers["webhook-id"])
            self.server.messages.put(json.loads(body))
        return self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def shown(text: object) -> str:
    """Nothing that moves the cursor: what a command says of itself is not to be trusted."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def by_pattern(request: dict, options: argparse.Namespace) -> tuple[str, str] | None:
    """The verdict of --deny and --allow; None: neither names the destination."""
    destination = f"{request['host']}:{request['port']}"
    if any(fnmatchcase(destination, each) for each in options.deny):
        return "deny", "once"
    if any(fnmatchcase(destination, each) for each in options.allow):
        return "allow", "once"
    return None


def at_prompt() -> tuple[str, str] | None:
    """What whoever sits here says; None: nobody does, or nothing was said."""
    if not sys.stdin.isatty():
        return None
    said = input("  [o]nce, for the [r]un, [d]eny, deny for the [s]ession, Enter: leave it > ")
    return CHOICES.get(said.strip().lower()[:1])


def decide(data: dict, verdict: tuple[str, str], options: argparse.Namespace) -> tuple[int, str]:
    """Send the decision, until it was answered: the same id and body each time."""
    said = dict(zip(("verdict", "scope"), verdict, strict=True))
    named = {key: data[key] for key in ("approval_id", "version", "request_digest")}
    named["nonce"] = data["reply"]["nonce"]
    if options.reviewer:
        named["reviewer"] = options.reviewer
    body = json.dumps({"type": "approval.decision", "data": named | said}).encode()
    webhook_id = "d-" + secrets.token_hex(12)
    for pause in (0, 1, 3, 9, 27):
        time.sleep(pause)
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": webhook_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(options.reply_keys[0], webhook_id, timestamp, body),
        }
        request = urllib.request.Request(data["reply"]["url"], body, headers)
        try:
            with urllib.request.urlopen(request, timeout=15) as response:
                return response.status, json.load(response)["explanation"]
        except urllib.error.HTTPError as refused:
            if refused.code < 500 and refused.code != 429:
                return refused.code, refused.read(2000).decode("utf-8", "replace")
        except OSError as error:
            print(f"  not sent: {shown(error)}", flush=True)
    return 0, "given up"


def handle(message: dict, options: argparse.Namespace) -> None:
    data, kind = message["data"], message["type"]
    if kind == "approval.resolved":
        print(f"- {shown(data['destination'])}: {shown(data['status'])}", flush=True)
    elif kind == "grant.ended":
        print(f"- {shown(data['destination'])}: {shown(data['reason'])}", flush=True)
    elif kind == "approval.requested":
        request = data["request"]
        print(
            f"? {shown(request['destination'])} wanted by {shown(request['command'])}", flush=True
        )
        print(f"  {shown(request['explanation'])}", flush=True)
        verdict = by_pattern(request, options) or at_prompt()
        if verdict is None or data["reply"] is None:
            print("  left to others", flush=True)
        else:
            status, said = decide(data, verdict, options)
            print(f"  {verdict[0]} ({verdict[1]}): {status} {shown(said)}", flush=True)
    else:
        print(f"- {shown(kind)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--listen", default="127.0.0.1:8000", metavar="HOST:PORT")
    parser.add_argument("--secret-file", required=True, help="of what netproxy sends")
    parser.add_argument("--reply-secret-file", required=True, help="of what goes back")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="GLOB", help="*.docs.example.org:443"
    )
    parser.add_argument("--deny", action="append", default=[], metavar="GLOB", help="beats --allow")
    parser.add_argument("--reviewer", help="in whose name, if may_assert has it")
    options = parser.parse_args()
    options.reply_keys = keys_in(options.reply_secret_file)
    host, _, port = options.listen.rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Hook)
    server.keys, server.seen, server.messages = keys_in(options.secret_file), set(), queue.Queue()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"listening on {host}:{server.server_port}", flush=True)
    while True:
        handle(server.messages.get(), options)


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, EOFError):
        sys.exit(130)
