"""Applications that nobody here wrote do for their own clients behind every layer just what they do without."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import requests

from needed import needs
from serving import Server, script

pytestmark = pytest.mark.real
SITE = sys.executable, str(Path(__file__).parents[1] / "support" / "real_sites.py")
PATIENCE = 120  # seconds until a command is given up; none takes as long as that
HOWS = ["bare", "full"]


def command(*words: str, cwd: Path | None = None, status: int | None = 0) -> str:
    """What a command says, in an environment without anybody's configuration."""
    clean = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "HGRCPATH": "", "HGUSER": "a"}
    named = {f"GIT_{who}_{what}": "a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **clean, **named, "GIT_TERMINAL_PROMPT": "0", "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        check=False,
        text=True,
    )
    assert status is None or done.returncode == status, done.stdout
    return done.stdout


@pytest.fixture
def verdicts(tmp_path):
    """What a client finds at a site, without the layers and with them."""

    def ask(name: str, client):
        found = []
        for how in HOWS:
            served, work = tmp_path / how / "served", tmp_path / how / "work"
            served.mkdir(parents=True)
            work.mkdir()
            server = Server(*SITE, name, how, str(served))
            try:
                marked = requests.get(server.url("/"), timeout=PATIENCE).headers.get("X-App")
                assert marked == {"bare": None, "full": "whole"}[how]
                found.append(client(server, served, work))
            finally:
                server.close()
        return found

    return ask


def test_wsgidav_passes_the_same_tests_of_litmus(verdicts):
    litmus = needs("litmus")

    def client(server, served, work):
        said = command(litmus, "--keep-going", server.url("/"), cwd=work, status=None)
        return re.findall(r"^ *(\d+\. \w+)\.+ (pass|FAIL|WARNING|SKIPPED)", said.replace("\r", "\n"), re.MULTILINE)

    bare, full = verdicts("webdav", client)
    assert full == bare
    assert sum(verdict == "pass" for _, verdict in full) > 70


def test_git_pushes_to_dulwich_and_clones_the_same_again(verdicts):
    git = needs("git")

    def client(server, served, work):
        url, one, two = server.url("/repository"), work / "one", work / "two"
        command(git, "init", "--quiet", "--initial-branch=main", str(one))
        for number in range(30):
            (one / f"{number}.txt").write_text(f"{number}\n" * 5000)
        (one / "noise").write_bytes(os.urandom(2 << 20))  # more than git sends in one piece: chunks
        command(git, "add", ".", cwd=one)
        command(git, "commit", "--quiet", "--message=first", cwd=one)
        command(git, "push", "--quiet", url, "main", cwd=one)
        command(git, "clone", "--quiet", "--branch=main", url, str(two))
        (two / "0.txt").write_text("changed\n")
        command(git, "commit", "--quiet", "--all", "--message=second", cwd=two)
        command(git, "push", "--quiet", "origin", "main", cwd=two)
        command(git, "pull", "--quiet", url, "main", cwd=one)
        command(git, "fsck", "--strict", cwd=one)
        same = command(git, "rev-parse", "HEAD", cwd=one) == command(git, "rev-parse", "HEAD", cwd=two)
        return same, command(git, "log", "--format=%s", cwd=one), (one / "0.txt").read_text()

    assert verdicts("git", client) == [(True, "second\nfirst\n", "changed\n")] * 2


def test_mercurial_pushes_to_hgweb_and_clones_the_same_again(verdicts):
    hg = script("hg")

    def client(server, served, work):
        url, one, two = server.url("/"), work / "one", work / "two"
        command(hg, "init", str(one))
        for number in range(30):
            (one / f"{number}.txt").write_text(f"{number}\n" * 5000)
        (one / "noise").write_bytes(os.urandom(1 << 20))
        command(hg, "commit", "--addremove", "--message=first", cwd=one)
        command(hg, "push", url, cwd=one)
        command(hg, "clone", url, str(two))
        (two / "0.txt").write_text("changed\n")
        command(hg, "commit", "--message=second", cwd=two)
        command(hg, "push", cwd=two)
        command(hg, "pull", "--update", url, cwd=one)
        command(hg, "verify", cwd=one)
        archive = requests.get(f"{url}archive/tip.zip", timeout=PATIENCE)
        page = requests.get(f"{url}shortlog", timeout=PATIENCE).text
        return command(hg, "log", "--template={desc}\n", cwd=one), archive.content[:2], "second" in page

    assert verdicts("mercurial", client) == [("second\nfirst\n", b"PK", True)] * 2


