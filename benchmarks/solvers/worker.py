"""One competitor in an environment of its own: reads a folder, then answers requests on standard input with times.

``worker.py PEER FOLDER``; requests ``path TOL`` and ``cv TOL``; answers start with ``@``: ``@ready``, ``@done
SECONDS CPU_SECONDS``, ``@error WHY``. Coefficients go to ``coef_data.npy``, ``coef_indices.npy``, ``coef_indptr.npy``
(rows are lambdas, columns features; for K predictors p K, a feature's K one after the other; ordered classes have p)
and ``intercept.npy`` ((L,), or (L, K)), the curve of held-out deviance to ``curve.npy``. The clock runs while the
competitor works on data that lie in its layout in memory.
"""

import importlib.util
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.special import log_expit, logsumexp

warnings.simplefilter("ignore")  # the referee says what wasn't reached


def load(folder):
    """X, y and lambdas of each problem."""
    job = json.loads((folder / "job.json").read_text())
    if job["sparse"]:
        parts = [np.load(folder / f"X_{part}.npy") for part in ("data", "indices", "indptr")]
        X = sparse.csc_matrix(tuple(parts), shape=(job["n"], job["p"]))
    else:
        X = np.load(folder / "X.npy")
    y, lambdas = np.load(folder / "y.npy"), np.load(folder / "lambdas.npy")
    rows = job["n"] // job["problems"]
    if job["problems"] == 1:
        return job, [(X, y)], lambdas
    tables = [np.asfortranarray(X[k * rows : (k + 1) * rows]) for k in range(job["problems"])]
    return job, [(tables[k], y[k * rows : (k + 1) * rows]) for k in range(job["problems"])], lambdas


def log_chance(y, eta):
    """Of each row's level k, eta_k the log odds of reaching k; (rows, L)."""
    edge = np.full((*eta.shape[:2], 1), np.inf)
    steps = np.concatenate([edge, eta, -edge], axis=2)
    at = y.astype(int)[:, None, None]
    upper, lower = (np.take_along_axis(steps, at + k, axis=2)[:, :, 0] for k in (0, 1))
    return log_expit(upper) + log_expit(-lower) + np.log(-np.expm1(lower - upper))


def negative_binomial(y, eta, theta=2.0):
    log_mu, total = np.log(np.maximum(y, 1e-300)), y + theta
    return 2.0 * (total * (np.logaddexp(np.log(theta), eta) - np.log(total)) - y * (eta - log_mu))


def huber(y, eta, delta=0.8):
    r = np.abs(y - eta)
    return np.where(r <= delta, r**2, delta * (2.0 * r - delta))


LOSSES = {
    "negative_binomial(theta=2)": negative_binomial,
    "huber(delta=0.8)": huber,
    "quantile(tau=0.8)": lambda y, eta: 2.0 * np.maximum(0.8 * (y - eta), 0.2 * (eta - y)),
    "squared_hinge": lambda y, eta: np.maximum(0.0, 1.0 - (2.0 * y - 1.0) * eta) ** 2,
}


def deviance(family, y, eta):
    """Mean deviance at each lambda, (L,); eta (rows, L) or (rows, L, K)."""
    if family == "multigaussian":
        return ((y[:, None, :] - eta) ** 2).sum(axis=2).mean(axis=0)
    if family == "multinomial":
        own = np.take_along_axis(eta, y.astype(int)[:, None, None], axis=2)[:, :, 0]
        return 2.0 * (logsumexp(eta, axis=2) - own).mean(axis=0)
    if family == "ordinal":
        return -2.0 * log_chance(y, eta).mean(axis=0)
    y = y[:, None]
    if family == "gaussian":
        unit = (y - eta) ** 2
    elif family == "binomial":
        unit = 2.0 * (np.logaddexp(0.0, eta) - y * eta)
    elif family == "gamma":
        unit = 2.0 * (y * np.exp(-eta) + eta - 1.0 - np.log(y))
    elif family in LOSSES:
        unit = LOSSES[family](y, eta)
    elif family.startswith("tweedie"):
        unit = 4.0 * (y * np.exp(-0.5 * eta) + np.exp(0.5 * eta) - 2.0 * np.sqrt(y))
    else:
        unit = 2.0 * (np.exp(eta) - y * eta - y + y * np.log(np.maximum(y, 1.0)))
    return unit.mean(axis=0)


