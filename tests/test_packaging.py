"""What is installed is what is tested, and the distributions hold it whole.

The tests marked `distribution` build the sdist and the wheel from a clean copy of the checkout and install the sdist in
an environment of its own. They need a package index; `tox -e package` runs them.
"""

import configparser
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import NamedTuple

import pytest

import middleware
from pages import blocks

ROOT = Path(__file__).parents[1]
NAME = "wsgi-middleware-stack"
run_by_tox = pytest.mark.skipif("MIDDLEWARE_INSTALLED" not in os.environ, reason="the package may be the checkout's")
# What lies in a checkout that was worked in, and in no clone.
LEFTOVERS = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "htmlcov", "site")

SMOKE = """
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from middleware import Headers, Stack, Timing

PAGE = b"<p>Hello</p>" * 1000


def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(PAGE)))])
    return [PAGE]


application = validator(Stack(Timing(), Headers(set={"X-App": "demo"})).wrap(validator(page)))
environ = {"QUERY_STRING": ""}
setup_testing_defaults(environ)
seen = []
body = application(environ, lambda *head: seen.append(head))
content = b"".join(body)
body.close()
(status, lines), = seen
headers = dict(lines)
assert (status, content) == ("200 OK", PAGE), status
assert headers["X-App"] == "demo", headers
assert headers["Server-Timing"].startswith("total;dur="), headers
"""


class Distributions(NamedTuple):
    """The two files that a release consists of."""

    sdist: Path
    wheel: Path


def run(*command):
    """What the command prints; all of it, if the command fails."""
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def package_files():
    """Every file of the package in the checkout, as the distributions name them."""
    files = (path for path in (ROOT / "middleware").rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}


@pytest.fixture(scope="session")
def distributions(tmp_path_factory):
    work = tmp_path_factory.mktemp("distributions")
    shutil.copytree(ROOT, work / "clean", ignore=LEFTOVERS)
    run(sys.executable, "-m", "build", "--outdir", str(work / "dist"), str(work / "clean"))
    [sdist], [wheel] = (work / "dist").glob("*.tar.gz"), (work / "dist").glob("*.whl")
    return Distributions(sdist, wheel)


@pytest.fixture(scope="session")
def fresh_python(distributions, tmp_path_factory):
    """The interpreter of an environment with nothing in it but the sdist, installed without extras."""
    home = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(home, with_pip=True)
    python = str(home / ("Scripts" if os.name == "nt" else "bin") / "python")
    run(python, "-m", "pip", "--disable-pip-version-check", "install", str(distributions.sdist))
    return python


@run_by_tox
def test_the_package_under_test_is_the_installed_one():
    places = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}
    assert not places.isdisjoint(Path(middleware.__file__).resolve().parents)


@run_by_tox
def test_a_command_that_a_test_starts_runs_the_installed_package():
    assert run(sys.executable, "-c", "import middleware; print(middleware.__file__)").strip() == middleware.__file__


def test_the_installed_version_is_that_of_the_checkout():
    assert importlib.metadata.version(NAME) == middleware.__version__


def test_the_installed_entry_points_are_those_of_the_checkout():
    """If not, install the checkout again: an editable installation does not follow them."""
    checkout = configparser.ConfigParser()
    checkout.read(ROOT / "setup.cfg", encoding="utf-8")
    wanted = {
        (group, *line.split(" = "))
        for group, lines in checkout["options.entry_points"].items()
        for line in lines.split("\n")
        if line
    }
    found = importlib.metadata.distribution(NAME).entry_points
    assert {(point.group, point.name, point.value) for point in found} == wanted
    assert all(callable(point.load()) for point in found)


def test_the_package_says_that_it_is_typed():
    assert Path(middleware.__file__).with_name("py.typed").is_file()


@pytest.mark.distribution
def test_the_wheel_holds_the_package_and_nothing_else(distributions):
    with zipfile.ZipFile(distributions.wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == package_files() | {"wsgi_middleware_stack.py"}


@pytest.mark.distribution
def test_the_sdist_holds_what_it_takes_to_build_the_package(distributions):
    with tarfile.open(distributions.sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    wanted = package_files() | {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "setup.cfg"}
    wanted |= {"wsgi_middleware_stack.py"}
    assert not wanted - held


@pytest.mark.distribution
def test_the_metadata_names_three_dependencies_and_the_oldest_python(distributions):
    with zipfile.ZipFile(distributions.wheel) as archive:
        [name] = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    always = {line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line}
    assert {line.replace("<", ">").partition(">")[0].strip() for line in always} == {"multipart", "waitress", "webob"}
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata.get_all("License-File") == ["LICENSE"]
    text = "".join((ROOT / name).read_text(encoding="utf-8") + "\n" for name in ("README.md", "CHANGELOG.md"))
    assert "".join(metadata.get_payload().split()) == "".join(text.split())
    assert metadata.get_all("Project-URL", []) == []  # there is no public address


@pytest.mark.distribution
@pytest.mark.skipif(importlib.util.find_spec("twine") is None, reason="twine is not installed")
def test_two_builds_of_a_release_have_the_same_bytes(tmp_path):
    """By the commands of CONTRIBUTING.md, of two copies, under two umasks."""
    commands = next(
        block.text for block in blocks((ROOT / "CONTRIBUTING.md").read_text("utf-8")) if "EPOCH" in block.text
    )
    commands = re.sub(r"\$\(git log [^)]*\)", "1767225600", commands)
    commands = re.sub(r"\bpython\b", sys.executable, commands)
    if "MIDDLEWARE_INSTALLED" in os.environ:  # tox has installed setuptools already
        commands = commands.replace("-m build", "-m build --no-isolation")
    built = []
    for number, mask in enumerate(("022", "002")):
        clean = tmp_path / str(number) / "clean"
        shutil.copytree(ROOT, clean, ignore=LEFTOVERS, copy_function=shutil.copyfile)
        run("bash", "-euc", f"umask {mask}; cd '{clean}'; {commands}")
        built.append({path.name: path.read_bytes() for path in (clean / "dist").iterdir()})
    assert sorted(name.rpartition(".")[2] for name in built[0]) == ["gz", "whl"]
    assert built[0] == built[1]


@pytest.mark.distribution
@pytest.mark.skipif(importlib.util.find_spec("twine") is None, reason="twine is not installed")
def test_an_index_would_accept_the_distributions(distributions):
    run(sys.executable, "-m", "twine", "check", "--strict", *map(str, distributions))


@pytest.mark.distribution
def test_the_sdist_installs_alone_and_imports(fresh_python):
    run(fresh_python, "-m", "pip", "--disable-pip-version-check", "check")
    run(fresh_python, "-I", "-W", "error", "-c", "import middleware")


@pytest.mark.distribution
def test_a_stack_works_without_any_extra(fresh_python):
    run(fresh_python, "-I", "-W", "error", "-c", SMOKE)


@pytest.mark.distribution
def test_the_command_is_there(fresh_python):
    assert "serve" in run(fresh_python, "-I", "-m", "middleware", "--help")


@pytest.mark.distribution
def test_the_console_script_is_there_whatever_is_called_middleware(fresh_python, tmp_path, monkeypatch):
    (tmp_path / "middleware.py").write_text("raise SystemExit('the wrong one')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    told = run(str(Path(fresh_python).with_name("wsgi-middleware-stack")), "--version")
    assert told.startswith(f"{NAME} {middleware.__version__}, Python ")
