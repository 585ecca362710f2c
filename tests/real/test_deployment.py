"""The nginx.conf and the unit of examples/deploy, with two processes of a site; only ports and paths differ."""

from __future__ import annotations

import os
import re
import shlex
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from needed import needs
from series import converse
from serving import PATIENCE, Client, Server, ask, environment, kept_port

pytestmark = pytest.mark.real
SUPPORT = Path(__file__).parents[1] / "support"
DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
HSTS = "Strict-Transport-Security"


class Secure(HTTPSConnection):
    """As Client, by TLS."""

    ask, __enter__, __exit__ = Client.ask, Client.__enter__, Client.__exit__


class Site(NamedTuple):
    """A site behind nginx."""

    port: int
    plain: int
    certificate: Path
    processes: list[Server]

    def url(self, path: str) -> str:
        """Where a path is."""
        return f"https://127.0.0.1:{self.port}{path}"

    def client(self) -> Secure:
        """A connection that trusts the certificate."""
        context = ssl.create_default_context(cafile=self.certificate)
        return Secure("127.0.0.1", self.port, timeout=PATIENCE, context=context)


def unit(port: str, application: str) -> list[str]:
    """The command of the unit, for another application, by this interpreter."""
    [line] = re.findall(r"^ExecStart=(.*)$", (DEPLOY / "site@.service").read_text(), re.MULTILINE)
    _, *words = shlex.split(line.replace("%i", port).replace("wsgi:application", application))
    return [sys.executable, *words]


def configured(folder: Path, ports: dict[str, int]) -> Path:
    """The nginx.conf with other ports and paths; each of them has to be in it."""
    text = (DEPLOY / "nginx.conf").read_text()
    kept = " ".join(f"{kind}_temp_path {folder};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    listen = "listen 127.0.0.1:{} reuseport".format
    for old, new in {
        "server 127.0.0.1:8001": f"server 127.0.0.1:{ports['one']}",
        "server 127.0.0.1:8002": f"server 127.0.0.1:{ports['two']}",
        "listen 80": listen(ports["plain"]),
        "listen 443 ssl": f"{listen(ports['secure'])} ssl",
        "/etc/ssl/site": str(folder / "site"),
        "/run/nginx.pid": str(folder / "nginx.pid"),
        "http {": f"http {{ {kept}",
        "worker_processes auto": "worker_processes 2",
        # Workers of root give that up, and could not look into a folder of root's.
        "user www-data;": "user root;" * (os.geteuid() == 0),
    }.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "nginx.conf"
    path.write_text(text)
    return path


def certify(folder: Path) -> Path:
    """Make a certificate for this address."""
    key, certificate = folder / "site.key", folder / "site.pem"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=site.example"
    made += " -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [needs("openssl"), *made.split(), "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return certificate


@contextmanager
def behind_nginx(folder, application, **options):
    """Two processes of an application behind nginx."""
    program = needs("nginx")
    with ExitStack() as ending:
        processes = [Server(*unit("0", application), **options) for _ in range(2)]
        for process in processes:
            ending.callback(process.close)
        plain, secure = (ending.enter_context(kept_port()) for _ in range(2))
        certificate = certify(folder)
        ports = {"one": processes[0].port, "two": processes[1].port, "plain": plain, "secure": secure}
        command = program, "-p", str(folder), "-c", str(configured(folder, ports)), "-g", "daemon off;"
        ending.callback(Server(*command, port=secure).close)
        yield Site(secure, plain, certificate, processes)


@pytest.fixture
def site(tmp_path):
    with behind_nginx(tmp_path, "whole:application", cwd=SUPPORT) as site:
        yield site


def test_processes_share_one_count_in_redis_and_go_on_without_it(tmp_path):
    """examples/deploy/limited.py: exactly as many requests pass as the limit says, whichever process gets them."""
    program = needs("redis-server", "valkey-server")
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    command = program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"
    env = {**environment(), "RATE_LIMIT": "25/year", "RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{port}/0"}
    with ExitStack() as ending:
        redis = Server(*command, port=port)
        ending.callback(redis.close)
        site = ending.enter_context(behind_nginx(tmp_path, "limited:application", cwd=DEPLOY, env=env))

        def asked(_):
            with site.client() as client:
                return client.ask("/")

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(asked, range(60)))
            passed = [answer.body for answer in answers if answer.status == 200]
            assert len(passed) == 25
            assert {answer.status for answer in answers} == {200, 429}
            # the address is that of the client, which nginx tells, and the policy is on a 429 too
            assert all(b"client 127.0.0.1" in body for body in passed)
            assert all(answer.headers["X-Content-Type-Options"] == "nosniff" for answer in answers)
            redis.close()
            assert {answer.status for answer in pool.map(asked, range(20))} == {200}


def test_everything_comes_through_nginx_as_it_does_without(site):
    with site.client() as client:
        converse(client.ask)


def test_the_application_knows_the_client_and_that_it_came_by_https(site):
    lies = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "lies.example"}
    headers = {"Host": "site.example", **lies}
    seen = [
        requests.get(site.url("/seen/1"), headers=headers, verify=site.certificate, timeout=PATIENCE) for _ in range(8)
    ]
    for answer in seen:
        known = answer.json()
        assert (known["wsgi.url_scheme"], known["REMOTE_ADDR"]) == ("https", "127.0.0.1")
        assert known["HTTP_HOST"].partition(":")[0] == "site.example"
    assert {answer.json()["process"] for answer in seen} == {process.process.pid for process in site.processes}


def test_hsts_is_sent_once_by_https_and_never_without(site):
    with site.client() as client:
        for route in ("sized", "error", "missing"):
            assert len(client.ask(f"/{route}/1").headers.get_all(HSTS, [])) == 1
    answer = ask(site.plain, "/sized/1?a", Host="site.example")
    assert (answer.status, answer.headers["Location"]) == (308, "https://site.example/sized/1?a")
    assert answer.headers[HSTS] is None
    assert ask(site.processes[0].port, "/sized/1").headers[HSTS] is None


def test_no_request_is_lost_when_one_process_after_the_other_is_restarted_under_load(site):
    """Each request is answered by one or the other: four clients ask on while each process ends and begins again."""
    going, over = threading.Semaphore(0), threading.Event()
    answers, failures = [], []

    def load(number):
        try:
            with site.client() as client:
                more = 25
                while more:
                    answer = client.ask(f"/{('seen', 'sized', 'stream')[len(answers) % 3]}/{number}")
                    answers.append((answer.status, answer.headers["X-App"]))
                    going.release()
                    more -= over.is_set()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a request that was lost
            failures.append(repr(error))
            going.release(40)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        assert going.acquire(timeout=PATIENCE)
    statuses = []
    with ExitStack() as ending:
        for ended in site.processes:
            ended.process.terminate()
            statuses.append(ended.process.wait(PATIENCE))
            again = Server(*unit(str(ended.port), "whole:application"), cwd=SUPPORT)  # listens when this returns
            ending.callback(again.close)
        over.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert (statuses, failures, set(answers)) == ([0, 0], [], {(200, "whole")})
    assert len(answers) >= 40 + 4 * 25
