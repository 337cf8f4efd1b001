"""The checks of this repository.

`nox` runs lint, types and tests; `nox -s slow` runs every estimator on every problem and the studies that take minutes,
`nox -s oldest` the tests with the oldest versions that are supported, `nox -s chaos` kills runs, workers and clusters
at random instants, `nox -s pyro` tries models of Pyro, and `nox -s reproduce` measures again what is published.
`nox -s release` builds and tries the wheel, and `nox -s docs` builds the documentation.
`nox -s bench` runs every benchmark once, `nox -s bench-compare -- BASE HEAD` judges a commit against another, and
`nox -s bench-publish` writes the history that has been measured as a site.
`nox -s peers` measures other libraries beside gradmark, and `nox -s gpu` gradmark on a GPU.
`nox -s atlas` measures every estimator on every problem, and writes the tables of the atlas anew.
Arguments after `--` go to the tool: `nox -s tests -- tests/test_registry.py -k plugin`.
"""

import os
import shutil
import subprocess
from pathlib import Path

import nox

# pip, not uv: which build of torch is installed is settled by pip's own configuration, which uv does not read.
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"

# Byte-compiling all that is installed takes a minute an environment; what is imported is compiled then, and kept: to
# compile torch anew takes every process two seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
PIP = ("--no-compile", "-c", "constraints.txt")
PACKAGE = ("-e", ".[cluster,parquet,test]")
BENCHMARKING = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "PIP_CONSTRAINT": str(Path("constraints.txt").resolve())}
BROWSER = ("chromium", "fonts-liberation")
SPREAD = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadgroup", "--no-loadscope-reorder")
"""A group of tests, which is a file where none is named, stays in one process, with what they share."""


@nox.session
def lint(session: nox.Session) -> None:
    """Style and common mistakes."""
    session.install(*PIP, "ruff")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check", *session.posargs)


