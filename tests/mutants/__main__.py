"""`make mutants`: alters the code that decides, a piece at a time (mutmut), and counts which changes a test notices.

python -m tests.mutants [--of MODULE ...] [--sample N [--seed S]] [--seconds S] [--tree DIR] [--survivors FILE]
                        [NAME ...]

Each change is tried with the tests that run the statement it is in, on SQLite and without browsers, until one fails;
`tests.mutants.plugin` does that.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.support.waiting import NET

ROOT: Final = Path(__file__).parent.parent.parent
DECIDES: Final = ("assurance", "sessions", "request/guard", "flows", "factors")
READS: Final = ("harvest", "reads", "request/metering")
CONFIGURATION: Final = f"""
[tool.mutmut]
source_paths = ["mfa_gate"]
only_mutate = {json.dumps([f"mfa_gate/{name}{end}" for name in DECIDES + READS for end in (".py", "/*")])}
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
SHOW: Final = """
import sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
for name in sys.stdin.read().split():
    lines = get_diff_for_mutant(name).splitlines()[2:]
    print("", name, *(line for line in lines if line[:1] in "+-"), sep="\\n")
"""


def generate(folder: Path) -> list[str]:
    """The tree with every mutant in it, unless it is there, and their names."""
    if not folder.exists():
        shutil.copytree(
            ROOT, folder, ignore=shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__")
        )
        with (folder / "pyproject.toml").open("a") as file:
            file.write(CONFIGURATION)
        (folder / "generate.py").write_text(GENERATE)
        subprocess.run([sys.executable, "generate.py"], cwd=folder, check=True, capture_output=True)
    made = sorted((folder / "mutants").rglob("*.meta"))
    return [name for file in made for name in json.loads(file.read_text())["exit_code_by_key"]]


def module_of(name: str) -> str:
    """What a mutant is chosen by: one of the modules and rooms that decide, or the room that it is in."""
    path = name.rpartition(".")[0].removeprefix("mfa_gate.").replace(".", "/")
    chosen = (one for one in DECIDES + READS if path == one or path.startswith(f"{one}/"))
    return next(chosen, path.partition("/")[0])


def tried(folder: Path, names: Sequence[str], seconds: float) -> Iterator[tuple[str, str]]:
    """Each mutant and what became of it, as it becomes known: "noticed", "survives", or "untested".

    Args:
        folder: the tree.
        names: of the mutants.
        seconds: what the tests of one may take together, by what they take without it.
    """
    (folder / "names").write_text("\n".join(names))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.mutants.plugin",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    chosen = ["-m", "not browser", "-k", "sqlite or not postgresql", "-o", "tmp_path_retention_policy=failed"]
    # joined by "=": pytest takes what stands alone for a path of tests, and looks for its own root there
    own = [f"--mutants={folder / 'names'}", f"--seconds={seconds}", f"--basetemp={folder / 'tmp'}"]
    own.append(f"--learnt={folder / 'learnt'}")
    with subprocess.Popen(
        [*command, *chosen, *own, "--capture=sys", "--timeout", str(NET), "tests"],
        cwd=folder / "mutants",
        env={**os.environ, "PYTHONPATH": str(folder / "mutants")},
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            word, _, name = line.strip().partition(" ")
            if word in ("noticed", "survives", "untested"):
                yield name, word
            elif word == "without":
                print(line.strip(), flush=True)
    if running.returncode not in (0, 1):
        raise SystemExit("the tests could not be run")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="How many changes are noticed.")
    parser.add_argument("--of", action="append", default=[], help="only of this module or room; may be repeated")
    parser.add_argument("--sample", type=int, default=600, help="so many, drawn by --seed; 0 for all (default: 600)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=30.0, help="of tests for each mutant, at most (default: 30)")
    parser.add_argument("--tree", type=Path, help="make the changed code there, or go on with what is there")
    parser.add_argument("--survivors", type=Path, help="write what was not noticed there, with its change")
    parser.add_argument("names", nargs="*", help="only these mutants")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = arguments.tree or Path(place) / "tree"
        names = [name for name in generate(folder) if module_of(name) in (arguments.of or DECIDES)]
        drawn = arguments.names or random.Random(arguments.seed).sample(names, len(names))[: arguments.sample or None]
        print(f"{len(drawn)} of {len(names)} mutants", flush=True)
        ended: dict[str, str] = {}
        for name, word in tried(folder, drawn, arguments.seconds):
            ended[name] = word
            print(f"{word:8} {name}", flush=True)
        left = [name for name in drawn if ended.get(name) != "noticed"]
        if arguments.survivors is not None:
            shown = subprocess.run(
                [sys.executable, "-c", SHOW],
                input="\n".join(left),
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
            )
            arguments.survivors.write_text(shown.stdout)
    missed, of = Counter(map(module_of, left)), Counter(map(module_of, drawn))
    for module, count in sorted(of.items()):
        print(f"{module}: {count - missed[module]} of {count} noticed ({100 * (1 - missed[module] / count):.1f} %)")
    print(f"{len(drawn) - len(left)} of {len(drawn)} noticed.")
    return 1 if len(left) > len(drawn) / 10 else 0


if __name__ == "__main__":
    sys.exit(main())
