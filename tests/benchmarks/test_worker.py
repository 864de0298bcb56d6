"""What the benchmark's workers compute for peers without cross-validation, and the data they get."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

LETTERS = "IJKLMNOPQRS"


CONVEX = ("elastic_net", "group_lasso", "sparse_group_lasso(l1_share=0.5)")


def small_cases(work: ModuleType) -> list[Any]:
    return [case for case in work.cases(True) if case.name[0] in LETTERS]


def job_of(referee: ModuleType, case: Any, table: Any) -> tuple[Any, dict[str, Any]]:
    task = referee.Task(
        case.family, table.X, table.y, case.l1_ratio, case.penalty, case.groups, case.joint, case.intercept
    )
    sizes = {"predictors": task.loss.predictors(table.y), "columns": task.loss.columns(table.y)}
    return task, {"family": case.family, "p": table.X.shape[1], **sizes}


def test_every_new_case_can_be_judged(referee: ModuleType, work: ModuleType) -> None:
    listed = small_cases(work)
    assert {case.name[0] for case in listed} == set(LETTERS)
    for case in listed:
        table = case.make()
        task, job = job_of(referee, case, table)
        assert table.X.shape[1] % case.groups == 0
        lambdas = referee.lambda_grid(task, 3)
        best = case.intercept * np.asarray(referee.null_link(case.family, table.y))
        null = np.tile(best, (3, 1) if job["predictors"] > 1 else 3)
        nothing = sparse.csr_array((3, table.X.shape[1] * job["columns"]))
        seen = referee.judge(task, lambdas, null, nothing)
        if case.l1_ratio < 1.0:  # ridge is never empty
            assert seen.relative_gap[0] > 0.0 and seen.kkt[1] > 0.1
            continue
        if case.penalty in CONVEX:
            assert abs(seen.relative_gap[0]) < 1e-12 and seen.relative_gap[1] > 1e-3
        if not case.family.startswith("quantile"):  # whose slopes are open
            assert seen.kkt[0] < 1e-12 and seen.kkt[1] > 0.1
        assert np.all(np.isfinite(referee.held_out(case.family, table.X_test, table.y_test, null, nothing)))


def test_deviance_is_the_referees(referee: ModuleType, work: ModuleType, worker: ModuleType) -> None:
    families = {case.family: case for case in small_cases(work)}
    for family, case in families.items():
        table = case.make()
        _, job = job_of(referee, case, table)
        rng, cells, K = np.random.default_rng(0), table.X.shape[1] * job["columns"], job["predictors"]
        coef = 0.1 * rng.standard_normal((2, cells)) * (rng.random((2, cells)) < 0.2)
        intercept = rng.standard_normal(2 if K == 1 else (2, K)) / 10
        if family == "ordinal":
            intercept = 2.0 - np.arange(K) + intercept
        expected = referee.held_out(family, table.X_test, table.y_test, intercept, coef)
        for layout in (coef, sparse.csr_matrix(coef)):
            eta = worker.predict(table.X_test, layout, intercept, job)
            if family == "cox":
                seen = worker.partial_deviance(table.y_test, eta) / len(table.y_test)
            else:
                seen = worker.deviance(family, table.y_test, eta)
            np.testing.assert_allclose(seen, expected, rtol=1e-10)


def test_folds_of_cox_add_up_to_what_held_out_rows_add(worker: ModuleType) -> None:
    rng = np.random.default_rng(1)
    X, folds = rng.standard_normal((40, 2)), np.arange(40) % 4
    y = np.column_stack([np.ceil(5.0 * rng.exponential(size=40)), np.ones(40)])
    coef = np.array([[0.3, -0.2], [0.0, 0.0]])
    peer = SimpleNamespace(prepare=lambda X, y, job: None, path=lambda data, lambdas, tol, job: (coef, np.zeros(2)))
    curve = worker.by_folds(peer, X, y, np.ones(2), folds, 0.1, {"family": "cox", "p": 2, "predictors": 1})

    def deviance(kept: Any, b: Any) -> float:
        time, eta, total = y[kept, 0], X[kept] @ b, 0.0
        for i in range(len(time)):
            total += np.log(np.exp(eta[time >= time[i]]).sum()) - eta[i] - np.log((time == time[i]).sum())
        return 2.0 * total

    every = np.ones(40, dtype=bool)
    for k in (0, 1):
        expected = np.mean([(deviance(every, coef[k]) - deviance(folds != f, coef[k])) / 10 for f in range(4)])
        assert curve[k] == pytest.approx(expected)
