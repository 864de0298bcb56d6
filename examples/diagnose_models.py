"""Which scikit-learn models over- or underfit? Typical ones on three tables, as a Markdown table.

python examples/diagnose_models.py            # about two minutes
python examples/diagnose_models.py diabetes   # those whose table and model begin so: "diabetes: tree" for trees
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, LogisticRegressionCV, RidgeCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import bridle


def scaled(model: Any) -> Any:
    """The model on standardised features."""
    return make_pipeline(StandardScaler(), model)


CLASSIFIERS = {
    "tree, unpruned": DecisionTreeClassifier(random_state=0),
    "tree of depth 3": DecisionTreeClassifier(max_depth=3, random_state=0),
    "random forest": RandomForestClassifier(random_state=0),
    "gradient boosting": GradientBoostingClassifier(random_state=0),
    "1 nearest neighbour": scaled(KNeighborsClassifier(1)),
    "15 nearest neighbours": scaled(KNeighborsClassifier(15)),
    "SVC": scaled(SVC()),
    "logistic regression, C=1e6": scaled(LogisticRegression(C=1e6, max_iter=5000)),
    "logistic regression, tuned": scaled(
        LogisticRegressionCV(l1_ratios=(0.0,), use_legacy_attributes=False, max_iter=2000, scoring="neg_log_loss")
    ),
}
REGRESSORS = {
    "tree, unpruned": DecisionTreeRegressor(random_state=0),
    "tree of depth 3": DecisionTreeRegressor(max_depth=3, random_state=0),
    "random forest": RandomForestRegressor(random_state=0),
    "gradient boosting": GradientBoostingRegressor(random_state=0),
    "1 nearest neighbour": scaled(KNeighborsRegressor(1)),
    "15 nearest neighbours": scaled(KNeighborsRegressor(15)),
    "SVR": scaled(SVR()),
    "least squares": LinearRegression(),
    "ridge, tuned": scaled(RidgeCV(alphas=[0.1, 1, 10, 100, 1000])),
}


def digits() -> tuple[Any, Any]:
    """Digits below 5 against the others."""
    X, y = load_digits(return_X_y=True)
    return X, y >= 5


TABLES = {
    "breast cancer": (lambda: load_breast_cancer(return_X_y=True), CLASSIFIERS),
    "diabetes": (lambda: load_diabetes(return_X_y=True), REGRESSORS),
    "digits (0-4 against 5-9)": (digits, CLASSIFIERS),
}


def row(table: str, name: str, model: Any, X: Any, y: Any) -> str:
    """One line: the label, what decided, and the train-test gap that others go by."""
    verdict = bridle.diagnose(model, X, y, n_repeats=1, learning_curve=False, n_jobs=-1).verdict
    label = f"{verdict.label}, leaning {verdict.lean}" if verdict.lean else verdict.label
    rho, other = (
        verdict.effect,
        next((c.label for c in verdict.comparisons if c.alternative == verdict.alternative), ""),
    )
    gap = f"{100 * verdict.optimism.value / verdict.null_loss:.0f} %"
    effect = f"{100 * rho.value:.0f} % ({100 * rho.lower:.0f} to {100 * rho.upper:.0f} %)"
    return f"| {table} | {name} | {label} | {effect} | {other} | {gap} |"


def main(wanted: str) -> None:
    """Print the table."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    print("| table | model | verdict | excess error | proved by | optimism |\n|---|---|---|---|---|---|")
    for table, (load, models) in TABLES.items():
        X, y = load()
        for name, model in models.items():
            if f"{table}: {name}".startswith(wanted):
                print(row(table, name, model, X, y), flush=True)


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
