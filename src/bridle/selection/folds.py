"""Which rows train and which are held out: one frozen value that every model of a comparison shares."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import DataWarning, InputError
from bridle.losses import Family, get_family
from bridle.selection.assign import cuts, deal, draw, spread_groups

Int = NDArray[np.int64]
Pair = tuple[Int, Int]
Kind = Literal["auto", "kfold", "stratified", "group", "time"]
KINDS = ("auto", "kfold", "stratified", "group", "time")


@dataclass(frozen=True)
class Folds:
    """Pairs of training and held-out rows, each sorted and read-only, with the words that describe them."""

    pairs: tuple[Pair, ...]  # ((n_train,), (n_test,)) per fold; repeats follow one another
    description: str  # "10-fold cross-validation, stratified by class, seed 0"
    n_repeats: int = 1
    seed: int | None = None  # None where the pairs came from outside

    def __len__(self) -> int:
        """Return the number of pairs, repeats counted."""
        return len(self.pairs)

    def __iter__(self) -> Iterator[Pair]:
        """Iterate over the pairs, as over a scikit-learn ``cv`` list."""
        return iter(self.pairs)


def make_folds(
    y: ArrayLike,
    *,
    family: str = "gaussian",
    n_splits: int = 10,
    n_repeats: int = 1,
    kind: Kind = "auto",
    groups: ArrayLike | None = None,
    time: ArrayLike | None = None,
    splitter: Any = None,
    seed: int = 0,
) -> Folds:
    """Split rows into folds for cross-validation.

    ``"auto"`` is time-ordered if ``time`` is given, grouped if ``groups`` is, stratified by class for a binomial
    target and by event for times to one, else plain K-fold. Asking for more folds than there are rows, groups, members
    of the rarer class, events, or times (less one) gives as many as there can be, with a warning.

    Parameters
    ----------
    y : (n,) array
        Target; only its classes (or, for quantile strata, its order) are used.
    family : str
        ``"binomial"`` makes classes of y's two values: they are stratified, and each training fold must hold both; so
        do families of several classes.
    n_splits, n_repeats : int
        Folds per repeat, and how often to repeat with another shuffle.
    kind : {"auto", "kfold", "stratified", "group", "time"}
        ``"stratified"`` balances the classes of a binomial target and the quantiles of any other. ``"group"`` keeps
        the rows of a group together (and balances classes as far as groups allow). ``"time"`` trains on all rows
        before the held-out block; rows of the same time stay together.
    groups, time : (n,) array, optional
        Group labels; times, numbers, dates or anything that sorts.
    splitter : int, scikit-learn splitter or sequence of (train, test), optional
        Folds made elsewhere, used as they are; an int stands for ``n_splits``. Pairs hold row numbers or masks.
    seed : int
        Of the shuffles.

    Returns
    -------
    Folds
        The pairs and their description.

    Raises
    ------
    InputError
        The rows can't be split so, or pairs given overlap, are empty or point outside the table.
    """
    y, event = _one_column(y, get_family(family))
    y = _column("y", y, None)
    n = y.shape[0]
    groups = None if groups is None else _column("groups", groups, n)
    time = None if time is None else _column("time", time, n)
    if isinstance(splitter, int | np.integer) and not isinstance(splitter, bool):
        n_splits, splitter = int(splitter), None
    classes = _classes(y, family)
    if splitter is not None:
        return _from_splitter(splitter, y, classes, event, groups)
    kind = _resolve(kind, classes is not None or event is not None, groups, time)
    _check_counts(n, n_splits, n_repeats, kind)
    rng = np.random.default_rng(seed)
    if kind == "time":
        pairs = _time_pairs(np.asarray(time), n_splits)
        words = f"{len(pairs)} time-ordered folds, training on all earlier rows"
    else:
        fold_of, words = _assigner(y, classes, event, groups, kind, n_splits)
        pairs = []
        for _ in range(n_repeats):
            label = fold_of(rng)  # (n,)
            pairs += [_pair(label != k, label == k) for k in range(int(label.max()) + 1)]
        words += f", {n_repeats} repeats" if n_repeats > 1 else ""
        words += f", seed {seed}"
    _check_classes(pairs, classes, event)
    return Folds(tuple(pairs), words, n_repeats, seed)


def holdout_split(
    y: ArrayLike,
    *,
    family: str = "gaussian",
    fraction: float = 0.2,
    groups: ArrayLike | None = None,
    time: ArrayLike | None = None,
    seed: int = 0,
) -> Pair:
    """Set a share of the rows aside once: the last ones in time, whole groups, or rows drawn at random by class.

    Parameters
    ----------
    y : (n,) array
        Target.
    family : str
        ``"binomial"``, or a family of several classes, draws the share from each class.
    fraction : float
        Share of rows to hold out, as near as groups and ties allow; both parts hold at least one row.
    groups, time : (n,) array, optional
        As in :func:`make_folds`; at most one of them.
    seed : int
        Of the draw.

    Returns
    -------
    train, test : (n_train,) and (n_test,) arrays
        Sorted row numbers.

    Raises
    ------
    InputError
        Too few rows, groups or times for two parts, or ``fraction`` isn't between 0 and 1.
    """
    y, event = _one_column(y, get_family(family))
    y = _column("y", y, None)
    n = y.shape[0]
    if not 0.0 < fraction < 1.0:
        raise InputError(f"fraction is {fraction}, expected the share of rows to hold out, between 0 and 1")
    if n < 2:
        raise InputError(f"{n} row can't be split into a training and a held-out part; 2 rows are the least")
    groups = None if groups is None else _column("groups", groups, n)
    time = None if time is None else _column("time", time, n)
    classes = _classes(y, family) if event is None else event
    kind = _resolve("auto", classes is not None, groups, time)
    rng = np.random.default_rng(seed)
    if kind == "time":
        distinct, of = _distinct("time", np.asarray(time))
        _check_least("distinct times", distinct, 2)
        held = of >= cuts(of, [1.0 - fraction])[0]
    elif kind == "group":
        distinct, of = _distinct("groups", np.asarray(groups))
        _check_least("groups", distinct, 2)
        held = spread_groups(of, classes, np.array([1.0 - fraction, fraction]), rng) == 1
    else:
        strata = classes if classes is not None else np.zeros(n, dtype=np.int64)
        held = draw(strata, fraction, rng)
    return _pair(~held, held)


def _column(name: str, values: ArrayLike, n: int | None) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or (n is not None and array.shape[0] != n):
        expected = "one value per row" if n is None else f"{n} values, one per row"
        raise InputError(f"{name} has shape {array.shape}, expected {expected}")
    if array.shape[0] == 0:
        raise InputError(f"{name} is empty; there are no rows to split")
    return array


def _one_column(y: ArrayLike, family: Family) -> tuple[ArrayLike, Int | None]:
    """Return the target as one value a row, of several columns the class or the first; and events, if there are any.

    Events are 1 where one was seen and 0 where none was, (n,).
    """
    if family.row_wise and not family.several:
        return y, None
    target = family.target(y, len(np.asarray(y)))
    classes = family.classes(target)
    if family.row_wise:
        return (target[:, 0] if classes is None else classes), None
    return (y if classes is None else classes), classes


def _classes(y: NDArray[Any], family: str) -> Int | None:
    """(n,) class of each row, or None if y isn't made of classes (proportions have none)."""
    kind = get_family(family)
    if not kind.is_classifier:
        several = kind.has_classes and y.dtype.kind == "i"
        return np.asarray(y, dtype=np.int64) if several else None
    distinct, of = _distinct("y", y)
    return of if distinct == 2 else None


