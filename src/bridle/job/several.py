"""What the main job asks of targets of several columns: classes, ordered classes, several responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.verdict import Interval
from bridle.errors import InputError
from bridle.job import holdout, words
from bridle.job.class_scores import class_scores, confusion, level_error, macro_auc, response_scores
from bridle.job.outcome import BLOCK, Outcome, Scored
from bridle.losses import Family, get_family
from bridle.model_io import SeveralModel, TableModel
from bridle.results import Output
from bridle.selection.rules import CROSS_VALIDATED
from bridle.several import MultiGaussian, Ordinal, SeveralFamily

if TYPE_CHECKING:
    from bridle.job.fitting import Fit, Problem
    from bridle.job.options import Options
    from bridle.path import Path

Float = NDArray[np.float64]
Int = NDArray[np.int64]

SHOWN_RESPONSES = 20
TOLD = 3  # classes or responses that an effect is told for


class SeveralOutcome(Outcome):
    """K columns of the target and of the means."""

    family: SeveralFamily

    drops: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "dropout": "The dropout network was left out: studies train it for one number or two classes only "
            "(DropoutClassifier takes more)."
        }
    )

    @property
    def wide(self) -> bool:
        """Whether each column has coefficients of its own."""
        return not self.family.shared

    def check(self, options: Options) -> None:
        """Refuse what isn't defined for several predictors.

        Raises
        ------
        InputError
            A rule that counts parameters.
        """
        if options.rule not in CROSS_VALIDATED:
            raise InputError(
                f"rule {options.rule!r} counts parameters, which isn't defined for the {self.family.name} family; use "
                f"one of {', '.join(CROSS_VALIDATED)}"
            )

    def null(self, problem: Problem) -> tuple[Any, Float]:  # noqa: D102
        o = self.family.read_offset(problem.offset, problem.y)
        width = (problem.y.shape[1],) if self.wide else ()
        return (
            self.family.null_predictors(problem.y, problem.weights, o),
            np.zeros((problem.design.shape[1], *width)),
        )

    def varies(self, y: Float, of: Float) -> bool:
        """Whether a sample holds every class that there is."""
        return not self.family.has_classes or bool(np.all(y.any(axis=0) | ~of.any(axis=0)))

    def losses_along(self, problem: Problem, path: Path, rows: Int) -> Float:  # noqa: D102
        total, step = np.zeros(path.lambdas.size), max(BLOCK // problem.y.shape[1], 1)
        for start in range(0, rows.size, step):
            part = rows[start : start + step]
            offset = None if problem.offset is None else problem.offset[part]
            eta = path.linear_predictor(problem.X[part], offset=offset)  # (rows, M, L)
            total += problem.weights[part] @ self.family.loss(problem.y[part], eta)
        return total

    def drawn(self, path: Path, shown: Int) -> Float:
        """Return the length of a feature's effects over the columns, per standard deviation, (F, L)."""
        if not self.wide:
            return super().drawn(path, shown)
        k = path.intercept.shape[1]
        columns = (shown[:, None] * k + np.arange(k)).ravel()
        b = path.coef_sparse[:, columns].toarray().T.reshape(shown.size, k, -1)
        return np.asarray(np.linalg.norm(b, axis=1) * path.scale[shown, None])

    def spread(self, X: Float, w: Float, coef: Float, samples: Float) -> float:
        """Return by how much resampling moves predictors, over their own spread, both summed over the columns."""
        if not self.wide:
            return super().spread(X, w, coef, samples)
        link = self.centred(np.asarray(X @ coef))  # (m, K)
        size = np.average((link - np.average(link, axis=0, weights=w)) ** 2, axis=0, weights=w).sum()
        if not size > 0.0:
            return float("nan")
        moved = np.zeros(link.shape[0])
        links = [self.centred(np.asarray(X @ b)) for b in samples]
        for k in range(link.shape[1]):
            at = np.stack([each[:, k] for each in links], axis=1)  # (m, B)
            moved += np.var(at - np.average(at, axis=0, weights=w), axis=1, ddof=1)
        return float(np.average(np.sqrt(moved), weights=w) / np.sqrt(size))

    def centred(self, values: Float) -> Float:
        """Return what stands for a class by itself (..., K), less what is added to all of them to no effect."""
        return values

    def scores_of(
        self, y: Float, mu: Float, null_mu: Float, w: Float, level: float, cluster: holdout.Cluster
    ) -> dict[str, Interval]:
        """Return the scores beside the explained deviance."""
        raise NotImplementedError

    def score(  # noqa: D102
        self, y: Float, eta: Float, null_eta: Float, w: Float, level: float, cluster: holdout.Cluster = None
    ) -> Scored:
        mu, null_mu = self.family.mean(eta), self.family.mean(null_eta)
        loss, null_loss = self.family.deviance(y, mu), self.family.deviance(y, null_mu)
        explained = {"deviance explained": holdout.explained_interval(loss, null_loss, w, level, cluster)}
        scores = explained | self.scores_of(y, mu, null_mu, w, level, cluster)
        return holdout.loss_interval(loss, w, level, cluster), scores

    def events(self, y: Float) -> int:  # noqa: D102
        return int(y.sum(axis=0).min()) if self.family.has_classes else len(y)

    def objective(self, fit: Fit) -> str:  # noqa: D102
        eta = "ηₖ = x'b − tₖ" if self.family.shared else "ηₖ = b₀ₖ + x'bₖ"
        return words.objective(self.family, fit, eta, columns=self.wide)

    def model(self, fit: Fit, **common: Any) -> TableModel:  # noqa: D102
        common.pop("classes")
        return SeveralModel(intercept=fit.intercept, coef=fit.coef, outputs=self.names, **common)


