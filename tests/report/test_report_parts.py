"""Numbers, scales, labels, the gauge and the captions, each by itself."""

from __future__ import annotations

import dataclasses
import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridle.diagnosis.verdict import Comparison, Interval
from bridle.report import captions
from bridle.report.charts.gauge import balance, gauge
from bridle.report.charts.rows import dot_row, interval_scale
from bridle.report.numbers import (
    interval,
    linear_ticks,
    listing,
    log_ticks,
    num,
    percent,
    percent_interval,
    prose,
    short,
    tick_labels,
)
from bridle.report.svg import Scale, el, simplify, spread
from bridle.report.views import features, forest, optimism

REAL = st.floats(-1e12, 1e12, allow_nan=False)


def read(text: str) -> float:
    """Turn a number as the report writes it back into a float."""
    for sign, power in (("M", 1e6), ("bn", 1e9), ("tn", 1e12)):
        if text.endswith(f"\u202f{sign}"):
            return power * read(text.removesuffix(f"\u202f{sign}"))
    plain = text.replace("\u2212", "-").replace("\u202f×\u202f10", "e").replace("\u202f", "")
    plain = re.sub(r"^(-?\+?)10(?=[⁻⁰¹²³⁴⁵⁶⁷⁸⁹])", r"\g<1>1e", plain)
    return float(plain.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))


@given(REAL, st.integers(2, 6))
def test_num_keeps_the_digits_it_promises(value, digits):
    shown = read(num(value, digits))
    assert math.isclose(shown, value, rel_tol=0.51 * 10.0 ** (1 - digits), abs_tol=5e-324)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (0.12345, "0.123"), (1234.5, "1\u202f230"), (-0.5, "\u22120.500"), (12.0, "12"), (1e-6, "10⁻⁶"),
        (-2.5e-7, "\u22122.5\u202f×\u202f10⁻⁷"), (math.nan, "–"), (math.inf, "–"), (0.9999, "1.00"), (99.96, "100"),
        (4.82e10, "48.2\u202fbn"), (-6.24e6, "\u22126.24\u202fM"), (999_999.0, "1.00\u202fM"), (1e15, "10¹⁵"),
    ],
)  # fmt: skip
def test_num(value, text):
    assert num(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.173, "17\u202f%"), (0.0173, "1.7\u202f%"), (-0.05, "\u22125\u202f%"), (0.0, "0\u202f%"), (-1e-9, "0\u202f%")],
)
def test_percent(value, text):
    assert percent(value) == text


def test_intervals_share_their_decimals():
    assert interval(Interval(0.479, 0.032, 1.3749)) == "0.479 (0.032 to 1.375)"
    assert interval(Interval(0.0001, -3.0, 3.0)) == "0.00 (\u22123.00 to 3.00)"
    assert interval(Interval(2.0, math.nan, math.nan)) == "2.00"
    assert percent_interval(Interval(0.17, 0.08, 0.27)) == "+17\u202f% (+8 to +27\u202f%)"
    assert interval(Interval(0.4, 0.0, 0.9)) == "0.400 (0 to 0.900)"  # out of the model, not small
    assert interval(Interval(4.82e10, 4.03e10, 5.62e10)) == "48.2 (40.3 to 56.2)\u202fbn"
    assert percent_interval(Interval(1e-4, -2e-4, 3e-4)) == "0\u202f% (within ±0.1\u202f%)"
    assert percent_interval(Interval(0.012, 0.001, 0.02)) == "+1.2\u202f% (+0.1 to +2.0\u202f%)"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("loss 4.701e+10 (1.8e+09)", "loss 47.01\u202fbn (1.8\u202fbn)"), ("-1.3 to 5.0 %", "\u22121.3 to 5\u202f%"),
        ("17,290 rows: 1.73e+03 each", "17\u202f290 rows: 1\u202f730 each"), ("penalty x 10", "penalty × 10"),
        ("5-fold, gene_1e05, x-1, v1.0, 2024-01-02, (10,20)", "5-fold, gene_1e05, x-1, v1.0, 2024-01-02, (10,20)"),
    ],
)  # fmt: skip
def test_prose_rewrites_numbers_and_leaves_names(said, shown):
    assert prose(said) == shown


