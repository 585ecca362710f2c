"""Applications that nobody here wrote, bare or behind every layer, and waitress that serves them.

`python real_sites.py NAME bare|full FOLDER` serves what lies in FOLDER, which has to be there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from waitress.server import create_server

from served import announce
from serving import script
from whole import full


def webdav(folder: Path):
    from wsgidav.wsgidav_app import WsgiDAVApp

    return WsgiDAVApp({"provider_mapping": {"/": str(folder)}, "simple_dc": {"user_mapping": {"*": True}}})


def git(folder: Path):
    from dulwich.repo import Repo
    from dulwich.server import DictBackend
    from dulwich.web import make_wsgi_chain

    (folder / "repository").mkdir()
    return make_wsgi_chain(DictBackend({"/repository": Repo.init_bare(str(folder / "repository"))}))


def mercurial(folder: Path):
    from mercurial.hgweb import hgweb

    place = folder / "repository"
    subprocess.run([script("hg"), "init", str(place)], check=True)
    (place / ".hg" / "hgrc").write_text("[web]\npush_ssl = false\nallow-push = *\nallow-archive = zip\n")
    return hgweb(bytes(place))


def packages(folder: Path):
    from pypiserver import app

    return app(roots=[folder])


def calendar(folder: Path):
    from radicale.app import Application
    from radicale.config import load

    configuration = load()
    configuration.update({"storage": {"filesystem_folder": str(folder)}, "auth": {"type": "none"}})
    return Application(configuration)


def admin(folder: Path):
    import django
    from django.conf import settings
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    parts = ["admin", "auth", "contenttypes", "sessions", "messages"]
    keepers = ["sessions.middleware.SessionMiddleware", "middleware.csrf.CsrfViewMiddleware"]
    keepers += ["contrib.auth.middleware.AuthenticationMiddleware", "contrib.messages.middleware.MessageMiddleware"]
    processors = ["contrib.auth.context_processors.auth", "contrib.messages.context_processors.messages"]
    processors += ["template.context_processors.request"]
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        SECRET_KEY="of a site that lives as long as a test",  # noqa: S106
        ROOT_URLCONF="real_admin_urls",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "database"}},
        INSTALLED_APPS=[f"django.contrib.{part}" for part in parts],
        MIDDLEWARE=[f"django.{'contrib.' * keeper.startswith('sessions')}{keeper}" for keeper in keepers],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": [f"django.{name}" for name in processors]},
            }
        ],
        STATIC_URL="/static/",
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import User

    User.objects.create_superuser("root", password="correct horse")  # noqa: S106
    return get_wsgi_application()


SITES = {made.__name__: made for made in (webdav, git, mercurial, packages, calendar, admin)}

if __name__ == "__main__":
    _, name, how, place = sys.argv
    site = SITES[name](Path(place))
    server = create_server(full().wrap(site) if how == "full" else site, listen="127.0.0.1:0", threads=8)
    announce(server.effective_port)
    server.run()