def _distinct(name: str, values: NDArray[Any]) -> tuple[int, Int]:
    """Return how many distinct values there are, and the rank of each row's value among them."""
    missing = _missing(values)
    if bool(np.any(missing)):
        raise InputError(f"{name} has {int(np.sum(missing))} missing values; fill them or leave these rows out")
    try:
        found, of = np.unique(values, return_inverse=True)
    except TypeError as error:
        raise InputError(
            f"{name} mixes types that don't sort ({error}); make all of its values the same type"
        ) from None
    return len(found), np.asarray(of, dtype=np.int64)


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind in "mM":
        return np.asarray(np.isnat(values))
    if values.dtype.kind == "O":
        return np.array([v is None or v != v for v in values], dtype=bool)  # noqa: PLR0124 (NaN, NaT of any type)
    return np.asarray(np.isnan(values)) if values.dtype.kind in "fc" else np.zeros(values.shape, dtype=bool)


def _resolve(kind: Kind, binomial: bool, groups: Any, time: Any) -> Kind:
    if kind not in KINDS:
        raise InputError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
    if kind == "auto":
        if groups is not None and time is not None:
            raise InputError(
                "both groups and time were given, and folds can honour one of them: "
                'choose kind="group" (new groups) or kind="time" (later rows)'
            )
        if time is not None:
            return "time"
        return "group" if groups is not None else "stratified" if binomial else "kfold"
    if (kind == "group" and groups is None) or (kind == "time" and time is None):
        name = "groups" if kind == "group" else "time"
        raise InputError(f"kind={kind!r} needs {name}, one value per row, and none was given")
    return kind


