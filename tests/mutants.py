"""`make mutants`: alters the code that decides, a piece at a time (mutmut), and counts which changes a test notices.

python -m tests.mutants [--sample N] [--seed S] [--of MODULE ...] [NAME ...]

There are thousands, so a sample is drawn, the same for the same seed. Each runs the tests of its module on SQLite,
without browsers, until one fails.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
AT_ONCE: Final = 2
PASSKEYS: Final = (
    "passkeys passkeys_bodies passkeys_challenge passkeys_kept passkeys_others passkeys_refused passkeys_settings "
    "webauthn_factor webauthn_malformed webauthn_registration attestation no_downgrade related_origins"
)
OWN: Final = "own own_ended own_fresh own_removed own_rights own_sessions stale_sessions"
# what is likely to notice a change soon comes first
TESTS: Final = {
    "assurance": f"guard {OWN} policy policy_views no_downgrade testing",
    "session": f"sessions {OWN} guard policy_views sessions_page",
    "guard": "guard identity policy_views flask_login targets sessions stale_sessions limits faults marks",
    "flows/activation": "activation letters enrolment cli desk recovery_lost audit_chain",
    "flows/cases": "desk cli sessions_page",
    "flows/ceremony": f"enrolment {OWN} guard no_downgrade recovery_lost totp policy_views sessions passkeys",
    "flows/enrolment": "enrolment totp activation pages audit_chain policy_views inputs secrets",
    "flows/imports": "import",
    "flows/keys": "keyring passkeys_kept cli",
    "flows/life": "sessions own_sessions cli desk notices audit_chain limits activation policy_views races",
    "flows/log": "audit_chain cli",
    "flows/notices": "notices notices_send policy",
    "flows/own": f"{OWN} recovery_renewed passkeys_kept audit_chain notices",
    "flows/password": "first_factor limits devices",
    "flows/proving": "devices totp sessions limits notices passkeys",
    "flows/recovery": "recovery notices recovery_draws recovery_lost recovery_renewed limits codes_saved",
    "flows/sign_in": "totp sessions limits devices identity guard secrets policy_views import keyring audit_chain",
    "flows/status": "policy_views cli",
    "flows/webauthn": PASSKEYS,
    "factors/exported": "import",
    "factors/recovery": "recovery_factor recovery recovery_draws",
    "factors/totp": "totp_vectors totp import enrolment",
    "factors": PASSKEYS,
    "harvest": "harvest reads reads_fan_in desk_reads",
    "metering": "reads",
    "reads": "reads reads_fan_in reports desk_reads alerts reads_races",
}
ALWAYS: Final = ("faults_anywhere",)
CONFIGURATION: Final = """
[tool.mutmut]
source_paths = ["mfa_gate"]
only_mutate = [
    "mfa_gate/assurance.py", "mfa_gate/session.py", "mfa_gate/guard.py", "mfa_gate/flows/*", "mfa_gate/factors/*",
    "mfa_gate/harvest/*", "mfa_gate/reads.py", "mfa_gate/metering.py"
]
also_copy = ["tests", "demo_app", "benchmarks", "docs", "README.md"]
"""
GENERATE: Final = """
import os
from mutmut.__main__ import copy_src_dir, create_mutants, set_mutant_under_test
from mutmut.utils.file_utils import copy_also_copy_files, setup_source_paths
if __name__ == "__main__":
    set_mutant_under_test("mutant_generation")
    os.makedirs("mutants")
    copy_src_dir()
    copy_also_copy_files()
    setup_source_paths()
    create_mutants(2)
"""


def generate(folder: Path) -> list[str]:
    """The tree with every mutant in it, and their names."""
    shutil.copytree(
        ROOT, folder, ignore=shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__")
    )
    with (folder / "pyproject.toml").open("a") as file:
        file.write(CONFIGURATION)
    (folder / "generate.py").write_text(GENERATE)
    subprocess.run([sys.executable, "generate.py"], cwd=folder, check=True, capture_output=True)
    made = sorted((folder / "mutants").rglob("*.meta"))
    return [name for file in made for name in json.loads(file.read_text())["exit_code_by_key"]]


def _module(name: str) -> tuple[str, str]:
    """The room and the module of a mutant."""
    module = re.sub(r"^mfa_gate\.", "", name.rpartition(".")[0]).replace(".", "/")
    return module.partition("/")[0], module


def tests_of(name: str) -> list[str]:
    """The tests of a mutant's module."""
    room, module = _module(name)
    own = TESTS.get(module) or TESTS[room]
    return [f"tests/test_{word}.py" for word in dict.fromkeys([*own.split(), *ALWAYS])]


def is_noticed(folder: Path, name: str) -> bool:
    """Whether a test fails with this mutant in the code, or hangs."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--timeout", "30"]
    done = subprocess.run(
        [*command, "-m", "not browser", "-k", "sqlite or not postgresql", *tests_of(name)],
        cwd=folder / "mutants",
        env={**os.environ, "MUTANT_UNDER_TEST": name, "PYTHONPATH": str(folder / "mutants")},
        capture_output=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stdout.decode()[-2000:])
    return done.returncode == 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="How many changes are noticed.")
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--of", action="append", default=[], help="only of this module, such as harvest; may be repeated"
    )
    parser.add_argument("names", nargs="*", help="only these mutants")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "tree"
        names = [name for name in generate(folder) if not arguments.of or _module(name)[0] in arguments.of]
        if is_noticed(folder, names[0].rpartition("__mutmut_")[0] + "__mutmut_0"):
            parser.error("the tests fail without a mutant too")
        drawn = arguments.names or random.Random(arguments.seed).sample(names, min(arguments.sample, len(names)))
        print(f"{len(drawn)} of {len(names)} mutants, seed {arguments.seed}", flush=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            left = 0
            for name, noticed in zip(drawn, pool.map(lambda name: is_noticed(folder, name), drawn), strict=True):
                left += not noticed
                print(f"{'noticed ' if noticed else 'SURVIVES'} {name}", flush=True)
    print(f"{len(drawn) - left} of {len(drawn)} noticed.")
    return 1 if left > len(drawn) / 10 else 0


if __name__ == "__main__":
    sys.exit(main())
