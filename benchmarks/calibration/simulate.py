"""One table of the grid: verdicts on six models, their true risks, and what a fixed gap would have said."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from benchmarks.calibration.grid import Scenario, draw
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from bridle.diagnosis.challengers import make_challengers
from bridle.diagnosis.contenders import EstimatorContender, FixedContender, Target
from bridle.diagnosis.evidence import Contender, collect_evidence, supported_means
from bridle.diagnosis.facade import default_repeats
from bridle.diagnosis.judgement import judge
from bridle.diagnosis.neighbours import neighbours
from bridle.losses import get_family
from bridle.selection import make_folds

Float = NDArray[np.float64]

MODELS = ("ridge", "lasso", "unregularised", "stiff lasso", "tree", "1-NN")
ALTERNATIVES = ("ridge", "lasso", "splines", "boosting")  # what `diagnose` compares with; the null always
GAP = 0.10


def contenders(s: Scenario, X: Float, y: Float, seed: int) -> tuple[Contender, ...]:
    """Alternatives and judged models of one table."""
    target = Target(y, s.family)
    common, _ = make_challengers(X, target, (*ALTERNATIVES, "unregularised"), seed=seed)
    if s.family == "binomial":
        tree: Any = DecisionTreeClassifier(random_state=seed)
        nearest: Any = KNeighborsClassifier(1)
    else:
        tree, nearest = DecisionTreeRegressor(random_state=seed), KNeighborsRegressor(1)
    return (
        *common,
        FixedContender("stiff lasso", "lasso at half of lambda_max", X, target, 0.5, relative=True),
        EstimatorContender("tree", "unpruned tree", tree, X, target, variants=neighbours(tree)),
        EstimatorContender("1-NN", "one nearest neighbour", nearest, X, target, variants=neighbours(nearest)),
    )


def simulate(s: Scenario, seed: int, *, scale: float = 1.0, margin: float = 0.05) -> dict[str, Any]:
    """Draw one table, judge the models on its sample, and measure all risks on fresh rows."""
    X, y = draw(s, seed)
    y = y * scale
    rows = np.arange(s.n)
    folds = make_folds(y[: s.n], family=s.family, n_splits=5, n_repeats=default_repeats(s.n), seed=seed)
    with warnings.catch_warnings(), threadpool_limits(1):  # for small tables threads only wait
        warnings.simplefilter("ignore")  # a table of 30 rows makes scikit-learn talk
        known = contenders(s, X[: s.n], y[: s.n], seed)
        evidence = collect_evidence(known, y[: s.n], family=s.family, folds=folds)
        truth = _truth(contenders(s, X, y, seed), y, rows, s.family)
    alternatives = [a for a in ALTERNATIVES if a in evidence.names]
    verdicts = {}
    for model in MODELS:
        if model not in evidence.names:
            continue
        found = judge(evidence, model, margin=margin, alternatives=[a for a in alternatives if a != model])
        verdicts[model] = {
            "label": found.label,
            "lean": found.lean,
            "alternative": found.alternative,
            "effect": [found.effect.value, found.effect.lower, found.effect.upper],
            "compared": [c.alternative for c in found.comparisons],
        }
    return {"scenario": s.name, "case": s.case, "n": s.n, "seed": seed, "verdicts": verdicts, "truth": truth}


def _truth(known: tuple[Contender, ...], y: Float, rows: NDArray[np.int64], family: str) -> dict[str, list[float]]:
    """Contender -> [training loss, risk on fresh rows, training score, score on fresh rows] after training on all n."""
    fresh = np.arange(len(rows), len(y))
    unit = get_family(family)
    found = {}
    for contender in known:
        for variant, means in contender.fit_predict(rows, fresh).items():
            at_train, at_fresh = (supported_means(m, y[rows], family) for m in means)
            found[f"{contender.name}: {variant}" if variant else contender.name] = [
                float(unit.deviance(y[rows], at_train).mean()),
                float(unit.deviance(y[fresh], at_fresh).mean()),
                _score(y[rows], at_train, family),
                _score(y[fresh], at_fresh, family),
            ]
    return found


def _score(y: Float, mean: Float, family: str) -> float:
    """R2, accuracy, or explained deviance for counts."""
    if family == "binomial":
        return float(((mean > 0.5) == (y > 0.5)).mean())
    unit = get_family(family)
    null = float(unit.deviance(y, np.full_like(y, y.mean())).mean())
    return 1.0 - float(unit.deviance(y, mean).mean()) / null
