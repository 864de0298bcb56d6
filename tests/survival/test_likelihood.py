"""The compiled partial likelihood against its slow twin, the twin against its definition, and what must not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridle import _core
from bridle.survival import CoxFamily, likelihood

TIES = ("efron", "breslow")
KINDS = [{}, {"tied": True}, {"late": True}, {"tied": True, "late": True, "strata": 3}]


def by_definition(rows, w, eta, ties):
    """The loss, time by time as it's printed in textbooks."""
    total = 0.0
    for s in set(rows[:, 3]):
        for t in set(rows[rows[:, 3] == s, 1]):
            dead = [i for i in range(len(w)) if rows[i, 3] == s and rows[i, 1] == t and rows[i, 2] == 1 and w[i] > 0]
            risk = [i for i in range(len(w)) if rows[i, 3] == s and rows[i, 0] < t <= rows[i, 1]]
            if not dead:
                continue
            at_risk, own = (sum(w[i] * np.exp(eta[i]) for i in part) for part in (risk, dead))
            mean_weight = sum(w[i] for i in dead) / len(dead)
            for k in range(len(dead)):
                total += mean_weight * np.log(at_risk - (k / len(dead) * own if ties == "efron" else 0.0))
            total -= sum(w[i] * eta[i] for i in dead)
    return total


def some_case(kit, seed, kind, scale=1.0):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    rows = kit.rows(rng, n, **kind)
    w = rng.random(n) * (rng.random(n) < 0.8)
    w[0] = 0.5
    w /= w.sum()
    eta = scale * rng.normal(size=n)
    return rows, w, eta


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_slow_twin_is_the_definition_and_its_derivatives(kit, kind, ties):
    rows, w, eta = some_case(kit, 3, kind)
    n, h = len(w), 1e-6
    assert likelihood.loss(rows, w, eta, ties) == pytest.approx(by_definition(rows, w, eta, ties), rel=1e-12)
    moved = [[likelihood.loss(rows, w, eta + sign * h * np.eye(n)[i], ties) for sign in (1.0, -1.0)] for i in range(n)]
    slope = np.array([(up - down) / (2 * h) for up, down in moved])
    np.testing.assert_allclose(likelihood.residual(rows, w, eta, ties), -slope, atol=1e-9)
    bend = np.array(
        [
            (likelihood.residual(rows, w, eta - h * e, ties) - likelihood.residual(rows, w, eta + h * e, ties))
            / (2 * h)
            for e in np.eye(n)
        ]
    )
    np.testing.assert_allclose(likelihood.hessian(rows, w, eta, np.eye(n), ties), bend, atol=1e-9)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1.0, 30.0, 200.0, 3000.0])
def test_the_compiled_loss_is_its_slow_twin_however_far_eta_reaches(kit, kind, ties, scale):
    for seed in range(8):
        rows, w, eta = some_case(kit, seed, kind, scale)
        eta[w == 0.0] = 1e6  # rows without weight count nowhere
        core = _core.cox(rows, ties == "efron")
        value = likelihood.loss(rows, w, eta, ties)
        assert core.values(w, eta[None])[0] == pytest.approx(value, rel=1e-12, abs=1e-13)
        residual, curvature = core.derivatives(w, eta)
        np.testing.assert_allclose(residual, likelihood.residual(rows, w, eta, ties), atol=1e-14)
        assert np.all(curvature >= 0.0)
        assert core.saturated(w) == pytest.approx(likelihood.saturated(rows, w, ties), rel=1e-12, abs=1e-14)
        for s in (0.0, 0.3, 1.0 - 1e-4, 1.0):
            gap = likelihood.fenchel_gap(rows, w, eta, eta, s, ties)
            assert core.scaling_gap(w, eta, s) == pytest.approx(gap, rel=1e-8, abs=1e-18)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_compiled_curvature_is_the_hessian_and_its_diagonal_bounds_it(kit, kind, ties):
    for seed in range(8):
        rows, w, eta = some_case(kit, seed, kind, [1.0, 5.0, 40.0, 1000.0][seed % 4])
        core = _core.cox(rows, ties == "efron")
        H = likelihood.hessian(rows, w, eta, np.eye(len(w)), ties)
        product = np.array([core.curvature_times(w, eta, e) for e in np.eye(len(w))])
        np.testing.assert_allclose(product, H, atol=1e-14)
        bound = np.diag(core.derivatives(w, eta)[1])
        assert np.linalg.eigvalsh(bound - H).min() > -1e-12


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_dual_bound_is_one_and_tight_where_it_has_to_be(kit, kind, ties):
    """F(eta) + F*(u) - u'eta >= u'v - F(v) + F(eta) - u'eta for every v; nothing is lost at s = 1."""
    rng = np.random.default_rng(8)
    for seed in range(6):
        rows, w, eta = some_case(kit, seed, kind)
        fitted = eta + 0.3 * rng.normal(size=len(w))
        here = likelihood.loss(rows, w, eta, ties)
        for s in (0.2, 0.9, 1.0):
            u = -s * likelihood.residual(rows, w, fitted, ties)
            gap = likelihood.fenchel_gap(rows, w, eta, fitted, s, ties)
            for v in [fitted, eta, *(eta + rng.normal(size=(30, len(w))) * rng.choice([0.1, 1.0, 10.0], (30, 1)))]:
                assert u @ v - likelihood.loss(rows, w, v, ties) + here - u @ eta <= gap + 1e-12
        at = likelihood.loss(rows, w, fitted, ties)
        exact = here - at + likelihood.residual(rows, w, fitted, ties) @ (eta - fitted)
        assert gap == pytest.approx(exact, abs=1e-12)
        assert likelihood.fenchel_gap(rows, w, eta, eta, 1.0, ties) == pytest.approx(0.0, abs=1e-16)


