"""What the folds say of a dropout path: its validation curve, and the evidence that a verdict is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.evidence import Evidence, supported_means
from bridle.errors import InputError
from bridle.losses import get_family
from bridle.nets.torch_losses import unit_deviance
from bridle.selection import Curve, Folds, select

Float = NDArray[np.float64]
Index = NDArray[np.int64]

Column = tuple[list[tuple[Float, ...]], str]  # links of training and held-out rows of each fold, and a label

CHOSEN = "dropout"  # name of the model whose rate is chosen anew for each fold


def rate_name(rate: float) -> str:
    """Name of a fixed rate in the evidence: "rate 0.5"."""
    return f"rate {rate:.12g}"


def curve_and_evidence(
    y: Float,
    links_test: Sequence[Float],
    links_train: Sequence[Float],
    *,
    rates: Float,
    folds: Folds,
    family: str,
    weight: Float | None = None,
    offset: Float | None = None,
    full_loss: Float | None = None,
    label: str = "Dropout network",
    rule: str = "min",
    n_features: int = 0,
) -> tuple[Curve, Evidence]:
    """Turn the links of all folds and rates into a validation curve and evidence.

    The evidence holds the null model, each fixed rate, and "dropout": the rate that ``rule`` chooses for each fold from
    the other folds of its repeat, so that no held-out row has a say in the rate it is predicted with.

    Parameters
    ----------
    y : (n,)
        Target; multinomial: codes 0..k-1.
    links_test, links_train : J arrays of (R, n_test) and (R, n_train)
        Links of each fold's held-out and training rows, with the offset in them; (R, ., k) for a multinomial target.
    rates : (R,)
        Descending.
    folds : Folds
        Where the rows are from.
    family : str
        "gaussian", "binomial", "multinomial" or "poisson".
    weight, offset : (n,), optional
        Of the rows.
    full_loss : (R,), optional
        Training loss of the fits on all rows.
    label : str
        Name for people.
    rule : str
        How a rate is chosen.
    n_features : int
        Features that the models see.

    Returns
    -------
    Curve, Evidence

    Raises
    ------
    InputError
        No rate has finite losses on all folds.
    """
    w = np.ones(y.size) if weight is None else np.asarray(weight, dtype=np.float64)
    outputs = links_test[0].shape[2] if links_test[0].ndim == 3 else 1
    null = [_null_links(y, w, offset, train, (train, test), family, outputs) for train, test in folds.pairs]
    whole = _null_links(y, w, offset, np.arange(y.size), (np.arange(y.size),), family, outputs)[0]

    def losses(links: Sequence[Float], at: int) -> Float:
        """(J, R) mean unit deviances."""
        return np.array([_loss(family, y, w, pair[at], of) for pair, of in zip(folds.pairs, links, strict=True)])

    curve = Curve(
        model=CHOSEN,
        family=family,
        parameter="dropout rate",
        values=np.asarray(rates, dtype=np.float64),
        test_loss=losses(links_test, 1),
        train_loss=losses(links_train, 0),
        test_weight=np.array([w[test].sum() for _, test in folds.pairs]),
        n_train=np.array([train.size for train, _ in folds.pairs], dtype=np.int64),
        n_test=np.array([test.size for _, test in folds.pairs], dtype=np.int64),
        n_repeats=folds.n_repeats,
        full_loss=full_loss,
        null_loss=float(_loss(family, y, w, np.arange(y.size), whole[None])[0]),
        n_features=n_features,
        sum_weight=float(w.sum()),
    )
    finite = finite_rates(curve)
    if finite.size == 0:
        raise InputError(
            "at no dropout rate did training give finite losses on all folds; lower the learning rate, or look at the "
            "features' scale"
        )
    picks = _picks(curve, finite, rule)
    columns: dict[str, Column] = {"null": (null, "Overall mean")}
    columns[CHOSEN] = (_at(links_train, links_test, picks), f"{label}, chosen rate")
    for k in finite:
        same = [int(k)] * len(folds)
        columns[rate_name(float(rates[k]))] = (_at(links_train, links_test, same), f"{label}, rate {rates[k]:g}")
    return curve, _evidence(columns, y, w, offset, folds, family)


def finite_rates(curve: Curve) -> Index:
    """Positions of the rates at which training gave finite losses on all folds."""
    return np.flatnonzero(np.isfinite(curve.test_loss).all(axis=0) & np.isfinite(curve.train_loss).all(axis=0))


def _picks(curve: Curve, finite: Index, rule: str) -> list[int]:
    """For each fold the rate chosen from the other folds of its repeat; from the only fold there is, if it's one."""
    n_folds = curve.test_loss.shape[0] // curve.n_repeats
    found = []
    for j in range(curve.test_loss.shape[0]):
        first = j - j % n_folds
        others = [i for i in range(first, first + n_folds) if i != j] or [j]
        at = np.ix_(np.array(others), finite)
        part = replace(
            curve, values=curve.values[finite], test_loss=curve.test_loss[at], train_loss=curve.train_loss[at],
            test_weight=curve.test_weight[others], n_train=curve.n_train[others], n_test=curve.n_test[others],
            n_repeats=1, full_loss=None, n_nonzero=None if curve.n_nonzero is None else curve.n_nonzero[finite],
        )  # fmt: skip
        found.append(int(finite[select(part, rule if len(others) > 1 else "min").index]))
    return found