class ClassOutcome(SeveralOutcome):
    """Classes without an order."""

    def centred(self, values: Float) -> Float:  # noqa: D102
        return np.asarray(values - values.mean(axis=-1, keepdims=True))

    def measured(self, y: Float, w: Float, offset: Float | None) -> Outcome:  # noqa: D102
        if offset is not None and not self.family.takes_offset:
            raise InputError("an offset adds the same to all classes, which changes no probability; leave it out")
        return self

    def scores_of(  # noqa: D102
        self, y: Float, mu: Float, null_mu: Float, w: Float, level: float, cluster: holdout.Cluster
    ) -> dict[str, Interval]:
        return class_scores(y, mu, w, level, cluster)

    def scores_along(self, y: Float, w: Float, eta: Float) -> dict[str, float]:  # noqa: D102
        mu = self.family.mean(eta)
        right = np.argmax(mu, axis=1) == np.argmax(y, axis=1)
        return {
            "accuracy (held-out rows)": float(np.average(right, weights=w)),
            "ROC AUC, one against rest (held-out rows)": macro_auc(y, mu, w, 0.95).value,
        }

    def points(  # noqa: D102
        self, y: Float, eta: Float, w: Float, level: float, rng: np.random.Generator, cluster: holdout.Cluster = None
    ) -> dict[str, Any]:
        mu, binomial, made = self.family.mean(eta), get_family("binomial"), []
        predicted = np.argmax(mu, axis=1)
        for k, name in enumerate(self.names):
            of, called = y[:, k] > 0.0, predicted == k
            scores = {"ROC AUC": holdout.auc_interval(of, mu[:, k], w, level, cluster)}
            for score, among, hit in (("found", of & (w > 0.0), called), ("right", called & (w > 0.0), of)):
                if among.any():
                    part = None if cluster is None else cluster[among]
                    scores[score] = holdout.proportion_interval(hit[among].astype(np.float64), w[among], level, part)
            drawn = holdout.points(binomial, y[:, k], mu[:, k], w, level, rng, cluster)
            drawn = replace(drawn, predicted=(), observed=(), residual=())  # two bands a class tell nothing more
            made.append(Output(name, drawn, scores))
        return {"outputs": tuple(made), "confusion": confusion(y, mu, w)}

    def n_candidates(self, p: int) -> int:  # noqa: D102
        return p * (len(self.names) - 1)

    def summary(self, y: Float) -> str:  # noqa: D102
        share = y.mean(axis=0)
        order = np.argsort(-share, kind="stable")
        shown = [f"{words.percent(float(share[k]))} {self.names[k]!r}" for k in order[:6]]
        return f"{len(self.names)} classes: " + ", ".join(shown) + (", ..." if len(order) > 6 else "")

    def observed(self, name: str, y: Float) -> dict[str, Any]:  # noqa: D102
        return {name: np.asarray(self.names)[np.argmax(y, axis=1)]}

    def predicted(self, model: str, eta: Float) -> dict[str, Any]:  # noqa: D102
        mu = self.family.mean(eta)
        columns: dict[str, Any] = {f"prediction ({model})": np.asarray(self.names)[np.argmax(mu, axis=1)]}
        return columns | {f"probability of {n} ({model})": mu[:, k] for k, n in enumerate(self.names)}

    def effect(self, value: Any, scale: float, feature: str, indicator: bool) -> str:
        """Say by what a feature multiplies the odds of the classes that it moves most."""
        step = words.unit(scale, indicator)
        b = value * scale if step == "per standard deviation" else value
        order = np.argsort(-np.abs(b), kind="stable")
        told = [f"{self.names[k]} × {words.factor(float(np.exp(np.clip(b[k], -700, 700))))}" for k in order if b[k]]
        more = f" and {len(told) - TOLD} more" if len(told) > TOLD else ""
        return f"odds of {', '.join(told[:TOLD])}{more} {f'if {feature}' if indicator else step}"


