"""scikit-learn's names, parameters and scales: change the import line and keep the rest.

python examples/drop_in_estimators.py
"""

from __future__ import annotations

import numpy as np
import sklearn.linear_model
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import bridle


def main() -> None:
    """Fit the same models with both, then search a grid in a pipeline."""
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    ours = bridle.LassoCV(cv=5).fit(X, y)
    theirs = sklearn.linear_model.LassoCV(cv=5, tol=1e-9, max_iter=100_000).fit(X, y)  # as exact as ours is by default
    print(f"LassoCV chooses alpha {ours.alpha_:.6g}, scikit-learn's {theirs.alpha_:.6g}")
    print(f"largest difference of a coefficient: {np.abs(ours.coef_ - theirs.coef_).max():.2g}")
    print("kept:", ", ".join(ours.feature_names_in_[ours.coef_ != 0.0]))

    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), bridle.LogisticRegression(C=1.0, l1_ratio=0.5))
    search = GridSearchCV(model, {"logisticregression__C": [0.01, 0.1, 1.0, 10.0]}, scoring="neg_log_loss").fit(X, y)
    print("best of the grid:", search.best_params_, f"log loss {-search.best_score_:.4f}")
    print(f"accuracy {cross_val_score(search.best_estimator_, X, y).mean():.3f}")


if __name__ == "__main__":
    main()