@pytest.mark.parametrize("ties", TIES)
def test_the_saturated_loss_is_the_infimum(kit, ties):
    """Whoever dies first has by far the largest hazard; those of one time the same."""
    rng = np.random.default_rng(4)
    rows = kit.rows(rng, 30, tied=True, late=True, strata=2)
    w = rng.random(30)
    limit = likelihood.saturated(rows, w, ties)
    eta = np.where(rows[:, 2] == 1.0, -50.0 * rows[:, 1], -1000.0)
    assert likelihood.loss(rows, w, eta, ties) == pytest.approx(limit, abs=1e-9)
    for _ in range(50):
        assert likelihood.loss(rows, w, eta + rng.normal(size=30), ties) >= limit - 1e-9


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), ties=st.sampled_from(TIES), kind=st.sampled_from(KINDS))
def test_what_must_not_matter(kit, seed, ties, kind):
    rows, w, eta = some_case(kit, seed, kind, 2.0)
    rng, family = np.random.default_rng(seed + 1), CoxFamily(ties)
    value, residual = family.total_loss(rows, eta, w), family.residual(rows, eta, w)
    assert family.total_loss(rows, eta + 700.0, w) == pytest.approx(value, abs=1e-10)  # a constant
    order = rng.permutation(len(w))
    np.testing.assert_allclose(family.residual(rows[order], eta[order], w[order]), residual[order], atol=1e-14)
    later = rows.copy()
    later[:, :2] = np.where(np.isfinite(rows[:, :2]), np.exp(rows[:, :2] / 3.0), rows[:, :2])  # another clock
    np.testing.assert_array_equal(family.residual(later, eta, w), residual)
    parts = [
        family.total_loss(rows[on], eta[on], w[on]) for s in np.unique(rows[:, 3]) for on in [rows[:, 3] == s]
    ]  # strata are apart
    assert sum(parts) == pytest.approx(value, abs=1e-12)
    moved = eta + 5.0 * rows[:, 3]
    assert family.total_loss(rows, moved, w) == pytest.approx(value, abs=1e-11)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(KINDS))
def test_by_breslow_weights_are_repeated_rows(kit, seed, kind):
    rows, _, eta = some_case(kit, seed, kind)
    rng, family = np.random.default_rng(seed), CoxFamily("breslow")
    times = rng.integers(0, 4, len(eta))
    again = np.repeat(np.arange(len(eta)), times)
    w = times.astype(float)
    whole = family.total_loss(rows[again], eta[again], np.ones(len(again)))
    assert family.total_loss(rows, eta, w) == pytest.approx(whole, abs=1e-9)


def test_by_efron_weights_mean_a_common_weight_of_tied_events():
    """As in R's coxph; with weights of 2 throughout, the loss of one row each twice over but for a constant."""
    rows = np.array([[-np.inf, 1.0, 1.0, 0.0], [-np.inf, 1.0, 1.0, 0.0], [-np.inf, 2.0, 0.0, 0.0]])
    eta, w = np.array([0.3, -0.2, 0.1]), np.array([1.0, 3.0, 2.0])
    mass = w * np.exp(eta)
    first, second = mass.sum(), mass.sum() - 0.5 * mass[:2].sum()
    expected = 2.0 * (np.log(first) + np.log(second)) - w[:2] @ eta[:2]
    assert CoxFamily().total_loss(rows, eta, w) == pytest.approx(expected, rel=1e-14)


def test_a_kept_loss_serves_the_same_rows_alone():
    rng = np.random.default_rng(11)
    rows = np.column_stack([np.zeros(30), rng.integers(1, 9, 30), rng.integers(0, 2, 30), np.zeros(30)]).astype(float)
    w, eta, family = np.full(30, 1 / 30), rng.standard_normal(30), CoxFamily()
    assert family.core(rows) is family.core(rows.copy())
    assert CoxFamily("breslow").core(rows) is not family.core(rows)
    before = family.core(rows)
    rows[:, 2] = 1.0 - rows[:, 2]  # in place
    assert family.core(rows) is not before
    assert family.total_loss(rows, eta, w) == pytest.approx(likelihood.loss(rows, w, eta, "efron"), rel=1e-12)
    for k in range(1, 6):
        family.core(rows[k:])
    assert family.core(rows) is family.core(rows)
    assert family.total_loss(rows[2:], eta[2:], w[2:]) == pytest.approx(
        likelihood.loss(rows[2:], w[2:], eta[2:], "efron"), rel=1e-12
    )