@nox.session
def types(session: nox.Session) -> None:
    """Static types; what the code imports has to be installed."""
    session.install(*PIP, "-e", ".[cluster,parquet,test,docs]", "pyright", "nox")
    session.run("pyright", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite, without the slow studies."""
    session.install(*PIP, *PACKAGE)
    ensure_browser(session)
    session.run("pytest", *SPREAD, *session.posargs)


@nox.session(default=False)
def oldest(session: nox.Session) -> None:
    """The test suite with the oldest versions of torch, NumPy and pandas that are supported."""
    session.install("--no-compile", "-c", "oldest.txt", *PACKAGE)
    ensure_browser(session)
    session.run("pytest", *SPREAD, *session.posargs)


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """Every estimator on every problem, every kind of compiled gradient, and studies of coverage and the like."""
    session.install(*PIP, *PACKAGE)
    session.run("pytest", *SPREAD, "-m", "slow", *session.posargs)


@nox.session(default=False)
def chaos(session: nox.Session) -> None:
    """Runs that are killed at random instants, estimators that never end, and very many cells."""
    session.install(*PIP, *PACKAGE)
    session.run("pytest", "-m", "chaos", *session.posargs)


@nox.session(default=False)
def pyro(session: nox.Session) -> None:
    """Models of Pyro as programs, against Pyro's own gradients."""
    session.install(*PIP, "-e", ".[pyro,test]")
    session.run(
        "pytest",
        *SPREAD,
        "tests/test_pyro.py",
        "tests/test_pyro_refusals.py",
        "tests/test_pyro_command.py",
        *session.posargs,
    )


@nox.session(default=False)
def reproduce(session: nox.Session) -> None:
    """The published figures of the shipped sweeps, or of `-- NAME`, measured again; fails where one differs."""
    session.install(*PIP, "-e", ".")
    session.run("gradmark", "reproduce", *session.posargs)


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """The wheel, as a user gets it: built, installed into an environment of its own, and tried in an empty folder."""
    session.install(*PIP, "build")
    built, folder = Path(session.create_tmp(), "dist").resolve(), Path(session.create_tmp(), "empty").resolve()
    for one in (built, folder):
        shutil.rmtree(one, ignore_errors=True)
        one.mkdir()
    session.run("python", "-m", "build", "--outdir", str(built))
    (wheel,) = built.glob("*.whl")
    session.install(*PIP, str(wheel))
    with session.chdir(folder):
        session.run("gradmark", "doctor")
        session.run("gradmark", "run", "quickstart")
        session.run("gradmark", "new", "program", "my-model")
        session.run("gradmark", "rank", "my_model.py", "--seconds", "10")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The documentation, as a site in build/site, and what a browser says of it."""
    session.install(*PIP, "-e", ".[docs,test]")
    ensure_browser(session)
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})
    session.run("pytest", "-m", "docs", "tests/test_site.py", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Every benchmark once, on the working tree, in the environment of this session."""
    session.install(*PIP, *PACKAGE)
    session.run("asv", "machine", "--yes")
    session.run("asv", "run", "--python=same", "--quick", "--show-stderr", *session.posargs, env=BENCHMARKING)


@nox.session(name="bench-compare", default=False)
def bench_compare(session: nox.Session) -> None:
    """`-- BASE HEAD [--all | --bench REGEX]`: is HEAD worse? Ends with 3 if so, with 4 if nothing could be compared."""
    session.install(*PIP, "asv", "scipy")
    command = [shutil.which("python", path=session.bin) or "python", "-m", "benchmarks.gate", *session.posargs]
    if code := subprocess.call(command, env={**os.environ, **BENCHMARKING}):
        raise SystemExit(code)  # session.run would end with 1, whatever the command ended with


@nox.session(name="bench-record", default=False)
def bench_record(session: nox.Session) -> None:
    """`[-- NAME]`: measure the newest commit for the history of this machine, or of all those that are called NAME."""
    session.install(*PIP, "asv")
    machine = ["--machine", *session.posargs] if session.posargs else []
    session.run("asv", "machine", "--yes")  # which describes it
    session.run("asv", "machine", "--yes", *machine)
    command = ["asv", "run", "--show-stderr", "--skip-existing-commits", *machine, "HEAD^!"]
    session.run(*command, env=BENCHMARKING, success_codes=[0, 2])  # 2: some benchmarks failed; the others count


@nox.session(name="bench-publish", default=False)
def bench_publish(session: nox.Session) -> None:
    """The history of what asv has measured, as a static site in .asv/html."""
    session.install(*PIP, "asv")
    session.run("asv", "publish", *session.posargs)


@nox.session(default=False)
def peers(session: nox.Session) -> None:
    """The same gradients by others, beside gradmark, on one core; writes results/reference/peers."""
    session.install(*PIP, "-e", ".", "jax", "pyro-ppl", "storchastic")
    arguments = session.posargs or ["--folder", "results/reference/peers"]
    session.run("python", "-m", "benchmarks.peers.compare", *arguments)


@nox.session(default=False)
def atlas(session: nox.Session) -> None:
    """Every estimator on every problem, in about an hour; says what changed, and writes results/reference/atlas.

    `-- --seed 1 --only-compare`: with other noise, held against what is kept.
    """
    session.install(*PIP, "-e", ".")
    session.run("python", "-m", "benchmarks.atlas", *session.posargs, success_codes=[0, 3])


@nox.session(default=False)
def gpu(session: nox.Session) -> None:
    """What has to hold on a GPU, and the cases of `peers` there; writes results/reference/gpu.

    `-- --device cpu --quick` tries all of it on the CPU.
    """
    session.install(*PIP, "-e", ".")
    arguments = session.posargs or ["--folder", "results/reference/gpu"]
    session.run("python", "-m", "benchmarks.gpu", *arguments)


def ensure_browser(session: nox.Session) -> None:
    """The tests of the HTML report drive Chromium, which pip cannot install."""
    if shutil.which("chromium"):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        session.error("the tests of the report need Chromium: install it so that `chromium` is on the PATH")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    session.run("apt-get", "update", external=True)
    session.run("apt-get", "install", "-y", "--no-install-recommends", *BROWSER, external=True, env=quiet)
