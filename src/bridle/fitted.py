"""What a path holds: coefficients at a sequence of lambdas, each with its certificate, and what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from bridle import _core
from bridle.errors import InputError
from bridle.losses import get_family
from bridle.penalties import Penalty, read_penalty
from bridle.several import SeveralFamily

Float = NDArray[np.float64]

STATUSES = ("converged", "max_iter", "separated", "stalled", "interrupted")


@dataclass(frozen=True)
class Path:
    """Coefficients along a sequence of lambdas, with the proof that each is optimal.

    The objective is sum_i w_i loss(y_i, o_i + b0 + x_i'b) + lam sum_j v_j [a |s_j b_j| + (1 - a)/2 (s_j b_j)^2]
    with weights that sum to 1, or with another penalty (docs/penalties.md); L lambdas, p features. A family with
    several linear predictors a row (classes, responses) has K of them, with intercepts and coefficients of their own,
    and the penalty is summed over them; the ordinal family has one vector of coefficients and an intercept, minus a
    threshold, for each step between levels.
    """

    family: str
    lambdas: Float  # (L,) descending
    l1_ratio: float
    intercept: Float  # (L,), or (L, K)
    coef_sparse: sparse.csr_array  # (L, p) on the original scale, or (L, p K), column j K + k
    mean: Float  # (p,) weighted mean
    scale: Float  # (p,) s: weighted standard deviation with 1/n, or 1
    relative_gap: Float  # (L,) gap / (half the mean null deviance); with MCP or SCAD kkt / (null model's largest slope)
    gap: Float  # (L,); with MCP or SCAD there is none, and it is kkt
    kkt: Float  # (L,) worst violation of the optimality conditions
    n_iter: NDArray[np.int64]  # (L,)
    status: tuple[str, ...]
    deviance: Float  # (L,) mean unit deviance of the training rows
    null_deviance: float
    lambda_max: float
    tol: float
    fit_intercept: bool
    standardize: bool
    feature_names: tuple[str, ...] | None
    notes: tuple[str, ...]
    penalty: str = "elastic_net"  # its spec
    groups: tuple[Any, ...] | None = None  # (p,) labels, for penalties that have groups
    convex_min: int | None = None  # first lambda's index where MCP or SCAD isn't locally convex; none for K classes
    responses: tuple[Any, ...] | None = None  # labels of the classes or names of the responses, where there are several
    relaxed: Path | None = None  # the fits without penalty of the active features, at the same lambdas
    factor: Float | None = None  # (p,) v of an adaptive penalty, its weights multiplied in
    gamma: float = 1.0  # share of the penalised fit: 0 in a relaxed path, between in a blend

    @property
    def n_features(self) -> int:
        """Number of features, p."""
        return int(self.mean.size)

    @cached_property
    def coef(self) -> Float:
        """Coefficients on the original scale, dense, (L, p), or (L, p, K) for several predictors."""
        dense = np.asarray(self.coef_sparse.toarray())
        return dense.reshape(len(self.lambdas), self.n_features, -1) if self._wide else dense

    @property
    def _wide(self) -> bool:
        """Whether each predictor has coefficients of its own."""
        family = get_family(self.family)
        return isinstance(family, SeveralFamily) and not family.shared

    @property
    def n_nonzero(self) -> NDArray[np.int64]:
        """Number of features with a nonzero coefficient at each lambda, (L,)."""
        if self._wide:
            return np.asarray((self.coef != 0.0).any(axis=2).sum(axis=1), dtype=np.int64)
        return np.asarray(np.diff(self.coef_sparse.indptr), dtype=np.int64)

    @property
    def deviance_ratio(self) -> Float:
        """Share of the null deviance that is explained, (L,)."""
        if self.null_deviance == 0.0:
            return np.zeros_like(self.deviance)
        return 1.0 - self.deviance / self.null_deviance

    @property
    def converged(self) -> bool:
        """Whether every lambda has its certificate."""
        return all(s == "converged" for s in self.status)

    @property
    def certificate(self) -> str:
        """What proves each fit: its "duality gap", or "stationarity" where the penalty isn't convex."""
        concave = read_penalty(self.penalty).concave and self.l1_ratio > 0.0 and self.gamma > 0.0
        return "stationarity" if concave else "duality gap"

    @property
    def objective(self) -> str:
        """The objective that was solved, in one line."""
        b = "s_j b_j" if self.standardize else "b_j"
        penalty = Penalty(self.l1_ratio, spec=self.penalty, groups=self.groups).formula(b)
        start = "b0 + " if self.fit_intercept else ""
        family = get_family(self.family)
        eta = f"eta = {start}x'b"
        if isinstance(family, SeveralFamily):
            eta = "logit P(y > k) = x'b - t_k" if family.shared else f"eta = {start}B'x"
        solved = f"minimise mean[{family.formula}] + {penalty},  {eta}"
        if self.gamma == 1.0:
            return solved
        refit = f"minimise mean[{family.formula}] over the active b,  {eta}"
        return refit if self.gamma == 0.0 else f"{self.gamma:g} [{solved}] + {1.0 - self.gamma:g} [{refit}]"

    def only(self, index: int) -> Path:
        """Return the fit at one lambda as a path of its own, without relaxed fits."""
        here, entries = slice(index, index + 1), slice(*self.coef_sparse.indptr[index : index + 2])
        parts = (self.coef_sparse.data[entries], self.coef_sparse.indices[entries])
        starts = [0, len(parts[0])]
        return replace(
            self,
            lambdas=self.lambdas[here],
            intercept=self.intercept[here],
            coef_sparse=sparse.csr_array((*parts, starts), shape=(1, self.coef_sparse.shape[1])),
            relative_gap=self.relative_gap[here],
            gap=self.gap[here],
            kkt=self.kkt[here],
            n_iter=self.n_iter[here],
            status=self.status[here],
            deviance=self.deviance[here],
            relaxed=None,
        )

    def blend(self, gamma: float) -> Path:
        r"""Return :math:`\gamma` times the penalised fits plus :math:`1 - \gamma` times the relaxed ones.

        Parameters
        ----------
        gamma : float
            From 0, the relaxed fits, to 1, the penalised ones.

        Returns
        -------
        Path
            Its certificates are the worse of the two fits'. Its deviance isn't known without the rows: NaN.

        Raises
        ------
        InputError
            The path wasn't fitted with ``relax=True``, or gamma isn't from 0 to 1.
        """
        if not 0.0 <= gamma <= 1.0:
            raise InputError(f"gamma must lie between 0 (relaxed) and 1 (penalised); got {gamma!r}")
        if gamma == 1.0:
            return replace(self, relaxed=None)
        if self.relaxed is None:
            raise InputError("there are no relaxed fits to blend with: pass relax=True to fit_path")
        if gamma == 0.0:
            return self.relaxed
        other = self.relaxed
        worse = [mine if mine != "converged" else its for mine, its in zip(self.status, other.status, strict=True)]
        return replace(
            self,
            intercept=gamma * self.intercept + (1.0 - gamma) * other.intercept,
            coef_sparse=sparse.csr_array(gamma * self.coef_sparse + (1.0 - gamma) * other.coef_sparse),
            relative_gap=np.maximum(self.relative_gap, other.relative_gap),
            gap=np.maximum(self.gap, other.gap),
            kkt=np.maximum(self.kkt, other.kkt),
            n_iter=self.n_iter + other.n_iter,
            status=tuple(worse),
            deviance=np.full(len(self.lambdas), np.nan),
            notes=self.notes + other.notes,
            relaxed=None,
            gamma=float(gamma),
        )

    def coef_at(self, lam: float) -> tuple[Any, Float]:
        """Return (intercept, coefficients) at ``lam``, interpolated linearly between the lambdas of the grid.

        Parameters
        ----------
        lam : float
            Any value >= 0; beyond the ends of the grid the end counts.

        Returns
        -------
        tuple
            Intercept and coefficients (p,) on the original scale; (K,) and (p, K) for several predictors.
        """
        low, high, share = self._between(lam)
        coef = share * self.coef_row(high) + (1.0 - share) * self.coef_row(low)
        intercept = share * self.intercept[high] + (1.0 - share) * self.intercept[low]
        return float(intercept) if self.intercept.ndim == 1 else intercept, coef

    def linear_predictor(self, X: Any, offset: ArrayLike | None = None, lam: float | None = None) -> Float:
        """Return eta = offset + b0 + X b.

        Parameters
        ----------
        X : (n, p)
            Dense or sparse.
        offset : (n,) or None
            Added to the predictor; (n, K) for several.
        lam : float or None
            One value (interpolated on the grid), or None for all.

        Returns
        -------
        (n,) for one lambda, (n, L) for all; (n, K) and (n, K, L) for several predictors
        """
        shape = np.shape(X)
        if len(shape) != 2 or shape[1] != self.n_features:
            raise InputError(f"X has shape {shape}; expected two dimensions with {self.n_features} columns")
        if self.intercept.ndim == 2:
            return self._linear_predictors(X, offset, lam)
        if lam is None:
            used = np.unique(self.coef_sparse.indices)  # nothing is multiplied by columns that are zero throughout
            coef = self.coef_sparse[:, used].toarray()
            eta = np.asarray(X[:, used] @ coef.T) if sparse.issparse(X) else np.asarray(X)[:, used] @ coef.T
            eta = eta + self.intercept
            return np.asarray(eta if offset is None else eta + np.asarray(offset, dtype=np.float64)[:, None])
        intercept, b = self.coef_at(lam)
        one = np.asarray(X @ b) + intercept
        return np.asarray(one if offset is None else one + np.asarray(offset, dtype=np.float64))

    def _linear_predictors(self, X: Any, offset: ArrayLike | None, lam: float | None) -> Float:
        """Several predictors, (n, K) or (n, K, L)."""
        if lam is None:
            intercept, coef = self.intercept, self.coef
        else:
            at = self.coef_at(lam)
            intercept, coef = at[0][None], at[1][None]
        count = len(coef)
        flat = np.moveaxis(coef, 1, 0).reshape(self.n_features, -1)  # (p, L K), or (p, L) where all share one
        used = np.flatnonzero(flat.any(axis=1))
        part = X[:, used] if sparse.issparse(X) else np.asarray(X)[:, used]
        eta = np.asarray(part @ flat[used]).reshape(-1, count, flat.shape[1] // count) + intercept
        if offset is not None:
            o = np.asarray(offset, dtype=np.float64)
            eta = eta + (o[:, None, None] if o.ndim == 1 else o[:, None, :])
        return np.ascontiguousarray(np.moveaxis(eta, 1, 2) if lam is None else eta[:, 0])

    def predict(
        self,
        X: Any,
        offset: ArrayLike | None = None,
        lam: float | None = None,
        kind: Literal["response", "link", "class"] = "response",
    ) -> NDArray[Any]:
        """Return means (probabilities of classes), linear predictors or classes, (n,) for one lambda, (n, L) for all.

        Parameters
        ----------
        X : (n, p)
            Dense or sparse.
        offset : (n,) or None
            Added to the linear predictor; (n, K) for several.
        lam : float or None
            One value (interpolated on the grid), or None for all.
        kind : {"response", "link", "class"}
            Scale of the answer; "class" is the likeliest label, of the families of classes.

        Returns
        -------
        (n,) for one lambda, (n, L) for all; (n, K) and (n, K, L) for responses, or probabilities of classes
        """
        family = get_family(self.family)
        labels = self.responses if family.has_classes else None
        kinds = ("response", "link", "class") if labels is not None else ("response", "link")
        if kind not in kinds:
            raise InputError(f"kind must be one of {', '.join(map(repr, kinds))}; got {kind!r}")
        eta = self.linear_predictor(X, offset, lam)
        if kind == "link":
            return eta
        mean = family.mean(eta)
        return mean if kind == "response" else np.asarray(labels)[np.argmax(mean, axis=1)]

    def coef_row(self, index: int) -> Float:
        """Return the coefficients at the ``index``-th lambda, dense, (p,), or (p, K) for several predictors.

        Parameters
        ----------
        index : int
            From 0, the largest lambda, to L - 1.
        """
        sparse_rows, coef = self.coef_sparse, np.zeros(self.coef_sparse.shape[1])
        part = slice(sparse_rows.indptr[index], sparse_rows.indptr[index + 1])
        coef[sparse_rows.indices[part]] = sparse_rows.data[part]
        return coef.reshape(self.n_features, -1) if self._wide else coef

    def _between(self, lam: float) -> tuple[int, int, float]:
        """Return indices of the grid's neighbours below and above ``lam``, and the share of the upper one."""
        if not lam >= 0.0:
            raise InputError(f"lam must be a number of at least 0; got {lam!r}")
        ascending = self.lambdas[::-1]
        last = len(ascending) - 1
        above = int(np.searchsorted(ascending, lam))
        if above == 0 or above > last or ascending[above] == lam:
            at = last - min(above, last)
            return at, at, 1.0
        share = (lam - ascending[above - 1]) / (ascending[above] - ascending[above - 1])
        return last - (above - 1), last - above, float(share)


def with_names(path: Path, **names: tuple[Any, ...] | None) -> Path:
    """Return a path with ``feature_names`` or ``responses``, its relaxed fits too.

    Parameters
    ----------
    path : Path
        Without them.
    **names
        Fields of the path.

    Returns
    -------
    Path
    """
    relaxed = None if path.relaxed is None else replace(path.relaxed, **names)  # type: ignore[arg-type]
    return replace(path, relaxed=relaxed, **names)  # type: ignore[arg-type]


def relaxed_path(
    path: Path, refits: _core.PathResult, reference: float, saturated: float, notes: tuple[str, ...]
) -> Path:
    """Return refits as a path beside the penalised one.

    Parameters
    ----------
    path : Path
        The penalised fits.
    refits : PathResult
        One for each lambda.
    reference, saturated : float
        Of the problem: what gaps are relative to, and the mean loss of a fit of every row.
    notes : tuple of str
        What there is to say.

    Returns
    -------
    Path
        With gamma 0.
    """
    gap = refits["gap"]
    return replace(
        path,
        intercept=refits["intercept"] if get_family(path.family).has_intercept else path.intercept,
        coef_sparse=coefficients(refits, path.coef_sparse.shape[1]),
        relative_gap=gap / reference if reference > 0.0 else gap,
        gap=gap,
        kkt=refits["kkt"],
        n_iter=refits["n_iter"],
        status=tuple(STATUSES[s] for s in refits["status"].tolist()),
        deviance=np.maximum(0.0, 2.0 * (refits["loss"] - saturated)),
        notes=notes,
        convex_min=None,
        gamma=0.0,
    )


def coefficients(raw: _core.PathResult, p: int) -> sparse.csr_array:
    """Return what the core found, a row per lambda.

    Parameters
    ----------
    raw : PathResult
        From the core.
    p : int
        Number of coefficients.

    Returns
    -------
    (L, p)
        On the original scale.
    """
    return sparse.csr_array((raw["values"], raw["columns"], raw["starts"]), shape=(len(raw["intercept"]), p))
