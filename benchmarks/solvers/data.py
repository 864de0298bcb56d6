"""The work: cases (A) to (S) and real tables, at full size or ``small`` for trying.

Dense columns are centred and scaled (1/n), a gaussian target too, so that every competitor solves the same objective
with its own standardisation off, and none has its penalty in other units (glmnet divides a gaussian target by its
standard deviation: here 1). Sparse rows have length 1, as text has after tf-idf, and keep their scale.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Float = NDArray[np.float64]
FOLDS = 10


@dataclass(frozen=True)
class Work:
    """Rows to fit and rows held out; ``problems`` > 1 says that X and y are as many equal tables, stacked."""

    X: Any  # (n, p)
    y: Float  # (n,), (n, K) for several responses, (n, 2) for time and event
    X_test: Any  # (m, p)
    y_test: Float  # like y
    problems: int = 1

    @property
    def folds(self) -> NDArray[np.int64]:
        """Number of each row's fold, (n / problems,); the same for every problem."""
        rows = self.X.shape[0] // self.problems
        return np.random.default_rng(0).permutation(np.arange(rows) % FOLDS)


@dataclass(frozen=True)
class Case:
    """One row of the benchmark."""

    name: str
    family: str
    make: Callable[[], Work]
    l1_ratio: float = 1.0
    penalty: str = "elastic_net"
    groups: int = 1  # features a group, one group after the other
    joint: bool = False  # whether a feature's coefficients for all predictors make one block
    intercept: bool = True
    prover: str = "bridle"  # who goes first, and whose tightest answer bounds the minima from below


def cases(small: bool = False) -> list[Case]:
    """All of the work, (A) to (S), then the real tables."""
    size = partial(_size, small)
    a = Case("A gaussian 200k x 300", "gaussian", partial(dense, "gaussian", *size(200_000, 300), rho=0.3))
    b = [
        Case(f"B gaussian 500 x {p // 1000}k rho {rho}", "gaussian", partial(dense, "gaussian", *size(500, p), rho=rho))
        for p in (20_000, 200_000)
        for rho in (0.0, 0.5, 0.9)
    ]
    d = Case("D binomial 100k x 300", "binomial", partial(dense, "binomial", *size(100_000, 300), rho=0.3))
    listed = [
        a,
        Case("A gaussian 1M x 100", "gaussian", partial(dense, "gaussian", *size(1_000_000, 100), rho=0.3)),
        *b,
        Case("C gaussian sparse 20k x 200k", "gaussian", partial(text, "gaussian", *size(20_000, 200_000))),
        Case("C binomial sparse 20k x 200k", "binomial", partial(text, "binomial", *size(20_000, 200_000))),
        d,
        Case("D binomial 20k x 1k", "binomial", partial(dense, "binomial", *size(20_000, 1000), rho=0.3)),
        Case("D binomial 500 x 10k", "binomial", partial(dense, "binomial", *size(500, 10_000), rho=0.3)),
        Case("E poisson 100k x 100", "poisson", partial(dense, "poisson", *size(100_000, 100), rho=0.3)),
        Case("F binomial float32 50k x 768", "binomial", partial(embeddings, *size(50_000, 768))),
        Case("G gaussian 1000 times 100 x 20", "gaussian", partial(many, 20 if small else 1000)),
    ]
    for name, ratio in (("elastic net", 0.5), ("ridge", 0.0)):
        listed += [replace(case, name=f"H {name} {case.name}", l1_ratio=ratio) for case in (a, b[1], d)]
    listed += families(size, 3 if small else 10) + penalties(size) + losses(size)
    return listed + [Case(f"real {name}", family, make) for name, family, make in real()]


def families(size: Callable[[int, int], tuple[int, int]], K: int) -> list[Case]:
    """(I) multinomial, (J) several responses, (K) Cox, (L) amounts: one seed and one correlation for all."""
    make = partial(dense, rho=0.3)
    several = partial(make, "multinomial", *size(20_000, 500), predictors=K)
    responses = partial(make, "multigaussian", *size(20_000, 500), predictors=K)
    amounts = size(100_000, 100)
    return [
        Case("I multinomial 20k x 500 x 10", "multinomial", several),
        Case("I multinomial joint 20k x 500 x 10", "multinomial", several, joint=True),
        Case("J multigaussian joint 20k x 500 x 10", "multigaussian", responses, joint=True),
        Case("K cox 20k x 500", "cox", partial(make, "cox", *size(20_000, 500))),
        Case("K cox 500 x 10k", "cox", partial(make, "cox", *size(500, 10_000))),
        Case("L gamma 100k x 100", "gamma", partial(make, "gamma", *amounts)),
        Case("L tweedie 100k x 100", "tweedie(power=1.5)", partial(make, "tweedie(power=1.5)", *amounts)),
    ]