def _at(train: Sequence[Float], test: Sequence[Float], at: Sequence[int]) -> list[tuple[Float, ...]]:
    """Links of training and held-out rows of each fold, at one rate each."""
    return [(a[k], b[k]) for a, b, k in zip(train, test, at, strict=True)]


def _evidence(
    columns: dict[str, Column],
    y: Float,
    w: Float,
    offset: Float | None,
    folds: Folds,
    family: str,
) -> Evidence:
    names = tuple(columns)
    test, train = np.empty((len(folds), len(names))), np.empty((len(folds), len(names)))
    per_repeat = len(folds) // folds.n_repeats
    fold_of = np.full((folds.n_repeats, y.size), -1, dtype=np.int64)
    predictions = {name: np.full((folds.n_repeats, y.size), np.nan) for name in names}
    for j, (fit, held) in enumerate(folds.pairs):
        fold_of[j // per_repeat, held] = j
        for m, name in enumerate(names):
            links = columns[name][0][j]
            train[j, m] = _supported_loss(family, y, w, fit, links[0], fit)
            test[j, m] = _supported_loss(family, y, w, held, links[1], fit)
            if family != "multinomial":
                predictions[name][j // per_repeat, held] = get_family(family).mean(links[1])
    return Evidence(
        names=names,
        labels=tuple(label for _, label in columns.values()),
        owners=("",) * len(names),
        family=family,
        test_loss=test,
        train_loss=train,
        test_weight=np.array([w[held].sum() for _, held in folds.pairs]),
        n_train=np.array([fit.size for fit, _ in folds.pairs], dtype=np.int64),
        n_test=np.array([held.size for _, held in folds.pairs], dtype=np.int64),
        n_repeats=folds.n_repeats,
        y=y,
        weight=w,
        offset=offset,
        predictions={} if family == "multinomial" else predictions,
        fold_of=fold_of,
        scheme=folds.description,
    )


def _loss(family: str, y: Float, w: Float, rows: Index, links: Float) -> Float:
    """(R,) weighted mean unit deviance of some rows; links (R, m[, k]), infinite where a link isn't finite."""
    used = w[rows] > 0.0  # an infinite loss of weight 0 is none
    with np.errstate(over="ignore", invalid="ignore"):
        unit = np.array([unit_deviance(family, y[rows][used], of[used]) for of in links])
    return np.nan_to_num(np.average(unit, axis=1, weights=w[rows][used]), nan=np.inf, posinf=np.inf)


def _supported_loss(family: str, y: Float, w: Float, rows: Index, links: Float, fit: Index) -> float:
    """Mean unit deviance of means kept inside what the training rows support, as for all contenders of a verdict."""
    used, fit = w[rows] > 0.0, fit[w[fit] > 0.0]
    of, weight = y[rows][used], w[rows][used]
    if family == "multinomial":
        shifted = np.exp(links[used] - links[used].max(axis=1, keepdims=True))
        least = 1.0 / (fit.size + links.shape[1])
        mu = np.maximum(shifted / shifted.sum(axis=1, keepdims=True), least)
        mu /= mu.sum(axis=1, keepdims=True)
        return float(np.average(-2.0 * np.log(mu[np.arange(of.size), of.astype(np.int64)]), weights=weight))
    unit = get_family(family)
    return float(np.average(unit.deviance(of, supported_means(unit.mean(links[used]), y[fit], family)), weights=weight))


def _null_links(
    y: Float,
    w: Float,
    offset: Float | None,
    fit: Index,
    wanted: Sequence[Index],
    family: str,
    outputs: int,
) -> tuple[Float, ...]:
    """Links of the null model fitted to some rows, for others."""
    if family == "multinomial":
        shares = np.bincount(y[fit].astype(np.int64), weights=w[fit], minlength=outputs) / w[fit].sum()
        row = np.log(np.maximum(shares, 1.0 / (fit.size + outputs)))
        return tuple(np.tile(row, (rows.size, 1)) for rows in wanted)
    o = np.zeros(y.size) if offset is None else offset
    b0 = get_family(family).null_predictor(y[fit], w[fit], o[fit])
    return tuple(b0 + o[rows] for rows in wanted)