@given(REAL, st.floats(1e-9, 1e9))
def test_linear_ticks_are_in_sight_and_evenly_spaced(low, width):
    high = low + width
    if high - low < 1e-9 * max(abs(low), abs(high)):
        return
    ticks = linear_ticks(low, high)
    room = 1e-6 * (high - low)
    assert 2 <= len(ticks) <= 9
    assert all(low - room <= t <= high + room for t in ticks)
    steps = [b - a for a, b in pairwise(ticks)]
    assert max(steps) - min(steps) <= 1e-6 * max(steps) + 1e-9 * max(abs(low), abs(high))


@given(st.floats(-12, 6), st.floats(0.3, 14))
def test_log_ticks_are_in_sight_few_and_distinct_as_text(start, decades):
    low, high = 10.0**start, 10.0 ** (start + decades)
    ticks = log_ticks(low, high)
    assert 1 <= len(ticks) <= 9
    assert all(low * 0.999 <= t <= high * 1.001 for t in ticks)
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        ([0.0, 0.5, 1.0], ["0.0", "0.5", "1.0"]), ([-1.0, 0.0, 1.0], ["\u22121", "0", "1"]),
        ([0.0, 500_000.0, 1_000_000.0], ["0", "0.5\u202fM", "1.0\u202fM"]),
        ([1000.0, 2000.0], ["1\u202f000", "2\u202f000"]),
    ],
)  # fmt: skip
def test_tick_labels(ticks, labels):
    assert tick_labels(ticks) == labels


@given(st.lists(st.floats(0, 200), max_size=12), st.floats(1, 15))
def test_labels_are_spread_without_collision_and_keep_their_order(wanted, gap):
    placed = spread(wanted, gap, 0.0, 200.0)
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    at = [placed[i] for i in order]
    assert all(b - a >= gap - 0.11 for a, b in pairwise(at))
    assert all(-0.1 <= y <= 200.1 for y in at)
    if all(b - a >= gap for a, b in pairwise(sorted(wanted))):
        assert placed == pytest.approx(wanted, abs=0.06)  # nothing moves that need not


@given(st.lists(st.floats(0, 300), min_size=3, max_size=40))
def test_a_simplified_line_stays_within_its_tolerance(heights):
    points = [(10.0 * i, h) for i, h in enumerate(heights)]
    kept = simplify(points, 1.0)
    assert kept[0] == points[0] and kept[-1] == points[-1]
    for x, y in points:
        a, b = next((p, q) for p, q in pairwise(kept) if p[0] <= x <= q[0])
        assert abs(a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0]) - y) <= 1.0 + 1e-9


def test_scales_run_either_way_and_survive_a_single_value():
    falling = Scale(100.0, 0.01, log=True)
    assert falling(100.0) == 0 and falling(0.01) == 1 and falling(1.0) == pytest.approx(0.5)
    assert falling(0.0) == 1.0  # no logarithm: the simpler end is far away
    assert Scale(3.0, 3.0)(3.0) == 0.5


def test_names_are_cut_in_the_middle():
    assert short("worst fractal dimension", 12) == "worst f…sion"
    assert len(short("x" * 99, 20)) == 20 and short("abc", 20) == "abc"
    assert (
        listing(["a", "b", "c"]) == "a, b and c"
        and listing(["a"]) == "a"
        and listing(list("abcdef")).endswith("2 more")
    )


def test_attributes_and_text_are_escaped():
    assert el("text", "<b>&", title='"x"') == '<text title="&#34;x&#34;">&lt;b&gt;&amp;</text>'


# --- the gauge ----------------------------------------------------------------------------------------------------


def against(name: str, side: str, value: float, lower: float, upper: float) -> Comparison:
    return Comparison(name, name, side, Interval(value, lower, upper), 0.5, 1.0, 1.0)


@pytest.fixture
def verdict(study):
    return study("one_feature").model("lasso").verdict


