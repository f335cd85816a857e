"""The package as a portal installs it: a copy of the checkout, an environment of its own, and no network."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
# what a build reads; a catalogue that an earlier build has compiled is not among it
_BUILT_FROM: Final = ("mfa_gate", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE")
_LEFT_OUT: Final = ("*.mo", "__pycache__")
_SCRIPTS: Final = {"pip": "pip._internal.cli.main", "flask": "flask.cli"}
# pip builds by what is installed here and asks no registry; that is all that differs from a reader's own machine
_PIP_CONF: Final = "[global]\nno-index = true\nno-build-isolation = false\ndisable-pip-version-check = true\n"


def checkout(home: Path) -> Path:
    """Copy what a build reads to `~/mfa-gate`, which is where README.md has its reader's checkout."""
    copy = home / "mfa-gate"
    copy.mkdir(parents=True)
    for name in _BUILT_FROM:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        else:
            shutil.copy(source, copy / name)
    return copy


def environment(home: Path) -> dict[str, str]:
    """Make a virtual environment with all that the package depends on, and not the package.

    Args:
        home: a home directory, which gets the environment and pip's settings.

    Returns:
        The whole of the environment variables of a fresh shell: PATH and HOME.
    """
    venv = home / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    here = {Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))}
    dependencies = home / "dependencies"
    dependencies.mkdir()
    for entry in (entry for folder in here for entry in folder.iterdir()):
        if "mfa_gate" not in entry.name and entry.suffix != ".pth":
            (dependencies / entry.name).symlink_to(entry)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    for name, module in _SCRIPTS.items():
        script = venv / "bin" / name
        script.write_text(f"#!{venv}/bin/python\nimport sys\nfrom {module} import main\nsys.exit(main())\n")
        script.chmod(0o755)
    conf = home / ".config" / "pip" / "pip.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(_PIP_CONF)
    return {"PATH": f"{venv / 'bin'}:/usr/bin:/bin", "HOME": str(home)}


def build_wheel(home: Path) -> Path:
    """Build the wheel by the command that README.md names; the file."""
    run("pip wheel --no-deps .", checkout(home), environment(home))
    (wheel,) = (home / "mfa-gate").glob("*.whl")
    return wheel


def run(command: str, folder: Path, variables: dict[str, str]) -> str:
    """Run a command of a shell; what it printed."""
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