def partial_deviance(y, eta):
    """Breslow's for Cox, summed over rows, at each lambda, (L,); eta (rows, L)."""
    order = np.argsort(-y[:, 0], kind="stable")
    time, event, eta = -y[order, 0], y[order, 1], eta[order]
    last = np.searchsorted(time, time, side="right") - 1
    tied = np.bincount(last, weights=event)[last]
    total = np.logaddexp.accumulate(eta)[last] - np.log(np.maximum(tied, 1.0))[:, None]
    return 2.0 * (event[:, None] * (total - eta)).sum(axis=0)


def by_folds(peer, X, y, lambdas, folds, tol, job):
    """Cross-validation as a user of a peer without one writes it: a path per fold, and one on all rows."""
    curve, within = np.zeros(len(lambdas)), {**job, "fold": True}
    rows_of = X.tocsr() if sparse.issparse(X) else X
    for k in range(folds.max() + 1):
        train, test = folds != k, folds == k
        part = sparse.csc_matrix(rows_of[train]) if sparse.issparse(X) else np.asfortranarray(X[train])
        coef, intercept = peer.path(peer.prepare(part, y[train], within), lambdas, tol, within)
        if job["family"] == "cox":  # held-out rows by themselves have hardly a risk set: what they add to the others'
            eta = predict(rows_of, coef, intercept, job)
            curve += (partial_deviance(y, eta) - partial_deviance(y[train], eta[train])) / test.sum()
        else:
            curve += deviance(job["family"], y[test], predict(rows_of[test], coef, intercept, job))
    return curve / (folds.max() + 1)


def predict(X, coef, intercept, job):
    """(rows, L), or (rows, L, K)."""
    if job["predictors"] > 1:
        coef = coef.toarray() if sparse.issparse(coef) else np.asarray(coef)
        columns = coef.reshape(len(coef), job["p"], -1).transpose(1, 0, 2).reshape(job["p"], -1)
        return (X @ columns).reshape(X.shape[0], len(coef), -1) + intercept
    eta = X @ coef.T  # sparse if both are
    return (eta.toarray() if sparse.issparse(eta) else np.asarray(eta)) + intercept


def answer(peer, request, tol, job, prepared, problems, lambdas, folds):
    """Seconds of the clock and of the processor; results are kept for ``store``."""
    start, used = time.perf_counter(), time.process_time()
    if request == "path":
        kept = [peer.path(prepared[k], lambdas[k], tol, job) for k in range(len(prepared))]
    else:
        kept = []
        for k, (X, y) in enumerate(problems):
            curve = peer.cv(prepared[k], lambdas[k], folds, tol, job) if hasattr(peer, "cv") else None
            if curve is None:
                peer.path(prepared[k], lambdas[k], tol, job)
                curve = by_folds(peer, X, y, lambdas[k], folds, tol, job)
            kept.append(curve)
    return time.perf_counter() - start, time.process_time() - used, kept


def store(folder, request, kept):
    if request == "cv":
        np.save(folder / "curve.npy", np.asarray(kept))
        return
    coef = sparse.csr_matrix(sparse.vstack([sparse.csr_matrix(c) for c, _ in kept]))
    for part in ("data", "indices", "indptr"):
        np.save(folder / f"coef_{part}.npy", getattr(coef, part))
    np.save(folder / "intercept.npy", np.concatenate([np.asarray(b, dtype=np.float64) for _, b in kept]))


def main():
    name, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    spec = importlib.util.spec_from_file_location("peer", Path(__file__).parent / "peers" / f"{name}.py")
    peer = importlib.util.module_from_spec(spec)
    sys.path = [p for p in sys.path if Path(p or ".").resolve() != Path(__file__).parent.resolve()]
    spec.loader.exec_module(peer)
    job, problems, lambdas = load(folder)
    job = {**job, "fold": False, "threads": int(sys.argv[4])}
    why = peer.refuses(job)
    if why:
        print(f"@refused {why}", flush=True)
        return
    prepared = [peer.prepare(X, y, job) for X, y in problems]
    folds = np.load(folder / "folds.npy")
    print("@ready", flush=True)
    for line in sys.stdin:
        request, tol = line.split()
        try:
            seconds, cpu, kept = answer(peer, request, float(tol), job, prepared, problems, lambdas, folds)
            store(out, request, kept)
            print(f"@done {seconds} {cpu}", flush=True)
        except Exception as error:  # a competitor's failure is a result, not the end of the benchmark
            print(f"@error {type(error).__name__}: {str(error)[:200]}".replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