def penalties(size: Callable[[int, int], tuple[int, int]]) -> list[Case]:
    """(M) group lasso and sparse groups, (N) MCP and SCAD.

    MCP's gamma is 8 for binomial targets: loss curves by 1/4 at most there, and coordinate descent with a bound of that
    for its step, skglm's, needs a gamma above 4.
    """
    listed = []
    for family, shape, group in (
        ("gaussian", (500, 10_000), 10),
        ("gaussian", (100_000, 300), 5),
        ("binomial", (20_000, 500), 5),
    ):
        n, p = (f"{k // 1000}k" if k >= 1000 else str(k) for k in shape)
        make = partial(dense, family, *size(*shape), rho=0.3, group=group)
        listed.append(
            Case(f"M groups of {group} {family} {n} x {p}", family, make, penalty="group_lasso", groups=group)
        )
    make, tall = partial(dense, rho=0.3), size(20_000, 500)
    wide = partial(make, "gaussian", *size(500, 10_000))
    groups = partial(wide, group=10)
    share = "sparse_group_lasso(l1_share=0.5)"
    return [
        *listed,
        Case("M sparse groups of 10 gaussian 500 x 10k", "gaussian", groups, penalty=share, groups=10),
        Case("N mcp gaussian 500 x 10k", "gaussian", wide, penalty="mcp(gamma=3)"),
        Case("N scad gaussian 500 x 10k", "gaussian", wide, penalty="scad(gamma=3.7)"),
        Case("N mcp binomial 20k x 500", "binomial", partial(make, "binomial", *tall), penalty="mcp(gamma=8)"),
    ]


def losses(size: Callable[[int, int], tuple[int, int]]) -> list[Case]:
    """(O) negative binomial, (P) Huber, (Q) squared hinge, (R) quantile, (S) ordered classes.

    Hinges have no intercept, since the peer would penalise it. Quantiles have few rows: the peer solves linear
    programmes, whose vertices have exact dual points.
    """
    make = partial(dense, rho=0.3)
    listed = []
    for letter, family, shapes in (
        ("O", "negative_binomial(theta=2)", ((100_000, 100),)),
        ("P", "huber(delta=0.8)", ((100_000, 100), (500, 10_000))),
        ("Q", "squared_hinge", ((20_000, 500), (500, 10_000))),
        ("R", "quantile(tau=0.8)", ((1000, 20), (200, 500))),
    ):
        for shape in shapes:
            n, p = (f"{k // 1000}k" if k >= 1000 else str(k) for k in shape)
            name = f"{letter} {family.partition('(')[0].replace('_', ' ')} {n} x {p}"
            case = Case(name, family, partial(make, family, *size(*shape)), intercept=letter != "Q")
            listed.append(replace(case, prover="scikit-learn") if letter == "R" else case)
    levels = partial(make, "ordinal", *size(20_000, 100))
    ordinal = Case("S ordinal 20k x 100", "ordinal", levels)
    return [*listed, ordinal, replace(ordinal, name="S ordinal ridge 20k x 100", l1_ratio=0.0)]


