"""A hub on the loopback interface: what the client asks for when it reads data sets and models.

Paths and headers are those of the public hub; repositories are dictionaries of files.
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from typing_extensions import override

API = "/api/datasets/"
MODELS_API = "/api/models/"
FILES = "/datasets/"


@dataclass
class Hub:
    """Data sets and models by name and revision, and what was asked of the server."""

    repositories: dict[str, dict[str, Mapping[str, bytes]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    broken: bool = False
    address: str = ""

    def put(self, name: str, files: Mapping[str, bytes], *, revision: str = "main") -> str:
        """Store a revision and return its commit."""
        content = json.dumps(sorted((path, digest(raw)) for path, raw in files.items()))
        commit = digest(content.encode())
        revisions = self.repositories.setdefault(name, {})
        revisions[revision] = revisions[commit] = files
        return commit

    def commit(self, name: str, revision: str) -> str | None:
        """Return the commit behind a revision, which may itself be a commit."""
        files = self.repositories.get(name, {}).get(revision)
        if files is None:
            return None
        return self.put(name, files, revision=revision)


def digest(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """Serve a hub on a free port of the loopback interface."""

    class Handler(_Handler):
        served = hub

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Hub

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    @override
    def log_message(self, *_: object) -> None:
        """Keep the terminal quiet."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.served.asked.append(f"{self.command} {path}")
        if self.served.broken:
            self._send(b"<html>")
        elif path.startswith((API, MODELS_API)):
            about = path.removeprefix(API).removeprefix(MODELS_API)
            self._answer_about(*about.split("/", 3))
        else:
            owner, name, _, rest = path.removeprefix(FILES).removeprefix("/").split("/", 3)
            commit, file = rest.split("/", 1)
            self._send_file(f"{owner}/{name}", commit, file)

    def _answer_about(self, owner: str, name: str, what: str = "", rest: str = "main") -> None:
        repository, revision = f"{owner}/{name}", rest.rstrip("/")
        commit = self.served.commit(repository, revision)
        if commit is None:
            known = repository in self.served.repositories
            self._refuse("RevisionNotFound" if known else "RepoNotFound")
        elif what == "tree":
            files = self.served.repositories[repository][revision]
            rows = [
                {"type": "file", "path": path, "size": len(raw), "oid": digest(raw)}
                for path, raw in files.items()
            ]
            self._send(json.dumps(rows).encode())
        else:
            about = {"id": repository, "sha": commit, "siblings": [], "tags": []}
            self._send(json.dumps(about).encode())

    def _send_file(self, name: str, commit: str, file: str) -> None:
        raw = self.served.repositories[name][commit][file]
        self._send(raw, **{"X-Repo-Commit": commit, "ETag": f'"{digest(raw)}"'})

    def _send(self, content: bytes, **headers: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def _refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", "not found")
        self.send_header("Content-Length", "0")
        self.end_headers()
