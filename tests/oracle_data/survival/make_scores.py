"""Figures of scikit-survival 0.28 that tests/survival/test_scores.py compares with: python make_scores.py scores.json.

Simulated times without ties, since at a time of an event and a censoring scikit-survival takes the censoring
distribution after it, and Graf et al. just before it.
"""

import json
import sys

import numpy as np
from sksurv.metrics import brier_score, concordance_index_censored, concordance_index_ipcw, integrated_brier_score
from sksurv.nonparametric import kaplan_meier_estimator

rng = np.random.default_rng(1)
n = 90
x = rng.standard_normal(n)
died, lost = rng.exponential(np.exp(-x)), rng.exponential(1.5, n)
time, event = np.minimum(died, lost), died <= lost
risk = np.round(x + rng.standard_normal(n), 1)  # with ties
times = np.quantile(time, [0.2, 0.4, 0.6, 0.8])
survival = np.exp(-np.exp(risk)[:, None] * times)
y = np.array(list(zip(event, time, strict=True)), dtype=[("e", bool), ("t", float)])
until = float(np.quantile(time, 0.9))
seen, share, ends = kaplan_meier_estimator(event, time, conf_type="log-log")
kept = np.isin(seen, time[event])
figures = {
    "time": time.tolist(), "event": event.tolist(), "risk": risk.tolist(), "times": times.tolist(), "until": until,
    "survival": survival.tolist(),
    "harrell": concordance_index_censored(event, time, risk)[0],
    "uno": concordance_index_ipcw(y, y, risk, tau=until)[0],
    "brier": brier_score(y, y, survival, times)[1].tolist(),
    "integrated": integrated_brier_score(y, y, survival, times),
    "kaplan_meier": [share[kept].tolist(), ends[0][kept].tolist(), ends[1][kept].tolist()],
}  # fmt: skip
with open(sys.argv[1], "w") as file:
    json.dump(figures, file)