def wheel(folder: Path) -> None:
    """Make a wheel of one module (PEP 427)."""
    info = "tiny-1.0.dist-info"
    files = {
        "tiny.py": "SAID = 'hello'\n" * 500,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as made:
        for name, text in files.items():
            made.writestr(name, text)


def test_pip_downloads_and_installs_from_pypiserver(verdicts):
    def client(server, served, work):
        wheel(served)
        index = f"--index-url={server.url('/simple/')}"
        pip = sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--no-cache-dir"
        command(*pip, "download", index, f"--dest={work}", "tiny")
        command(*pip, "install", index, f"--target={work / 'there'}", "tiny==1.0")
        sent, kept = (folder / "tiny-1.0-py3-none-any.whl" for folder in (served, work))
        return sent.read_bytes() == kept.read_bytes(), (work / "there" / "tiny.py").read_text()

    assert verdicts("packages", client) == [(True, "SAID = 'hello'\n" * 500)] * 2


EVENT = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:a\r\nBEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20260101T000000Z\r\n"
EVENT += f"DTSTART:20260102T000000Z\r\nSUMMARY:{'long ' * 400}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
QUERY = (
    '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop>'
)
QUERY += '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'


def test_radicale_keeps_an_event_guards_it_and_finds_it_again(verdicts):
    def client(server, served, work):
        with requests.Session() as session:
            session.auth = "a", "a"

            def ask(method, path, body="", **headers):
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                return session.request(method, server.url(path), data=body, headers=named, timeout=PATIENCE)

            steps = [ask("MKCALENDAR", "/a/work/"), ask("PUT", "/a/work/one.ics", EVENT, Content_Type="text/calendar")]
            got = ask("GET", "/a/work/one.ics")
            tag = got.headers["ETag"]
            found = ask("REPORT", "/a/work/", QUERY, Depth="1", Content_Type="text/xml")
            again = EVENT.replace("long", "more")
            steps += [
                got,
                found,
                ask("PROPFIND", "/a/work/", Depth="1"),
                ask("PUT", "/a/work/one.ics", again, If_Match=tag, Content_Type="text/calendar"),
                ask("PUT", "/a/work/one.ics", EVENT, If_Match=tag, Content_Type="text/calendar"),
                ask("DELETE", "/a/work/one.ics"),
                ask("GET", "/a/work/one.ics"),
            ]
            texts = (answer.text.replace("\r\n ", "").replace("\n ", "") for answer in (got, found))  # unfolded
            return [step.status_code for step in steps], *(text.count("long") for text in texts)

    expected = [201, 201, 200, 207, 207, 204, 412, 200, 404], 400, 400
    assert verdicts("calendar", client) == [expected] * 2


def test_the_admin_of_django_lets_in_who_may_and_adds_what_is_sent(verdicts):
    def token(page):
        return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]

    def client(server, served, work):
        with requests.Session() as session:
            login, add, listed = map(
                server.url, ("/admin/login/?next=/admin/", "/admin/auth/group/add/", "/admin/auth/group/")
            )
            form = {"username": "root", "password": "correct horse"}
            steps = [session.post(login, form, timeout=PATIENCE)]  # without the token
            form["csrfmiddlewaretoken"] = token(session.get(login, timeout=PATIENCE))
            steps.append(session.post(login, form, timeout=PATIENCE))
            form = {"csrfmiddlewaretoken": token(session.get(add, timeout=PATIENCE)), "name": "A group of ours"}
            steps.append(session.post(add, form, timeout=PATIENCE))
            steps.append(session.get(listed, timeout=PATIENCE))
            seen = [(step.status_code, [old.status_code for old in step.history], step.url == listed) for step in steps]
            return seen, "A group of ours" in steps[-1].text, "was added successfully" in steps[-2].text

    seen = [(403, [], False), (200, [302], False), (200, [302], True), (200, [], True)]
    assert verdicts("admin", client) == [(seen, True, True)] * 2