def test_the_needle_points_to_the_side_that_is_proved(verdict):
    for label, side, sign in (("overfitting", "simpler", 1), ("underfitting", "richer", -1)):
        proof = against("proof", side, 0.2, 0.1, 0.3)
        v = dataclasses.replace(verdict, label=label, effect=proof.rho, alternative="proof", comparisons=(proof,))
        at = balance(v)
        assert at.needle == pytest.approx(0.2 * sign)
        assert sorted((abs(at.low), abs(at.high))) == [0.1, 0.3] and at.low < at.needle < at.high


def test_alternatives_that_are_worse_do_not_pull_the_needle(verdict):
    there = (against("a", "simpler", -0.4, -0.5, -0.3), against("b", "richer", -0.2, -0.3, -0.1))
    v = dataclasses.replace(verdict, label="balanced", alternative="", effect=there[0].rho, comparisons=there)
    at = balance(v)
    assert (at.needle, at.low, at.high) == (0, 0, 0)


def test_the_bar_of_a_balanced_model_lies_within_the_margin_iff_all_upper_ends_do(verdict):
    there = (against("a", "simpler", 0.01, -0.02, 0.03), against("b", "richer", 0.0, -0.02, 0.04))
    v = dataclasses.replace(verdict, label="balanced", alternative="", effect=there[0].rho, comparisons=there)
    at = balance(v)
    assert at.low == -0.04 and at.high == 0.03


def test_no_needle_where_nothing_can_be_claimed(verdict):
    assert 'class="needle"' in gauge(verdict)
    assert 'class="needle"' not in gauge(dataclasses.replace(verdict, label="no signal"))
    assert 'class="needle"' not in gauge(
        dataclasses.replace(verdict, comparisons=(), effect=Interval(*3 * (math.nan,)))
    )


def test_an_interval_out_of_sight_ends_in_an_arrow_inside_the_chart():
    scale = Scale(-0.5, 0.5)
    drawn = dot_row(Interval(-0.9, -0.95, -0.8), scale)
    assert "#s-left" in drawn and "whisker" not in drawn
    drawn = dot_row(Interval(0.3, -2.0, 0.4), scale)
    assert "#s-cut-left" in drawn and "#s-cut-right" not in drawn
    places = [float(v) for v in re.findall(r'x[12]?="(-?[\d.]+)%"', drawn)]
    assert all(0 <= p <= 100 for p in places)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 9)), min_size=1, max_size=8), st.floats(0.1, 3))
def test_values_are_always_within_the_common_scale(pairs, widest):
    items = [Interval(v, v - w, v + w) for v, w in pairs]
    scale = interval_scale(items, [0.0], widest)
    assert all(0 <= scale(i.value) <= 1 for i in items) and 0 <= scale(0.0) <= 1


def test_forest_puts_the_worst_news_first_and_keeps_the_close_calls_in_sight(verdict):
    there = (against("null", "null", -0.95, -0.97, -0.9), against("b", "richer", 0.02, -0.02, 0.04))
    model = dataclasses.replace
    f = forest(model, dataclasses.replace(verdict, comparisons=there))
    assert [r.comparison.alternative for r in f.rows] == ["b", "null"]
    assert "#s-left" in f.rows[1].chart  # far off to the left: an arrow, so that the margin keeps its room


def test_feature_intervals_per_standard_deviation_scale_with_the_coefficient(study):
    table = features(study("breast_cancer"))[0]
    for row in table.rows:
        c = row.coefficient
        assert c.standardised == pytest.approx(c.value * c.scale)


# --- captions -----------------------------------------------------------------------------------------------------


@pytest.fixture
def curve(study):
    base = study("one_feature").model("lasso").curve
    values = tuple(10.0**-k for k in range(6))

    def made(mean, se, train, best, chosen=None):
        return dataclasses.replace(
            base, values=values, mean=tuple(mean), standard_error=(se,) * 6, train=tuple(train), index_min=best,
            index_1se=best, index_chosen=best if chosen is None else chosen, n_nonzero=(1,) * 6, scores={}, rules={},
        )  # fmt: skip

    return made


