"""lab/setup.sh: the Python that it takes, what it says when it cannot go on, and nothing left half made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUB = "#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n"
GOOD = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
OLD = "#!/bin/sh\nexit 1\n"
BARE = f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"\n'
# A shell makes what it starts in the background ignore SIGINT, nohup SIGHUP, and that is inherited.
HEARING = (
    "import os, signal, sys\n"
    "for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):\n"
    "    signal.signal(number, signal.SIG_DFL)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
COREUTILS = (
    "bash cat chmod dirname env grep head id mktemp printf rm sh sleep sort tail tee touch mkdir ldconfig"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory that is all that there is of a system: no Python, no apt-get.

    `tools` links to this system's own programs; `bin`, which comes before it, has what a test makes.
    """
    (tmp_path / "tools").mkdir()
    for name in COREUTILS.split():
        for directory in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
            if (Path(directory) / name).exists():
                (tmp_path / "tools" / name).symlink_to(Path(directory) / name)
                break
    program(tmp_path, "sudo", '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n')
    return tmp_path


def program(place: Path, name: str, text: str) -> Path:
    file = place / "bin" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


def environment(place: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": f"{place / 'bin'}:{place / 'tools'}",
        "HOME": str(place),
        "PYENV_ROOT": str(place / "pyenv"),
        "POLICY_RC_D": str(place / "policy-rc.d"),
        **more,
    }


def setup(place: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "lab/setup.sh"), *arguments],
        env=environment(place, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_recommended_python_is_taken_first(place: Path) -> None:
    for name in ("python3", "python3.11", "python3.12"):
        program(place, name, GOOD)
    wanted = program(place, "python3.13", GOOD)
    assert setup(place, "--python").stdout.strip() == str(wanted)


@pytest.mark.parametrize("text", [STUB, OLD, BARE], ids=["a stub", "too old", "cannot make an environment"])
def test_one_that_is_of_no_use_is_passed_over(place: Path, text: str) -> None:
    program(place, "python3.13", text)
    wanted = program(place, "python3.12", GOOD)
    assert setup(place, "--python").stdout.strip() == str(wanted)


def test_one_that_pyenv_keeps_is_found_where_it_is(place: Path) -> None:
    program(place, "python3.13", STUB)
    program(place, "python3", GOOD)
    wanted = program(place / "pyenv/versions/3.13.10", "python3.13", GOOD)
    program(place / "pyenv/versions/3.13.9", "python3.13", GOOD)
    assert setup(place, "--python").stdout.strip() == str(wanted)


def test_one_version_is_asked_for(place: Path) -> None:
    program(place, "python3", GOOD)
    program(place, "python3.13", GOOD)
    wanted = program(place, "python3.12", GOOD)
    assert setup(place, "--python", "3.12").stdout.strip() == str(wanted)
    missing = setup(place, "--python", "3.14")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "There is no Python 3.14 here." in missing.stderr


def test_what_the_user_names_overrides(place: Path) -> None:
    program(place, "python3.13", GOOD)
    wanted = program(place, "mine", GOOD)
    assert setup(place, "--python", PYTHON="mine").stdout.strip() == str(wanted)


@pytest.mark.parametrize(
    ("named", "text", "said"),
    [
        ("nowhere", None, "PYTHON=nowhere: there is no such command."),
        ("python3.13", STUB, "PYTHON=python3.13 does not answer as Python 3.11 or newer"),
        ("python3", OLD, "PYTHON=python3 does not answer as Python 3.11 or newer"),
    ],
)
def test_what_the_user_names_and_is_of_no_use_is_said(
    place: Path, named: str, text: str | None, said: str
) -> None:
    program(place, "python3.12", GOOD)
    if text is not None:
        program(place, named, text)
    done = setup(place, str(place / "venv"), "demo", PYTHON=named)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (place / "venv").exists()


@pytest.mark.parametrize(
    ("apt", "said"),
    [
        (None, "no apt-get"),
        ("#!/bin/sh\necho 'E: Unable to locate package' >&2\nexit 100\n", "E: Unable to locate package"),
    ],
    ids=["no apt", "offline"],
)
@pytest.mark.parametrize("arguments", [("--packages", "pebble"), ("venv", "demo")])
def test_what_cannot_be_installed_is_said_with_its_names(
    place: Path, apt: str | None, said: str, arguments: tuple[str, ...]
) -> None:
    if apt is not None:
        program(place, "apt-get", apt)
    done = setup(place, *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert ("pebble" if "--packages" in arguments else "python3-venv") in done.stderr
    assert not (place / "policy-rc.d").exists()


def test_without_root_the_line_to_type_is_said(place: Path) -> None:
    program(place, "apt-get", "#!/bin/sh\n")
    program(place, "id", "#!/bin/sh\necho 1000\n")
    program(place, "sudo", "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    done = setup(place, "--packages", "pebble")
    assert done.returncode == 1
    assert "sudo apt-get install --no-install-recommends" in done.stderr
    assert "pebble" in done.stderr


@pytest.mark.parametrize("there", [STUB, None], ids=["another version", "its Python is gone"])
def test_an_environment_of_a_python_that_is_gone_is_said_and_kept(place: Path, there: str | None) -> None:
    program(place, "python3.13", GOOD)
    python = program(place / "venv", "python", there or "")
    if there is None:
        python.unlink()
        python.symlink_to(place / "gone")
    done = setup(place, str(place / "venv"), "demo")
    assert (done.returncode, "make clean" in done.stderr) == (1, True)
    assert python.is_symlink() or python.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_that_is_interrupted_leaves_no_policy(place: Path, number: signal.Signals) -> None:
    program(place, "apt-get", f"#!/bin/sh\ntouch {place}/installing\nsleep 60\n")
    interrupt(place, place / "installing", number, "--packages", "pebble")
    assert not (place / "policy-rc.d").exists()


def test_a_policy_that_is_not_ours_stays(place: Path) -> None:
    (place / "policy-rc.d").write_text("#!/bin/sh\nexit 0\n")
    program(place, "apt-get", "#!/bin/sh\nexit 100\n")
    assert setup(place, "--packages", "pebble").returncode == 1
    assert (place / "policy-rc.d").exists()


def test_a_policy_of_ours_that_a_killed_run_left_goes(place: Path) -> None:
    program(place, "apt-get", f"#!/bin/sh\ntouch {place}/installing\nsleep 60\n")
    interrupt(place, place / "installing", signal.SIGKILL, "--packages", "pebble")
    assert (place / "policy-rc.d").exists()
    program(place, "apt-get", "#!/bin/sh\nexit 0\n")
    assert setup(place, "--packages", "pebble").returncode == 0
    assert not (place / "policy-rc.d").exists()


def test_one_that_is_interrupted_leaves_no_half_environment(place: Path) -> None:
    venv = place / "venv"
    program(
        place,
        "python3.13",
        f'#!/bin/sh\ncase "$*" in *"-m venv"*)\n'
        f"mkdir -p {venv}/bin; touch {venv}/bin/python; sleep 60 ;;\n"
        f'esac\nexec {sys.executable} "$@"\n',
    )
    interrupt(place, venv / "bin/python", signal.SIGINT, str(venv), "demo")
    assert not venv.exists()


def interrupt(place: Path, begun: Path, number: signal.Signals, *arguments: str) -> None:
    """Run it until a file is there, then signal its whole group, as a terminal does."""
    running = subprocess.Popen(
        [sys.executable, "-c", HEARING, str(ROOT / "lab/setup.sh"), *arguments],
        env=environment(place),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while not begun.exists():
            assert running.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        os.killpg(running.pid, number)
        assert running.wait(120) != 0
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
