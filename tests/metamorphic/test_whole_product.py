"""What must not change an answer, over the whole product of options: family, penalty, storage, weights, and so on.

Each example draws a problem with all of its options and one relation, and solves it twice: both answers are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from bridle.design import design_matrix
from bridle.path import fit_path

N, P = 48, 7
GROUPS = np.array([0, 0, 1, 1, 1, 2, 3])
ONE = (
    "gaussian", "binomial", "trials", "poisson", "gamma", "tweedie(power=1.4)", "negative_binomial(theta=1.5)",
    "huber(delta=0.8)", "quantile(tau=0.3, bandwidth=0.4)", "squared_hinge", "cox", "cox(ties='breslow')",
)  # fmt: skip
WIDE = ("multinomial", "multigaussian")  # whose groups go over all predictors
SEVERAL = (*WIDE, "ordinal")
WITH_GROUPS = ("group_lasso", "sparse_group_lasso(l1_share=0.4)", "group_mcp(gamma=15)", "group_scad(gamma=15)")
PENALTIES = ("elastic_net", "mcp(gamma=15)", "scad(gamma=15)", *WITH_GROUPS)
PLAIN = settings(deadline=None, derandomize=True, database=None)


@dataclass(frozen=True)
class Case:
    """A problem and its options."""

    family: str
    X: Any  # (N, P), numbers that float32 holds exactly
    y: Any  # as the family takes it
    lambdas: Any = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def several(self) -> bool:
        """Whether a row has several predictors."""
        return self.family in SEVERAL

    def change(self, **options: Any) -> Case:
        """The same with other options; X, y, lambdas too."""
        own = {name: options.pop(name) for name in ("X", "y", "lambdas") if name in options}
        return replace(self, **own, options=self.options | options)

    def each(self, per_row=lambda value: value, per_column=lambda value: value) -> Case:
        """The same with what belongs to rows, and to columns, changed by these functions."""
        rows, columns = ("sample_weight", "offset"), ("penalty_factor", "lower", "upper", "groups")
        given = {k: v for k, v in self.options.items() if v is not None}
        moved = {k: per_row(v) for k, v in given.items() if k in rows}
        moved |= {k: per_column(v) for k, v in given.items() if k in columns}
        return self.change(X=per_row(per_column(self.X.T).T), y=per_row(self.y), **moved)

    def solve(self) -> Any:
        """The path."""
        family = "binomial" if self.family == "trials" else self.family
        path = fit_path(self.X, self.y, family=family, lambdas=self.lambdas, n_lambdas=1, tol=1e-10, **self.options)
        assert path.converged, path.notes
        return path


def target(family: str, eta: Any, rng: np.random.Generator) -> Any:
    """Draw a target for predictors eta (N, 3)."""
    one, n = eta[:, 0], len(eta)
    mu, name = np.exp(one), family.split("(", maxsplit=1)[0]
    if name == "cox":
        time = np.ceil(6.0 * rng.exponential(size=n) / mu)
        start = np.where(rng.random(n) < 0.3, np.floor(time / 2.0), -np.inf)
        return np.column_stack([start, time, rng.random(n) < 0.7, rng.integers(0, 2, n)]).astype(float)
    hits = rng.binomial(5, mu / (1.0 + mu))
    return {
        "gaussian": lambda: one + rng.normal(size=n),
        "trials": lambda: np.column_stack([hits, 5 - hits]).astype(float),
        "poisson": lambda: rng.poisson(mu).astype(float),
        "gamma": lambda: rng.gamma(2.0, mu / 2.0),
        "tweedie": lambda: rng.poisson(mu) * rng.gamma(2.0, 0.5, n),
        "negative_binomial": lambda: rng.poisson(mu * rng.gamma(1.5, 1.0 / 1.5, n)).astype(float),
        "multigaussian": lambda: eta + rng.normal(size=(n, 3)),
        "multinomial": lambda: np.argmax(eta + rng.gumbel(size=(n, 3)), axis=1),
        "ordinal": lambda: np.digitize(one + rng.logistic(size=n), [-0.8, 0.8]),
        "huber": lambda: one + rng.standard_t(3, n),
        "quantile": lambda: one + rng.standard_t(3, n),
    }.get(name, lambda: (rng.random(n) < mu / (1.0 + mu)).astype(float))()


@st.composite
def cases(draw: Any) -> Case:
    family = draw(st.sampled_from(ONE + SEVERAL))
    penalty = draw(st.sampled_from(PENALTIES))
    if family in WIDE and penalty != "elastic_net":
        penalty = "group_lasso"
    flags = {
        name: draw(st.booleans()) for name in ("weights", "offset", "factor", "bounds", "standardize", "intercept")
    }
    l1_ratio = draw(st.sampled_from([1.0, 0.8, 0.0] if penalty == "elastic_net" else [1.0, 0.8]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    X = (rng.normal(size=(N, P)) + 0.3 * rng.normal(size=(N, 1))) * rng.uniform(0.5, 2.0, P) + 0.5
    X = np.where(rng.random((N, P)) < 0.3, 0.0, X).astype(np.float32).astype(float)
    signal = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(0.0, 0.25, (P, 3))
    y = target(family, signal, rng)
    several_groups = family in WIDE and penalty == "group_lasso"
    factor = np.array([1.0, 1.0, 0.5, 0.5, 0.5, 2.0, rng.choice([0.0, 1.5])])
    held = np.where(np.arange(P) == 5, 0.04, np.inf)
    width = 3 if family in WIDE and rng.random() < 0.5 else 1
    offset = 0.2 * rng.normal(size=(N, width))
    options = {
        "penalty": penalty, "l1_ratio": l1_ratio, "standardize": flags["standardize"],
        "fit_intercept": flags["intercept"] or family == "ordinal",
        "groups": GROUPS if penalty in WITH_GROUPS and family not in WIDE else None,
        "sample_weight": rng.integers(1, 4, N).astype(float) if flags["weights"] else None,
        "offset": (offset if width > 1 else offset[:, 0]) if flags["offset"] else None,
        "penalty_factor": factor if flags["factor"] else None,
        "lower": -held if flags["bounds"] and not several_groups else np.full(P, -np.inf),
        "upper": 0.5 * held if flags["bounds"] and not several_groups else np.full(P, np.inf),
    }  # fmt: skip
    case = Case(family, X, y, None, options)
    top = case.solve().lambda_max * (0.005 if l1_ratio == 0.0 else 1.0)
    return replace(case, lambdas=np.array([0.5, 0.2]) * top)


def same(one: Any, other: Any, case: Case, *, unit: Any = 1.0, intercept: Any = 0.0, order: Any = slice(None)) -> None:
    """Hold coefficients (in ``order``, times ``unit``) and intercepts (plus ``intercept``) to 1e-4 of the largest."""
    spread = np.maximum(np.asarray(case.X).std(axis=0), 1e-3)
    shape = (1, P, 1) if one.coef.ndim == 3 else (1, P)
    ours, theirs = one.coef, (other.coef * np.reshape(np.broadcast_to(unit, P), shape))[:, order]
    size = max(float(np.abs(ours * spread.reshape(shape)).max()), 0.02)
    np.testing.assert_allclose(theirs * spread.reshape(shape), ours * spread.reshape(shape), rtol=0.0, atol=2e-4 * size)
    close = {"rtol": 0.0, "atol": 1e-3 * max(size, float(np.abs(one.intercept).max()))}
    np.testing.assert_allclose(other.intercept + intercept, one.intercept, **close)


def weights_are_replication(case: Case, rng: np.random.Generator) -> None:
    times = rng.integers(0, 3, N)
    times[: N // 2] = np.maximum(times[: N // 2], 1)
    if case.family == "cox":
        case = replace(case, family="cox(ties='breslow')")  # by Efron, rows that are repeated are more ties
    if case.family == "ordinal" or case.family == "multinomial":
        case = case.change(y=np.eye(3)[case.y])  # so that no class is lost
    weight = np.ones(N) if case.options["sample_weight"] is None else case.options["sample_weight"]
    weighted = case.change(sample_weight=3.0 * times * weight).solve()
    repeated = case.each(per_row=lambda value: np.repeat(value, times, axis=0)).solve()
    same(weighted, repeated, case)


def an_offset_moves_the_intercept(case: Case, rng: np.random.Generator) -> None:
    if not case.options["fit_intercept"] and not case.family.startswith("cox"):
        case = case.change(fit_intercept=True)
    offset = np.zeros(N) if case.options["offset"] is None else case.options["offset"]
    moves = 0.0 if case.family.startswith("cox") or case.family == "multinomial" else 0.7
    same(case.solve(), case.change(offset=offset + 0.7).solve(), case, intercept=moves)


def storage_does_not_matter(case: Case, rng: np.random.Generator) -> None:
    forms = [np.asfortranarray, lambda X: X.astype(np.float32), sparse.csr_array, sparse.csc_matrix, list]
    form = forms[int(rng.integers(len(forms)))]
    same(case.solve(), case.change(X=form(case.X)).solve(), case)


def order_does_not_matter(case: Case, rng: np.random.Generator) -> None:
    rows, columns = rng.permutation(N), rng.permutation(P)
    other = case.each(per_row=lambda value: value[rows], per_column=lambda value: value[columns])
    same(case.solve(), other.solve(), case, order=np.argsort(columns))


def units_of_columns_do_not_matter(case: Case, rng: np.random.Generator) -> None:
    unit = rng.choice([0.1, 1.0, 30.0, -2.0], P)
    case = case.change(standardize=True)
    lower, upper = case.options["lower"] / unit, case.options["upper"] / unit
    other = case.change(X=case.X * unit, lower=np.minimum(lower, upper), upper=np.maximum(lower, upper))
    same(case.solve(), other.solve(), case, unit=unit)


def factors_and_lambda_share_a_scale(case: Case, rng: np.random.Generator) -> None:
    factor = np.ones(P) if case.options["penalty_factor"] is None else case.options["penalty_factor"]
    weight = np.ones(N) if case.options["sample_weight"] is None else case.options["sample_weight"]
    other = case.change(penalty_factor=3.0 * factor, lambdas=case.lambdas / 3.0, sample_weight=7.0 * weight)
    same(case.solve(), other.solve(), case)


def an_infinite_factor_is_a_column_less(case: Case, rng: np.random.Generator) -> None:
    out = int(rng.integers(P))
    factor = np.ones(P) if case.options["penalty_factor"] is None else case.options["penalty_factor"]
    without = case.each(per_column=lambda value: np.delete(value, out, axis=0)).solve()
    excluded = case.change(penalty_factor=np.where(np.arange(P) == out, np.inf, factor)).solve()
    np.testing.assert_array_equal(excluded.coef[:, out], 0.0)
    size = max(float(np.abs(without.coef).max()), 0.02)
    np.testing.assert_allclose(np.delete(excluded.coef, out, axis=1), without.coef, rtol=0.0, atol=2e-4 * size)


def names_of_groups_and_classes_do_not_matter(case: Case, rng: np.random.Generator) -> None:
    first = case.solve()
    if case.options["groups"] is not None:
        names = np.array(["pear", "apple", "fig", "plum"])[rng.permutation(4)]
        same(first, case.change(groups=names[GROUPS]).solve(), case)
    if case.family == "multinomial":
        order = rng.permutation(3)
        other = case.change(y=np.array(["b", "c", "d"])[order][case.y])
        if np.ndim(case.options["offset"]) == 2:
            other = other.change(offset=case.options["offset"][:, np.argsort(order)])
        found = other.solve()
        size = max(float(np.abs(first.coef).max()), 0.02)
        np.testing.assert_allclose(found.coef[:, :, order], first.coef, rtol=0.0, atol=2e-4 * size)
    if case.family in ("binomial", "trials", "squared_hinge", "ordinal"):
        y = case.y[:, ::-1] if case.family == "trials" else case.y.max() - case.y
        offset, bounds = case.options["offset"], {"lower": -case.options["upper"], "upper": -case.options["lower"]}
        other = case.change(y=y, offset=None if offset is None else -offset, **bounds).solve()
        size = max(float(np.abs(first.coef).max()), 0.02)
        np.testing.assert_allclose(-other.coef, first.coef, rtol=0.0, atol=2e-4 * size)


RELATIONS = [
    weights_are_replication, an_offset_moves_the_intercept, storage_does_not_matter, order_does_not_matter,
    units_of_columns_do_not_matter, factors_and_lambda_share_a_scale, an_infinite_factor_is_a_column_less,
    names_of_groups_and_classes_do_not_matter,
]  # fmt: skip


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.__name__)
@settings(PLAIN, max_examples=60)
@given(case=cases(), seed=st.integers(0, 1000))
def test_whatever_the_options(relation, case, seed):
    relation(case, np.random.default_rng(seed))


@settings(PLAIN, max_examples=40)
@given(
    family=st.sampled_from(ONE + SEVERAL),
    penalty=st.sampled_from(["elastic_net", "group_lasso", "group_mcp(gamma=15)"]),
    seed=st.integers(0, 10_000),
)
def test_names_and_order_of_levels_do_not_matter(family, penalty, seed):
    """No level is a reference: whatever they are called, and whichever comes first, predictions stay."""
    rng = np.random.default_rng(seed)
    levels, two, steps = rng.integers(0, 4, N), rng.integers(0, 2, N), rng.integers(0, 3, N)
    eta = np.outer(0.5 * (levels == 1) - 0.5 * (levels == 2) + 0.4 * two + 0.3 * steps, [1.0, -0.5, 0.3])
    y = target(family, eta - eta.mean(axis=0), rng)
    if family in WIDE:
        penalty = "elastic_net"

    def fit(names, pair, order):
        frame = pl.DataFrame(
            {
                "level": np.array(names)[levels],
                "two": np.array(pair)[two],
                "step": pl.Series([order[k] for k in steps], dtype=pl.Enum(sorted(order))),
                "x": x,
                "y": np.arange(N),
            }
        )
        design = design_matrix(frame, "y")[0]
        groups = np.array(design.groups) if "group" in penalty else None
        case = Case(family, design.matrix, y, None, {"penalty": penalty, "l1_ratio": 0.9, "groups": groups})
        path = replace(case, lambdas=[0.3 * case.solve().lambda_max]).solve()
        assert path.n_nonzero[0] > 0
        if family.startswith("cox"):  # whose differences alone mean something
            eta = path.linear_predictor(case.X, lam=path.lambdas[0])
            return eta - eta.mean()
        return path.predict(case.X, lam=path.lambdas[0])

    x = rng.normal(size=N)
    plain = fit(["a", "b", "c", "d"], ["m", "w"], ["1", "2", "3"])
    moved = fit(["z", "d", "b", "k"], ["w", "m"], ["3", "2", "1"])
    np.testing.assert_allclose(moved, plain, rtol=0.0, atol=1e-4 * np.abs(plain - plain.mean()).max())
