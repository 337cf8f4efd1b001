"""The checks of this repository.

`nox` runs lint, types and tests; `nox -s slow` runs the statistical studies that take minutes, and `nox -s chaos` kills
runs, workers and clusters at random instants.
Arguments after `--` go to the tool: `nox -s tests -- tests/test_registry.py -k plugin`.
"""

import os
import shutil

import nox

# pip, not uv: which build of torch is installed is settled by pip's own configuration, which uv does not read.
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"

# Byte-compiling all that is installed takes a minute an environment; what is imported is compiled then.
PIP = ("--no-compile", "-c", "constraints.txt")
PACKAGE = ("-e", ".[cluster,parquet,test]")
BROWSER = ("chromium", "fonts-liberation")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and common mistakes."""
    session.install(*PIP, "ruff")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check", *session.posargs)


@nox.session
def types(session: nox.Session) -> None:
    """Static types; what the code imports has to be installed."""
    session.install(*PIP, *PACKAGE, "pyright", "nox")
    session.run("pyright", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite, without the slow studies."""
    session.install(*PIP, *PACKAGE)
    ensure_browser(session)
    session.run("pytest", "-n", "auto", "--maxprocesses", "4", *session.posargs)


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """Statistical studies: coverage of the intervals and the like."""
    session.install(*PIP, *PACKAGE)
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session(default=False)
def chaos(session: nox.Session) -> None:
    """Runs that are killed at random instants, and very many cells."""
    session.install(*PIP, *PACKAGE)
    session.run("pytest", "-m", "chaos", *session.posargs)


def ensure_browser(session: nox.Session) -> None:
    """The tests of the HTML report drive Chromium, which pip cannot install."""
    if shutil.which("chromium"):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        session.error("the tests of the report need Chromium: install it so that `chromium` is on the PATH")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    session.run("apt-get", "update", external=True)
    session.run("apt-get", "install", "-y", "--no-install-recommends", *BROWSER, external=True, env=quiet)
