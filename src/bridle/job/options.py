"""What the main job can be asked for, checked once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridle.errors import InputError
from bridle.nets.extra import available
from bridle.penalties import read_penalty

Progress = Callable[[str, int, int], None]  # stage, done, total

TECHNIQUES: tuple[str, ...] = ("unregularised", "ridge", "lasso", "elastic net", "dropout")
RULES: tuple[str, ...] = ("min", "1se", "within", "aic", "aicc", "bic", "ebic", "gcv")
MISSING: tuple[str, ...] = ("indicator", "mean", "median", "drop", "error")
L1_RATIOS: dict[str, tuple[float, ...]] = {"ridge": (0.0,), "lasso": (1.0,), "elastic net": (0.1, 0.5, 0.9)}


@dataclass(frozen=True)
class Options:
    """Settings of one study; see :func:`bridle.study` for their meaning."""

    models: tuple[str, ...]
    rule: str
    folds: int
    repeats: int
    holdout: float
    margin: float
    level: float
    missing: str
    bootstrap: int
    challengers: bool
    learning_curve: bool
    seed: int
    n_jobs: int
    tol: float
    penalty: str = "elastic_net"
    hierarchy: str = ""
    relax: bool = False


def check_options(
    *,
    models: Sequence[str] | None,
    rule: str,
    folds: int,
    repeats: int,
    holdout: float,
    margin: float,
    level: float,
    missing: str,
    bootstrap: int,
    challengers: bool,
    learning_curve: bool,
    seed: int,
    n_jobs: int | None,
    tol: float,
    penalty: str = "elastic_net",
    hierarchy: str | None = None,
    relax: bool = False,
) -> Options:
    """Return the settings as one value.

    Raises
    ------
    InputError
        A setting is outside its range; the message gives the range.
    """
    wanted = tuple(default_techniques() if models is None else dict.fromkeys(_model_name(m) for m in models))
    if not wanted:
        raise InputError(f"no model is asked for; expected some of {', '.join(TECHNIQUES)}")
    _one_of("rule", rule, RULES)
    _one_of("missing", missing, MISSING)
    _between("folds", folds, 2, 1000)
    _between("repeats", repeats, 1, 100)
    _between("holdout", holdout, 0.0, 0.9)
    _between("margin", margin, 0.001, 1.0)
    _between("level", level, 0.5, 0.999)
    _between("bootstrap", bootstrap, 0, 10_000)
    _between("seed", seed, 0, 2**32 - 1)
    _between("tol", tol, 1e-12, 1e-2)
    kind = read_penalty(penalty)
    if hierarchy is not None:
        _one_of("hierarchy", hierarchy, ("strong", "weak"))
        kind = read_penalty("group_lasso") if kind.name == "elastic_net" else kind
        if not kind.grouped or kind.l1_share > 0.0:
            raise InputError(
                f"hierarchy needs a penalty on whole groups, and {penalty!r} isn't one; leave penalty out, or give "
                "group_lasso"
            )
    jobs = (os.cpu_count() or 1) if n_jobs is None or n_jobs == -1 else n_jobs
    _between("n_jobs", jobs, 1, 4096)
    return Options(
        models=wanted, rule=rule, folds=folds, repeats=repeats, holdout=holdout, margin=margin, level=level,
        missing=missing, bootstrap=bootstrap, challengers=challengers, learning_curve=learning_curve, seed=seed,
        n_jobs=jobs, tol=tol, penalty=kind.spec, hierarchy=hierarchy or "",
        relax=bool(relax),
    )  # fmt: skip


def default_techniques() -> tuple[str, ...]:
    """All techniques; without PyTorch all but dropout."""
    return tuple(t for t in TECHNIQUES if t != "dropout" or available())


def _model_name(name: str) -> str:
    clean = name.strip().lower().replace("_", " ").replace("-", " ")
    clean = {"elasticnet": "elastic net", "enet": "elastic net", "l1": "lasso", "l2": "ridge", "none": "unregularised",
             "unregularized": "unregularised", "ols": "unregularised", "network": "dropout",
             "dropout network": "dropout"}.get(clean, clean)  # fmt: skip
    _one_of("model", clean, TECHNIQUES)
    return clean


def _one_of(what: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise InputError(f"unknown {what} {value!r}; expected one of {', '.join(allowed)}")


def _between(what: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"{what} must lie between {low} and {high}; got {value!r}")
