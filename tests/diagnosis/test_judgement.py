"""The rule on fold losses made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridle.diagnosis import judge
from bridle.diagnosis.intervals import correction, log_ratios, standard_errors
from bridle.diagnosis.verdict import LABELS, Verdict
from bridle.errors import InputError
from bridle.frozen import from_json, to_json

NAMES = ("null", "model", "simple", "rich")
TRAIN = (1.0, 0.5, 0.7, 0.3)


def verdict_of(make_evidence, noisy_losses, means, *, train=TRAIN, **options):
    return judge(make_evidence(noisy_losses(means, **options), train, NAMES), "model")


@pytest.mark.parametrize(
    ("means", "label", "alternative"),
    [
        ((1.0, 0.8, 0.6, 0.9), "overfitting", "simple"),
        ((1.0, 0.8, 0.9, 0.6), "underfitting", "rich"),
        ((1.0, 0.6, 0.61, 0.62), "balanced", ""),
        ((1.0, 1.0, 1.0, 1.0), "no signal", ""),
        ((1.0, 1.6, 1.01, 2.0), "no signal", ""),
        ((1.0, 1.3, 0.5, 0.4), "underfitting", "rich"),
    ],
)
def test_label(make_evidence, noisy_losses, means, label, alternative):
    found = verdict_of(make_evidence, noisy_losses, means)
    assert found.label == label
    assert found.alternative == alternative


def test_being_beaten_by_the_null_is_overfitting_where_others_find_signal(make_evidence, noisy_losses):
    found = judge(
        make_evidence(noisy_losses((1.0, 1.5, 0.9)), (1.0, 0.1, 0.05), ("null", "model", "rich")),
        "model",
        alternatives=(),
    )
    assert (found.label, found.alternative) == ("overfitting", "null")
    assert "overall mean" in found.sentence
    assert found.comparisons[0].side == "null"


def test_a_small_but_certain_difference_is_balanced(make_evidence, noisy_losses):
    found = verdict_of(make_evidence, noisy_losses, (1.0, 0.51, 0.50, 0.55), own=0.002)
    assert found.label == "balanced"
    simple = next(c for c in found.comparisons if c.alternative == "simple")
    assert simple.rho.lower > 0, "significant, and still below the margin"


def test_noise_is_undetermined_with_a_lean_and_rows_that_would_decide(make_evidence, noisy_losses):
    found = verdict_of(make_evidence, noisy_losses, (1.0, 0.60, 0.54, 0.7), own=0.2, seed=1)
    assert found.label == "undetermined"
    assert found.lean in ("overfitting", "underfitting", "balanced")
    assert found.lean in found.sentence
    assert found.rows_needed is None or found.rows_needed >= 100


def test_rows_needed_is_the_multiple_that_shrinks_the_interval_enough(make_evidence, noisy_losses):
    losses = noisy_losses((1.0, 0.6, 0.5), own=0.25, seed=3)
    evidence = make_evidence(losses, TRAIN[:3], NAMES[:3])
    found = judge(evidence, "model")
    assert (found.label, found.lean) == ("undetermined", "overfitting")
    simple = next(c for c in found.comparisons if c.alternative == "simple")
    est, half = np.log1p(simple.rho.value), np.log1p(simple.rho.value) - np.log1p(simple.rho.lower)
    assert found.rows_needed == pytest.approx(100 * (half / est) ** 2, abs=1)


def test_ties_in_training_loss_count_as_simpler(make_evidence, noisy_losses):
    """Two interpolating models: the better one isn't richer, so the worse one doesn't underfit."""
    found = verdict_of(make_evidence, noisy_losses, (1.0, 0.8, 0.6, 0.9), train=(1.0, 0.0, 0.0, 0.0))
    assert found.label == "overfitting"


def test_own_path_serves_its_owner_only(make_evidence, noisy_losses):
    names = ("null", "model", "model: max_depth = 3", "rich")
    evidence = make_evidence(noisy_losses((1.0, 0.8, 0.5, 0.9)), (1.0, 0.1, 0.4, 0.3), names)
    assert judge(evidence, "model").alternative == "model: max_depth = 3"
    assert "max_depth = 3" in judge(evidence, "model").sentence
    assert {c.alternative for c in judge(evidence, "rich").comparisons} == {"null", "model"}


def test_lower_end_is_simultaneous_and_upper_end_pointwise(make_evidence, noisy_losses):
    from scipy import stats

    evidence = make_evidence(noisy_losses((1.0, 0.8, 0.75, 0.9), own=0.1), TRAIN, NAMES)
    test = evidence.test_loss + 1e-6 * evidence.test_loss[:, 0].mean()
    est, influence = log_ratios(test[:, 1], test[:, [0, 2, 3]], evidence.test_weight)
    se = standard_errors(influence, correction(evidence.n_train, evidence.n_test))
    t = stats.t.ppf(0.975, 9)
    for k, c in enumerate(judge(evidence, "model").comparisons):
        assert np.log1p(c.rho.upper) == pytest.approx(est[k] + t * se[k], rel=1e-9)
        assert np.log1p(c.rho.lower) < est[k] - t * se[k]
        assert (c.rho.lower > 0) == (c.p_value <= 0.025)


def test_sentence_tells_lower_error_and_not_rho(make_evidence, noisy_losses):
    found = verdict_of(make_evidence, noisy_losses, (1.0, 0.8, 0.6, 0.9))
    lower = 100 * (1 - 1 / (1 + found.effect.value))
    assert f"{lower:.0f} % lower error" in found.sentence
    assert found.sentence.startswith("Overfits: ")
    assert "95 % CI" in found.sentence
    assert found.action.startswith("Regularise more")


def test_perfect_fits_have_finite_numbers(make_evidence):
    losses = np.column_stack([np.linspace(0.9, 1.1, 10), np.full(10, 1e-30), np.full(10, 1e-25), np.full(10, 1e-29)])
    found = judge(make_evidence(losses, (1.0, 0.0, 0.0, 0.0), NAMES), "model")
    assert found.label == "balanced"
    assert all(np.isfinite([c.rho.value, c.rho.lower, c.rho.upper]).all() for c in found.comparisons)


def test_one_gigantic_fold_is_no_proof(make_evidence, noisy_losses):
    losses = noisy_losses((1.0, 0.5, 0.5, 0.5))
    losses[3, 1] = 100.0
    assert judge(make_evidence(losses, TRAIN, NAMES), "model").label == "undetermined"


def test_verdict_goes_to_json_and_back(make_evidence, noisy_losses):
    found = verdict_of(make_evidence, noisy_losses, (1.0, 0.8, 0.6, 0.9))
    again = from_json(Verdict, to_json(found))
    assert again.effect == found.effect
    assert again.comparisons == found.comparisons


@settings(max_examples=40, deadline=None)
@given(
    means=st.lists(st.floats(0.05, 3.0), min_size=4, max_size=4),
    own=st.floats(0.001, 0.5),
    scale=st.sampled_from([1e-6, 1e-3, 1e3, 1e6]),
    seed=st.integers(0, 1000),
)
def test_scale_of_the_target_changes_nothing(make_evidence, noisy_losses, means, own, scale, seed):
    losses = np.abs(noisy_losses(means, own=own, seed=seed))
    plain = judge(make_evidence(losses, TRAIN, NAMES), "model")
    scaled = judge(make_evidence(losses * scale, np.multiply(TRAIN, scale), NAMES), "model")
    assert plain.label in LABELS
    assert (plain.label, plain.lean, plain.alternative) == (scaled.label, scaled.lean, scaled.alternative)
    assert plain.effect.value == pytest.approx(scaled.effect.value, rel=1e-9, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(4)), seed=st.integers(0, 1000))
def test_order_of_contenders_changes_nothing(make_evidence, noisy_losses, order, seed):
    losses = noisy_losses((1.0, 0.8, 0.7, 0.9), own=0.1, seed=seed)
    plain = judge(make_evidence(losses, TRAIN, NAMES), "model")
    moved = judge(make_evidence(losses[:, order], np.array(TRAIN)[list(order)], [NAMES[k] for k in order]), "model")
    assert (plain.label, plain.lean, plain.alternative) == (moved.label, moved.lean, moved.alternative)
    one = {c.alternative: c for c in plain.comparisons}
    for c in moved.comparisons:
        assert c.rho.value == pytest.approx(one[c.alternative].rho.value)
        assert c.rho.lower == pytest.approx(one[c.alternative].rho.lower, rel=0.02, abs=0.02)


def test_signal_is_the_same_for_every_model(make_evidence, noisy_losses):
    evidence = make_evidence(noisy_losses((1.0, 1.2, 0.9, 1.1), own=0.03), TRAIN, NAMES)
    assert {judge(evidence, m).label == "no signal" for m in NAMES[1:]} == {False}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": 0.0}, "margin must be positive"),
        ({"level": 1.0}, "level must lie between"),
        ({"model": "forest"}, "no evidence on 'forest'"),
        ({"model": "null"}, "null model can't be judged"),
        ({"alternatives": ("nothing",)}, "no evidence on 'nothing'"),
    ],
)
def test_bad_options_are_refused(make_evidence, noisy_losses, options, message):
    evidence = make_evidence(noisy_losses((1.0, 0.8, 0.7, 0.9)), TRAIN, NAMES)
    with pytest.raises(InputError, match=message):
        judge(evidence, options.pop("model", "model"), **options)


def test_missing_evidence_says_why(make_evidence, noisy_losses):
    evidence = replace(
        make_evidence(noisy_losses((1.0, 0.8, 0.7, 0.9)), TRAIN, NAMES), failed={"forest": "out of memory"}
    )
    with pytest.raises(InputError, match="out of memory"):
        judge(evidence, "forest")
