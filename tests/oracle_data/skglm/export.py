"""Print MCP and SCAD fits of skglm 0.5 as JSON: ``pip install skglm; python export.py > concave.json``."""

import json

import numpy as np
import skglm
from skglm import GeneralizedLinearEstimator
from skglm.datafits import Quadratic
from skglm.penalties import SCAD, MCPenalty
from skglm.solvers import AndersonCD
from sklearn.datasets import load_diabetes

X, y = load_diabetes(return_X_y=True)
X, y = (X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std()
top = np.abs(X.T @ y).max() / len(y)
lambdas = [top * share for share in (0.7, 0.5, 0.3, 0.2)]
found = {"skglm": skglm.__version__, "lambdas": lambdas}
for name, make in (("mcp", lambda lam: MCPenalty(lam, 3.0)), ("scad", lambda lam: SCAD(lam, 3.7))):
    solver = AndersonCD(tol=1e-12, fit_intercept=False, warm_start=True, max_iter=500)
    model = GeneralizedLinearEstimator(Quadratic(), make(lambdas[0]), solver)
    found[name] = []
    for lam in lambdas:
        model.penalty = make(lam)
        found[name].append(model.fit(X, y).coef_.tolist())
print(json.dumps(found))
