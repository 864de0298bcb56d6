"""Make the peers' environments: ``python benchmarks/solvers/install.py [PEER ...]``.

Each peer gets a virtual environment of its own in ``.peers`` with its newest release from PyPI; what can't be installed
is said, with the reason, and left out of the runs. R's glmnet comes from the system: ``apt-get install r-base-core
r-cran-glmnet r-cran-statmod``, the last for Tweedie. bridle itself is measured in the environment that runs the
benchmark.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
HOME = HERE / ".peers"
PACKAGES = {
    "scikit-learn": ["scikit-learn"],
    "celer": ["celer"],
    "skglm": ["skglm"],
    "adelie": ["adelie"],
    "glum": ["glum"],
    "snapml": ["snapml"],
    "scikit-survival": ["scikit-survival"],
}
MODULES = {"scikit-learn": "sklearn", "scikit-survival": "sksurv"}
LEFT_OUT = {
    "abess": "solves best-subset selection (an L0 constraint), which has no solution in common with this objective"
}


def install(peer: str) -> dict[str, str]:
    """Return the interpreter and version of the peer, or why there is none."""
    folder = HOME / peer
    python = folder / "bin" / "python"
    venv.create(folder, with_pip=True, clear=True)
    done = _run(python, "-m", "pip", "install", "-q", *PACKAGES[peer])
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1][:300]}
    tried = _run(python, "-c", f"import {MODULES.get(peer, peer)}")
    if tried.returncode:
        return {"error": "doesn't import: " + tried.stderr.strip().splitlines()[-1][:300]}
    ask = f"from importlib.metadata import version; print(version('{PACKAGES[peer][0]}'))"
    return {"python": str(python), "version": subprocess.check_output([str(python), "-c", ask], text=True).strip()}


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def find_glmnet() -> dict[str, str]:
    """Return Rscript and the version of glmnet, or what to do to have them."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return {"error": "no Rscript; apt-get install r-base-core r-cran-glmnet"}
    ask = "cat(as.character(packageVersion('glmnet')))"
    done = _run(rscript, "-e", ask)
    if done.returncode:
        return {"error": "R has no glmnet; apt-get install r-cran-glmnet"}
    return {"python": rscript, "version": done.stdout.strip()}


def installed() -> dict[str, dict[str, str]]:
    """What ``install.py`` found, by peer; bridle is the running interpreter's."""
    from importlib.metadata import version

    listed = HOME / "installed.json"
    peers = json.loads(listed.read_text()) if listed.exists() else {}
    return {"bridle": {"python": sys.executable, "version": version("bridle")}, **peers}


def main(wanted: list[str]) -> None:
    HOME.mkdir(exist_ok=True)
    listed = HOME / "installed.json"
    found = json.loads(listed.read_text()) if listed.exists() else {}
    for peer in wanted or [*PACKAGES, "glmnet"]:
        found[peer] = find_glmnet() if peer == "glmnet" else install(peer)
        aside = listed.with_suffix(".part")
        aside.write_text(json.dumps(found, indent=1) + "\n")
        aside.replace(listed)
        print(f"{peer}: {found[peer].get('version') or 'NOT INSTALLED, ' + found[peer]['error']}")
    for peer, why in LEFT_OUT.items():
        print(f"{peer}: left out; it {why}")


if __name__ == "__main__":
    main(sys.argv[1:])