def _check_counts(n: int, n_splits: int, n_repeats: int, kind: Kind) -> None:
    if n_splits < 2 and not (kind == "time" and n_splits == 1):
        raise InputError(f"{n_splits} folds asked for; cross-validation needs at least 2")
    if n_repeats < 1:
        raise InputError(f"n_repeats is {n_repeats}, expected 1 or more")
    if n_repeats > 1 and kind == "time":
        raise InputError(f"time-ordered folds have one order, so {n_repeats} repeats would be copies; use n_repeats=1")
    _check_least("rows", n, 2)


def _check_least(what: str, have: int, least: int) -> None:
    if have < least:
        raise InputError(f"{have} {what} can't be split into a training and a held-out part; {least} are the least")


def _at_most(n_splits: int, most: int, what: str) -> int:
    if n_splits <= most:
        return n_splits
    warnings.warn(f"{n_splits} folds asked for, but there are only {most} {what}: using {most} folds", DataWarning, 4)
    return most


def _assigner(
    y: NDArray[Any],
    classes: Int | None,
    event: Int | None,
    groups: NDArray[Any] | None,
    kind: Kind,
    n_splits: int,
) -> tuple[Any, str]:
    """Return a function from a Generator to the (n,) fold of each row, and the words for it."""
    n = y.shape[0]
    if kind == "group":
        distinct, of = _distinct("groups", np.asarray(groups))
        _check_least("groups", distinct, 2)
        k = _at_most(n_splits, distinct, "groups")
        words = f"{k}-fold cross-validation, groups kept together"
        balanced = classes if event is None or event.all() else event
        return lambda rng: spread_groups(of, balanced, np.full(k, 1.0 / k), rng), words
    if kind == "stratified" and event is not None:
        k = _at_most(n_splits, int(event.sum()), "events")
        return lambda rng: deal(event, k, rng), f"{k}-fold cross-validation, stratified by event"
    if kind == "stratified" and classes is not None:
        rarer = int(np.bincount(classes).min())
        if rarer < 2:
            raise InputError(
                "the rarer class has 1 row, which can't be both trained on and held out; collect more rows"
            )
        k = _at_most(n_splits, rarer, "rows of the rarer class")
        return lambda rng: deal(classes, k, rng), f"{k}-fold cross-validation, stratified by class"
    k = _at_most(n_splits, n, "rows")
    if kind == "kfold" or y.dtype.kind not in "biuf":
        return lambda rng: deal(np.zeros(n, dtype=np.int64), k, rng), f"{k}-fold cross-validation"

    def quantiles(rng: np.random.Generator) -> Int:
        order = np.lexsort((rng.permutation(n), y))
        strata = np.empty(n, dtype=np.int64)
        strata[order] = np.arange(n) // k
        return deal(strata, k, rng)

    return quantiles, f"{k}-fold cross-validation, stratified by quantile"


def _time_pairs(time: NDArray[Any], n_splits: int) -> list[Pair]:
    distinct, rank = _distinct("time", time)
    _check_least("distinct times", distinct, 2)
    k = _at_most(n_splits, distinct - 1, "distinct times after the first")
    edges = [*cuts(rank, [i / (k + 1) for i in range(1, k + 1)]), distinct]
    return [_pair(rank < a, (rank >= a) & (rank < b)) for a, b in itertools.pairwise(edges)]