class OrderedOutcome(ClassOutcome):
    """Ordered classes: one coefficient a feature."""

    def centred(self, values: Float) -> Float:  # noqa: D102
        return values

    def scores_of(  # noqa: D102
        self, y: Float, mu: Float, null_mu: Float, w: Float, level: float, cluster: holdout.Cluster
    ) -> dict[str, Interval]:
        found = class_scores(y, mu, w, level, cluster)
        return found | {"mean absolute level error": level_error(y, mu, w, level, cluster)}

    def scores_along(self, y: Float, w: Float, eta: Float) -> dict[str, float]:  # noqa: D102
        error = level_error(y, self.family.mean(eta), w, 0.95).value
        return super().scores_along(y, w, eta) | {"mean absolute level error (held-out rows)": error}

    def n_candidates(self, p: int) -> int:  # noqa: D102
        return p

    def summary(self, y: Float) -> str:  # noqa: D102
        share = y.mean(axis=0)
        shown = [f"{n!r} {words.percent(float(s))}" for n, s in zip(self.names, share, strict=True)]
        middle = ", ".join(shown) if len(shown) <= 6 else ", ".join([*shown[:3], "...", *shown[-2:]])
        return f"{len(self.names)} levels, lowest first: {middle}"

    def effect(self, value: Any, scale: float, feature: str, indicator: bool) -> str:  # noqa: D102
        step = words.unit(scale, indicator)
        b = float(value) * (scale if step == "per standard deviation" else 1.0)
        times = words.factor(float(np.exp(np.clip(b, -700, 700))))
        return f"odds of a higher level × {times} {f'if {feature}' if indicator else step}"