def test_a_flat_curve_is_called_flat_and_a_sharp_one_sharp(curve):
    flat = captions.curve_caption(curve([2, 1.05, 1.0, 1.01, 1.02, 1.03], 0.1, [2, 1, 1, 1, 1, 1], 2))
    assert "flat" in flat and "0.100 to 10⁻⁵" in flat
    sharp = captions.curve_caption(curve([3, 2, 1.0, 2, 3, 4], 0.1, [3, 2, 1, 0.9, 0.8, 0.7], 2))
    assert "sharp" in sharp and "overfitting, made visible" in sharp


def test_the_ends_of_a_curve_are_told(curve):
    assert "wider range" in captions.curve_caption(curve([6, 5, 4, 3, 2, 1], 0.1, [6, 5, 4, 3, 2, 1], 5))
    assert "simplest model" in captions.curve_caption(curve([1, 2, 3, 4, 5, 6], 0.1, [1] * 6, 0))


def test_lambda_caption_grades_the_spread(study):
    model = study("one_feature").model("lasso")
    assert captions.lambda_caption([1.0, 1.1, 1.2, 1.3], model).startswith("stable")
    assert captions.lambda_caption([0.01, 0.01, 1.0, 100.0, 100.0], model).startswith("unstable")


def test_learning_caption_tells_whether_more_rows_help(verdict):
    curve = verdict.learning_curve
    one = Interval(1.0, 0.9, 1.1)
    level = dataclasses.replace(curve, test=(one,) * len(curve.test))
    assert "levelled off" in captions.learning_caption(level)
    falling = dataclasses.replace(curve, test=tuple(Interval(2.0**-k, 0, 9) for k in range(len(curve.test))))
    assert "still falling" in captions.learning_caption(falling)


def test_a_rise_within_the_noise_is_not_called_overfitting(curve):
    rising = [2, 1.2, 1.0, 1.02, 1.04, 1.06]
    train = [2, 1, 0.9, 0.8, 0.7, 0.6]
    assert "overfitting" not in captions.curve_caption(curve(rising, 0.1, train, 2))
    assert "overfitting" in captions.curve_caption(curve(rising, 0.01, train, 2))


def test_the_headline_does_not_repeat_the_badge():
    split = captions.headline
    assert split("Undetermined, leaning balanced: no proof.") == ("Undetermined, leaning balanced: ", "No proof.")
    assert split("Overfits: a: b.") == ("Overfits: ", "A: b.")
    assert split("Lasso: fine.") == ("", "Lasso: fine.") and split("No colon") == ("", "No colon")


def test_gain_caption_says_whether_the_two_estimates_agree(study):
    result = study("diabetes")
    best = result.model(result.best)

    def said(cv):
        changed = dataclasses.replace(best, cv_loss=dataclasses.replace(best.cv_loss, value=cv))
        models = tuple(changed if m.name == best.name else m for m in result.models)
        return captions.gain_caption(dataclasses.replace(result, models=models))

    held = best.holdout_loss
    assert "the two agree" in said(held.value)
    assert "is lower than cross-validation promised" in said(2 * held.upper)
    assert "is higher than cross-validation promised" in said(held.lower / 2)


def test_optimism_is_told_without_a_unit(verdict):
    v = dataclasses.replace(verdict, optimism=Interval(2e9, -1e9, 5e9), null_loss=1e11)
    it = optimism(v)
    assert (it.value, it.lower, it.upper) == pytest.approx((0.02, -0.01, 0.05))
    assert math.isnan(optimism(dataclasses.replace(v, null_loss=0.0)).value)


def test_gauge_caption_ties_excess_to_lower_error(verdict):
    proof = against("proof", "simpler", 0.25, 0.1, 0.4)
    v = dataclasses.replace(verdict, label="overfitting", effect=proof.rho, alternative="proof", comparisons=(proof,))
    assert "excess of 25\u202f% is the same as 20\u202f% lower error" in captions.gauge_caption(v)