def _from_splitter(
    splitter: Any, y: NDArray[Any], classes: Int | None, event: Int | None, groups: NDArray[Any] | None
) -> Folds:
    n = y.shape[0]
    if hasattr(splitter, "split") and not isinstance(splitter, str | bytes):
        found = splitter.split(np.zeros((n, 1)), y, groups)
        name, repeats = type(splitter).__name__, getattr(splitter, "n_repeats", 1)
    elif isinstance(splitter, Iterable) and not isinstance(splitter, str | bytes):
        found, name, repeats = splitter, "given", 1
    else:
        raise InputError(
            f"splitter is a {type(splitter).__name__}, expected a number of folds, a scikit-learn splitter, "
            "or a list of (train, test) pairs"
        )
    try:
        given = list(found)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} can't split these {n} rows: {error}") from error
    if not given:
        raise InputError("the splitter gave no folds; at least one (train, test) pair is needed")
    pairs = [_checked(i, pair, n) for i, pair in enumerate(given)]
    _check_classes(pairs, classes, event)
    words = f"{len(pairs)} folds given" if name == "given" else f"{len(pairs)} folds by {name}"
    known = isinstance(repeats, int | np.integer) and repeats >= 1 and len(pairs) % repeats == 0
    return Folds(tuple(pairs), words, int(repeats) if known else 1, None)


def _checked(i: int, pair: Any, n: int) -> Pair:
    try:
        train, test = pair
    except (TypeError, ValueError):
        raise InputError(f"fold {i} isn't a pair (train, test) of row numbers or masks") from None
    train, test = _rows(f"training rows of fold {i}", train, n), _rows(f"held-out rows of fold {i}", test, n)
    inside = np.zeros(n, dtype=bool)
    inside[train] = True
    both = test[inside[test]]
    if both.size:
        raise InputError(
            f"fold {i} trains on {both.size} of the rows it holds out (first: row {both[0]}); "
            "its errors would be too small, so make the two parts disjoint"
        )
    return train, test


def _rows(what: str, values: Any, n: int) -> Int:
    array = np.asarray(values)
    if array.dtype == bool:
        if array.shape != (n,):
            raise InputError(f"{what}: mask of shape {array.shape}, expected ({n},)")
        array = np.flatnonzero(array)
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"{what}: there are none; each fold needs rows to train on and rows to hold out")
    if array.dtype.kind not in "iu":
        raise InputError(f"{what}: values of type {array.dtype}, expected row numbers (integers) or a boolean mask")
    if array.min() < 0 or array.max() >= n:
        raise InputError(f"{what}: row numbers from {array.min()} to {array.max()}, expected 0 to {n - 1}")
    there = np.zeros(n, dtype=bool)  # a mark per row sorts, and finds what is there twice
    there[array] = True
    rows = np.flatnonzero(there)
    if rows.size != array.size:
        raise InputError(f"{what}: {array.size - rows.size} rows are there twice; use sample_weight to repeat a row")
    return _frozen(rows)


def _pair(train: NDArray[np.bool_], test: NDArray[np.bool_]) -> Pair:
    return _frozen(np.flatnonzero(train)), _frozen(np.flatnonzero(test))


def _frozen(rows: NDArray[Any]) -> Int:
    rows = rows.astype(np.int64, copy=False)
    rows.setflags(write=False)
    return rows


def _check_classes(pairs: Sequence[Pair], classes: Int | None, event: Int | None) -> None:
    for i, (train, _) in enumerate(pairs if event is not None else ()):
        if event is not None and not event[train].any():
            raise InputError(f"the training rows of fold {i} hold no event, so nothing can be learned; use fewer folds")
    if classes is None:
        return
    count = np.unique(classes).size
    for i, (train, _) in enumerate(pairs):
        if (found := np.unique(classes[train]).size) < count:
            held = "one class only" if found == 1 else f"{found} of {count} classes only"
            raise InputError(
                f"the training rows of fold {i} hold {held}, so nothing can be learned there; "
                "use fewer folds, another kind of folds, or more rows of the rarer class"
            )