def _size(small: bool, n: int, p: int) -> tuple[int, int]:
    """Same shape of problem, seconds instead of hours."""
    if not small:
        return n, p
    return (max(n // 200, 400), min(p, 30)) if n > p else (min(n, 100), max(p // 1000, 200))


def dense(family: str, n: int, p: int, rho: float, seed: int = 1, group: int = 1, predictors: int = 1) -> Work:
    """Columns with correlation ``rho`` between any two, the signal in a few of them, or in a few groups."""
    rng = np.random.default_rng(seed)
    m = min(max(n // 5, 100), 5000)
    X = np.empty((n + m, p), order="F")
    common = np.sqrt(rho) * rng.standard_normal(n + m)
    for j in range(p):  # by columns: no second copy of a large matrix
        X[:, j] = common + np.sqrt(1.0 - rho) * rng.standard_normal(n + m)
        X[:, j] = (X[:, j] - X[:n, j].mean()) / X[:n, j].std()
    coef = _signal(p, rng) if group == predictors == 1 else _block_signal(p, group, predictors, rng)
    return _with_target(family, X, n, coef, rng)


def text(family: str, n: int, p: int, density: float = 0.001, seed: int = 2) -> Work:
    """Word counts by Zipf's law, weighted by rarity, rows of length 1."""
    rng = np.random.default_rng(seed)
    m = n // 5
    words = max(int(density * p * 1.3), 5)  # drawn with repetition: about density * p remain distinct
    share = 1.0 / np.arange(10, p + 10)
    columns = rng.choice(p, size=(n + m) * words, p=share / share.sum())
    rows = np.repeat(np.arange(n + m), words)
    counts = sparse.csr_matrix((np.ones(columns.size), (rows, columns)), shape=(n + m, p))
    counts.sum_duplicates()
    frequency = np.bincount(counts.indices, minlength=p)
    counts.data = np.log1p(counts.data) * np.log((1.0 + n + m) / (1.0 + frequency))[counts.indices]
    length = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1))).ravel()
    X = sparse.csc_matrix(sparse.diags(1.0 / np.maximum(length, 1e-12)) @ counts)
    coef = np.zeros(p)
    carrying = rng.choice(min(p, 2000), 100, replace=False)
    coef[carrying] = rng.standard_normal(100)
    return _with_target(family, X, n, coef, rng)


def embeddings(n: int, p: int, seed: int = 3) -> Work:
    """float32 columns whose variance decays as an encoder's does, all of them slightly informative."""
    rng = np.random.default_rng(seed)
    m = max(n // 5, 100)
    rank = max(p // 4, 2)
    mix = rng.standard_normal((rank, p)) / np.sqrt(np.arange(1, rank + 1))[:, None]
    X = rng.standard_normal((n + m, rank)) @ mix + 0.3 * rng.standard_normal((n + m, p))
    X = np.asfortranarray((X - X[:n].mean(axis=0)) / X[:n].std(axis=0), dtype=np.float32)
    return _with_target("binomial", X, n, rng.standard_normal(p), rng)


def many(problems: int, n: int = 100, p: int = 20, seed: int = 4) -> Work:
    """Small tables of their own, one below the other; what is held out belongs to the first."""
    each = [dense("gaussian", n, p, rho=0.3, seed=seed + 1000 * k) for k in range(problems)]
    X, y = np.vstack([w.X for w in each]), np.concatenate([w.y for w in each])
    return Work(X, y, each[0].X_test, each[0].y_test, problems)


def _signal(p: int, rng: np.random.Generator) -> Float:
    coef = np.zeros(p)
    count = max(min(50, p // 5), 3)
    coef[rng.choice(p, count, replace=False)] = rng.standard_normal(count)
    return coef


def _block_signal(p: int, group: int, predictors: int, rng: np.random.Generator) -> Float:
    """All features of a few groups, (p,), or (p, K) with every other cell of a few features empty."""
    count = max(min(50, p // 5) // group, 2)
    chosen = rng.choice(p // group, count, replace=False)
    coef = np.zeros((p // group, group, predictors))
    coef[chosen] = rng.standard_normal((count, group, predictors))
    if predictors > 1:
        coef[chosen] *= rng.random((count, group, predictors)) < 0.5
    return coef.reshape(p) if predictors == 1 else coef.reshape(p, predictors)


def _with_target(family: str, X: Any, n: int, coef: Float, rng: np.random.Generator) -> Work:
    """Targets of a linear signal of known strength: 3 to 1 of noise; log odds of deviation 2; log means of 0.7."""
    used = np.flatnonzero(coef if coef.ndim == 1 else np.any(coef != 0.0, axis=1))
    eta = np.asarray(X[:, used] @ coef[used], dtype=np.float64)
    eta = (eta - eta[:n].mean(axis=0)) / eta[:n].std(axis=0)
    y = _draw(family, eta, rng)
    if family.endswith("gaussian"):
        y = (y - y[:n].mean(axis=0)) / y[:n].std(axis=0)
    return Work(X[:n], y[:n], X[n:], y[n:])


def _draw(family: str, eta: Float, rng: np.random.Generator) -> Float:
    """Targets for linear predictors of deviation 1."""
    if family.endswith("gaussian"):
        return eta + rng.standard_normal(eta.shape) / np.sqrt(3.0)
    if family in ("binomial", "squared_hinge"):
        return (rng.random(eta.size) < 1.0 / (1.0 + np.exp(-2.0 * eta))).astype(np.float64)
    if family == "multinomial":
        return np.argmax(2.0 * eta + rng.gumbel(size=eta.shape), axis=1).astype(np.float64)
    if family == "cox":  # a third is censored; times are in whole units, so that there are ties
        time, censoring = rng.exponential(np.exp(-eta)), rng.exponential(2.0, eta.size)
        return np.column_stack([np.ceil(1000.0 * np.minimum(time, censoring)), time <= censoring]).astype(np.float64)
    if family.startswith(("huber", "quantile")):  # errors without a variance
        return eta + 0.5 * rng.standard_t(2.0, eta.size)
    if family == "ordinal":  # five levels, the middle ones more frequent
        return np.searchsorted([-3.0, -1.0, 1.0, 3.0], 2.0 * eta + rng.logistic(size=eta.size)).astype(np.float64)
    mu = np.exp(0.7 * eta)
    if family.startswith("negative_binomial"):  # theta 2
        return rng.poisson(mu * rng.gamma(2.0, 0.5, eta.size)).astype(np.float64)
    if family == "gamma":
        return rng.gamma(2.0, mu / 2.0)
    if family.startswith("tweedie"):  # power 1.5, dispersion 1: a Poisson number of exponential amounts
        amounts = rng.poisson(2.0 * np.sqrt(mu))
        return np.where(amounts == 0, 0.0, rng.gamma(np.maximum(amounts, 1), 0.5 * np.sqrt(mu)))
    return rng.poisson(mu).astype(np.float64)


def real() -> Iterator[tuple[str, str, Callable[[], Work]]]:
    """scikit-learn's bundled tables, and the files of the data folder where there is one."""
    yield "breast cancer 569 x 30", "binomial", partial(_bundled, "load_breast_cancer")
    yield "diabetes 442 x 10", "gaussian", partial(_bundled, "load_diabetes")
    yield "digits 1797 x 61, even or odd", "binomial", partial(_bundled, "load_digits")
    folder = Path(os.environ.get("BRIDLE_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
    for name, family, file, target in (
        ("golub 72 x 7129", "binomial", "golub.parquet", "class"),
        ("king county, log price", "gaussian", "king_county_housing.parquet", "price"),
        ("wage, numbers only", "gaussian", "wage.csv", "wage"),
    ):
        if (folder / file).exists():
            yield name, family, partial(_file, folder / file, family, target)


def _bundled(loader: str) -> Work:
    from sklearn import datasets

    X, y = getattr(datasets, loader)(return_X_y=True)
    return _split(X, y % 2 if loader == "load_digits" else y, "gaussian" if loader == "load_diabetes" else "binomial")


def _file(path: Path, family: str, target: str) -> Work:
    """The numeric columns but those that give the target away."""
    import polars as pl

    table = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    column = table[target]
    y = (column == column.unique().sort()[0]).to_numpy() if family == "binomial" else column.to_numpy()
    leaking = [target, "above_median_price", "logwage", "rownames", ""]
    X = table.drop([name for name in leaking if name in table.columns]).select(pl.selectors.numeric())
    return _split(X.to_numpy(), np.log(y) if target == "price" else y, family)


def _split(X: Any, y: Any, family: str) -> Work:
    order = np.random.default_rng(5).permutation(len(y))
    X, y = np.asarray(X, dtype=np.float64)[order], np.asarray(y, dtype=np.float64)[order]
    n = len(y) * 4 // 5
    X = X[:, X[:n].std(axis=0) > 0.0]
    X = np.asfortranarray((X - X[:n].mean(axis=0)) / X[:n].std(axis=0))
    if family == "gaussian":
        y = (y - y[:n].mean()) / y[:n].std()
    return Work(X[:n], y[:n], X[n:], y[n:])