class ResponseOutcome(SeveralOutcome):
    """Several numbers, each measured in the standard deviations of its training rows while models are fitted."""

    def __init__(self, family: Family, names: tuple[str, ...] = (), units: Float | None = None) -> None:
        super().__init__(family, names)
        self.units = np.ones(len(names)) if units is None else units

    @property
    def loss_name(self) -> str:  # noqa: D102
        return "summed squared error (in standard deviations)"

    def measured(self, y: Float, w: Float, offset: Float | None) -> Outcome:
        """Return the outcome that measures in the standard deviations of a target (n, K) with weights (n,)."""
        if offset is not None:
            raise InputError("an offset is for one response, and the target has several; subtract it from the target")
        mean = np.average(y, axis=0, weights=w)
        units = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=w))
        return ResponseOutcome(self.family, self.names, np.where(units > 0.0, units, 1.0))

    def inside(self, y: Float) -> Float:  # noqa: D102
        return y / self.units

    def scores_of(  # noqa: D102
        self, y: Float, mu: Float, null_mu: Float, w: Float, level: float, cluster: holdout.Cluster
    ) -> dict[str, Interval]:
        found: dict[str, Interval] = {}
        for k, name in enumerate(self.names[:SHOWN_RESPONSES]):
            of, its_mean, null = (v[:, k] * self.units[k] for v in (y, mu, null_mu))
            its = response_scores(of, its_mean, null, w, level, cluster)
            found |= {f"{score} of {name}": value for score, value in its.items()}
        return dict(sorted(found.items(), key=lambda item: item[0].startswith("RMSE")))

    def scores_along(self, y: Float, w: Float, eta: Float) -> dict[str, float]:  # noqa: D102
        mse = np.average((y - eta) ** 2, axis=0, weights=w) * self.units**2
        return {f"RMSE of {n} (held-out rows)": float(np.sqrt(v)) for n, v in zip(self.names[:6], mse, strict=False)}

    def points(  # noqa: D102
        self, y: Float, eta: Float, w: Float, level: float, rng: np.random.Generator, cluster: holdout.Cluster = None
    ) -> dict[str, Any]:
        gaussian, made = get_family("gaussian"), []
        for k, name in enumerate(self.names):
            of, mu = y[:, k] * self.units[k], eta[:, k] * self.units[k]
            made.append(Output(name, holdout.points(gaussian, of, mu, w, level, rng, cluster)))
        return {"outputs": tuple(made)}

    def n_candidates(self, p: int) -> int:  # noqa: D102
        return p

    def summary(self, y: Float) -> str:  # noqa: D102
        told = [
            f"{n} (mean {words.number(float(v.mean()))}, standard deviation {words.number(float(v.std()))})"
            for n, v in zip(self.names[:6], y.T, strict=False)
        ]
        return f"{len(self.names)} responses: " + ", ".join(told) + (", ..." if len(self.names) > 6 else "")

    def observed(self, name: str, y: Float) -> dict[str, Any]:  # noqa: D102
        return {n: y[:, k] * self.units[k] for k, n in enumerate(self.names)}

    def predicted(self, model: str, eta: Float) -> dict[str, Any]:  # noqa: D102
        return {f"prediction of {n} ({model})": eta[:, k] * self.units[k] for k, n in enumerate(self.names)}

    def effect(self, value: Any, scale: float, feature: str, indicator: bool) -> str:  # noqa: D102
        step = words.unit(scale, indicator)
        b = value * self.units * (scale if step == "per standard deviation" else 1.0)
        told = [
            f"{'+' if b[k] >= 0 else '−'}{words.number(abs(float(b[k])))} {self.names[k]}"
            for k in np.argsort(-np.abs(value), kind="stable")
            if b[k]
        ]
        more = f" and {len(told) - TOLD} more" if len(told) > TOLD else ""
        return f"{', '.join(told[:TOLD])}{more} {f'if {feature}' if indicator else step}"

    def outside(self, coef: Float) -> Float:  # noqa: D102
        return coef * self.units

    def model(self, fit: Fit, **common: Any) -> TableModel:  # noqa: D102
        common.pop("classes")
        return SeveralModel(
            intercept=fit.intercept * self.units, coef=fit.coef * self.units, outputs=self.names, **common
        )


def outcome(family: Family, names: tuple[str, ...]) -> Outcome:
    """Return the outcome of a family with several predictors."""
    if isinstance(family, MultiGaussian):
        return ResponseOutcome(family, names)
    return OrderedOutcome(family, names) if isinstance(family, Ordinal) else ClassOutcome(family, names)
