# ruff: noqa: E501  (markup of rows)
"""What the report says of techniques, networks and the lesson: true words, true positions, nothing where nothing is."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from xml.etree import ElementTree

import pytest

from bridle.diagnosis.verdict import Interval
from bridle.report import captions, network_captions, network_views, render
from bridle.report.charts.lesson import lesson_chart, plane
from bridle.report.charts.training import COLUMNS, HEIGHT, coverage, history_range, promise, training_history
from bridle.report.look import look, parameter_setting, parameter_value
from bridle.report.numbers import plain
from bridle.report.payload import embedded
from bridle.results import Coverage, CurveSummary, MonteCarlo, TechniqueGap, TrainingHistory

NAN, INF = math.nan, math.inf
RATES = (0.8, 0.6, 0.4, 0.2, 0.0)


def curve(mean, best, error=0.05, values=RATES, train=None):
    return CurveSummary(
        "dropout rate", values, tuple(mean), (error,) * len(values), tuple(train or mean), (3,) * len(values), {}, best, best,
        best, {"min": best},
    )  # fmt: skip


def svg(markup) -> ElementTree.Element:
    return ElementTree.fromstring(re.sub(r"#s-", "", str(markup)))


def section(html: str, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', html, re.DOTALL)
    return found.group() if found else ""


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


# --- the dropout curve ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["network", "demo"])
def test_the_dropout_panel_speaks_of_rates_and_hides_what_does_not_apply(page, study, name):
    result = study(name)
    index = [m.name for m in result.models].index("dropout")
    panel = page(name).split(f'id="panel-{index}"')[1].split("</section>")[0]
    for word in ("λ", "lambda", "penalty", "Features", "Effects", "Coefficient paths", "data-coef", "paths-figure"):
        assert word not in panel, word
    assert "a dropout rate of <output" in panel and "30 → 64 → 64 → 1, relu" in page("network")
    assert 'data-log="0"' in panel
    assert "switched off" in panel and "How strong a penalty, how much dropout" in page(name)


def test_rates_are_written_as_people_type_them():
    assert [plain(v) for v in (0.8, 0.05, 0.0, 1 / 3, -0.5, NAN)] == ["0.8", "0.05", "0", "0.333", "\u22120.5", "–"]
    assert parameter_value(0.5, "dropout rate") == "0.5" and parameter_value(0.5, "lambda") == "0.500"
    assert parameter_setting(0.5, "dropout rate") == "a dropout rate of 0.5"
    assert parameter_setting(0.5, "lambda") == "λ = 0.500"


def test_the_ends_of_a_dropout_curve_are_told_for_what_they_are():
    none = captions.curve_caption(curve([5, 4, 3, 2, 1], 4))
    assert "without dropout has the lowest error" in none and "wider range" not in none
    most = captions.curve_caption(curve([1, 2, 3, 4, 5], 0))
    assert "largest rate tried" in most and "features add nothing" not in most
    least = captions.curve_caption(curve([3, 2, 1], 2, values=(0.5, 0.3, 0.1)))
    assert "smallest rate tried" in least
    inside = captions.curve_caption(curve([3, 2, 1, 2, 3], 2))
    assert "only a dropout rate of 0.4 is within" in inside and "rate tried" not in inside
    assert captions.curve_caption(curve([1.0], 0, values=(0.3,))) == "Only a dropout rate of 0.3 was tried."


def test_overfitting_without_dropout_is_told_with_both_errors():
    said = captions.curve_caption(curve([3, 2, 1, 1.5, 2], 2, train=[3, 2, 1, 1.01, 0.5]))
    assert "At a dropout rate of 0 the training error is 50\u202f% lower" in said and "error 100\u202f% higher" in said
    assert "keeps falling" not in said


def test_a_dropout_curve_is_flat_by_difference_not_by_ratio():
    assert "hardly matters" in captions.curve_caption(curve([1, 1, 1, 1.01, 1.02], 1))
    near_none = captions.curve_caption(
        curve([3, 2, 1.5, 1, 1.01], 3)
    )  # 0.2 to 0 is an infinite ratio, and no wide range
    assert near_none.startswith("From a dropout rate of 0.2 to 0 the error stays")


def test_resampled_rates_are_graded_by_difference(study):
    net = study("network").model("dropout")
    assert captions.lambda_caption([0.0, 0.1, 0.1, 0.1], net) == (
        "stable: half of 4 resampled fits chose a rate from 0.1 to 0.1"
    )
    assert captions.lambda_caption([0.0, 0.0, 0.4, 0.8, 0.8], net).startswith("unstable")


def test_every_technique_has_its_own_shape():
    names = ("null", "unregularised", "ridge", "lasso", "elastic net", "dropout")
    assert len({look(n).shape for n in names}) == len({look(n).css for n in names}) == len(names)


def test_a_network_that_could_not_be_trained_leaves_no_trace_but_its_row(page):
    html = page("no_torch")
    assert "Not fitted: PyTorch isn&#39;t installed: pip install &#39;bridle[nn]&#39;" in section(html, "gain")
    for name in ("techniques", "lesson", "training", "leans", "intervals"):
        assert f'id="{name}"' not in html
    assert "Monte-Carlo" not in html and ">How strong a penalty<" in html


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "counts", "broken"])
def test_studies_without_networks_do_not_mention_them(page, name):
    shown = text_of(page(name).split("<main")[1].split("</main>")[0]).lower()
    for word in ("dropout", "network", "epoch", "monte-carlo", "integrated gradients", "technique"):
        assert word not in shown, word


# --- techniques -----------------------------------------------------------------------------------------------------


def test_technique_rows_hold_their_numbers_and_words(page, study):
    found = study("demo").techniques
    rows = section(page("demo"), "techniques").split("<tbody>")[1].split("</tbody>")[0].split("</tr>")[:-1]
    assert len(rows) == len(found.gaps)
    for row, gap in zip(rows, found.gaps, strict=True):
        assert gap.label in row
        held = [float(v) for v in re.findall(r'data-v="([^"]*)"', row)]
        assert held == pytest.approx([gap.excess.value, gap.loss], rel=1e-5)
        word = "lowest error" if gap.model == found.best else "beyond noise" if gap.beyond_noise else "within noise"
        assert word in row
        hollow = 'class="mark open"' in row
        assert hollow == (word == "within noise"), gap
    assert found.scheme in section(page("demo"), "techniques")


def test_a_hopeless_technique_does_not_flatten_the_close_calls():
    def gap(name, value):
        return TechniqueGap(name, name, "L1", 1 + value, Interval(value, value - 0.03, value + 0.03), value > 0.03)

    found = dataclasses.replace(
        _techniques(), best="a", gaps=(gap("a", 0.0), gap("b", 0.02), gap("c", 0.05), gap("unregularised", 40.0))
    )
    rows = network_views.techniques(found).rows
    assert "#s-right" in rows[3].chart and "beyond noise" in rows[3].outcome.word
    places = [float(re.search(r'<use href="#s-\w+" x="([\d.]+)%"', str(r.chart)).group(1)) for r in rows[:3]]
    assert places[1] - places[0] > 3 and places[2] - places[1] > 4


def _techniques():
    from bridle.results import Techniques

    return Techniques("a", "A is best.", (), "3-fold")


def test_a_technique_without_a_finite_error_is_still_placed(page):
    shown = section(page("networks_gone_wild"), "techniques")
    assert "no finite error" in shown and "#s-right" in shown and "not known" in shown


def test_without_signal_the_lowest_error_is_no_recommendation(study):
    found = study("demo").techniques
    silent = render(dataclasses.replace(study("noise"), techniques=found))
    said = "None of them reliably beats guessing the average."
    assert said in section(silent, "techniques")
    assert said not in section(render(dataclasses.replace(study("one_feature"), techniques=found)), "techniques")


# --- training -------------------------------------------------------------------------------------------------------


def history(train, held, best, stopped="early stopping"):
    return TrainingHistory(tuple(train), tuple(held), best, stopped, 90, 10)


def test_the_kept_epoch_is_drawn_where_it_was():
    h = history([3, 2, 1, 0.8, 0.6], [3, 2.2, 1.6, 1.8, 2.0], 3)
    drawn = svg(training_history(h, "Net", "error"))
    pin = next(e for e in drawn.iter() if "pin" in e.get("class", "").split())
    assert pin.get("x1") == "50%"
    low, high = history_range(h)
    dots = [e for e in drawn.iter() if e.get("href") == "circle"]
    losses = sorted(low + (1 - float(e.get("y")) / HEIGHT) * (high - low) for e in dots)
    assert losses == pytest.approx([1.0, 1.6], abs=(high - low) / HEIGHT)
    shaded = next(e for e in drawn.iter() if e.get("class") == "after")
    assert shaded.get("x") == "50%" and shaded.get("width") == "50.00%"


def test_an_explosion_does_not_flatten_the_training():
    calm = [1.0 + 0.01 * k for k in range(50)]
    low, high = history_range(history([1e9, *calm], [1e12, *calm], 2))
    assert low < 1.0 and 1.5 < high < 4
    said = network_captions.history_caption(history([1e9, *calm], [1e12, *calm], 2))
    assert "Errors of up to 1.00\u202ftn lie above the chart." in said
    steep = [1.0, 0.6, 0.4, 0.3, 0.25, 0.22, 0.2]
    assert history_range(history(steep, steep, 7))[1] > 1.0  # an ordinary descent is shown whole


def test_a_line_breaks_where_the_loss_is_no_number():
    drawn = str(training_history(history([1, NAN, 3, 4], [], 4, "the limit of epochs"), "Net", "error"))
    path = re.search(r'd="([^"]*)" class="train"', drawn).group(1)
    assert path.count("M") == 2
    assert "nan" not in drawn.lower()
    for losses in ([NAN, NAN], []):
        assert "nan" not in str(training_history(history(losses, [], 1), "Net", "error")).lower()


def test_a_long_history_stays_small_and_keeps_its_extremes():
    losses = [1 + 0.1 * math.sin(k) for k in range(20_000)]
    losses[12_345] = 1.4
    drawn = str(training_history(history(losses, losses, 12_346), "Net", "error"))
    assert len(drawn) < 30 * COLUMNS * 2
    d = re.search(r'd="([^"]*)" class="train"', drawn).group(1)
    ys, y = [], 0.0
    for step in re.finditer(r"(-?[\d.]+)(?:,|(?=-))(-?[\d.]+)", d):
        y += float(step.group(2))
        ys.append(y)
    low, high = history_range(history(losses, losses, 12_346))
    assert low + (1 - min(ys) / HEIGHT) * (high - low) == pytest.approx(1.4, abs=0.02)


@pytest.mark.parametrize(
    ("h", "words"),
    [
        (history([2, 1, 1], [2, 1, 1.5], 2), ("epoch 2,", "10 rows set aside from 100", "lowest (1.00)", "1 epoch more", "stopped early")),
        (history([2, 1], [2, 1], 2, "the limit of epochs"), ("last of the 2 epochs allowed",)),
        (history([2, 1, 1], [2, 1, 3], 2, "the limit of epochs"), ("limit of 3 epochs, 1 epoch later",)),
        (history([2, 1], [2, 1], 2, "an interrupt"), ("interrupted after 2 epochs",)),
        (history([2, 1], [], 2, "the limit of epochs"), ("No rows were set aside", "ran to its limit")),
        (history([NAN], [NAN], 0, "divergence"), ("diverged within 1 epoch", "break where an error is no finite number: 2 times")),
        (history([2, 1, 1], [2, 1, 0.99999], 2), ("all but lowest (1.00)",)),
    ],
)  # fmt: skip
def test_how_training_ended_is_said(h, words):
    said = network_captions.history_caption(h)
    for word in words:
        assert word in said, said
    assert "kept: epoch 0" not in training_history(h, "Net", "error")


def test_tables_of_epochs_show_the_kept_and_the_last_one():
    assert network_views.shown_epochs(5, 3) == [1, 2, 3, 4, 5]
    shown = network_views.shown_epochs(2000, 1234)
    assert 1234 in shown and shown[0] == 1 and shown[-1] == 2000 and len(shown) < 25


def test_embedded_histories_end_at_a_limit(study):
    data = json.loads(str(embedded(study("network"))))
    kept = data["models"][-1]["history"]
    assert len(kept["train"]) == 58 and kept["best_epoch"] == 43
    wild = json.loads(str(embedded(study("networks_gone_wild"))))
    assert wild["models"][5]["history"]["train"] == [] and wild["lesson"] is None
    shares = data["models"][-1]["attributions"]["share"]
    assert shares == pytest.approx([a.share for a in study("network").model("dropout").attributions], rel=1e-5)


# --- what it leans on, and its intervals ----------------------------------------------------------------------------


def test_attributions_are_listed_with_share_and_direction(page, study):
    wanted = study("network").model("dropout").attributions
    rows = section(page("network"), "leans").split("<tbody>")[1].split("</tr>")[:-1]
    assert len(rows) == 25 < len(wanted)
    for row, a in zip(rows, wanted, strict=False):
        share, direction = (float(v) for v in re.findall(r'data-v="([^"]*)"', row))
        assert (share, direction) == pytest.approx((a.share, a.direction), rel=1e-5)
        assert ("raises" if a.direction > 0.5 else "lowers" if a.direction < -0.5 else "both ways") in row
    rest = sum(a.share for a in wanted[25:])
    assert f"The remaining {100 * rest:.1f}".rstrip("0").rstrip(".") in section(page("network"), "leans")
    said = text_of(section(page("network"), "leans"))
    assert "no proof of cause" in said and "push the chance of &#39;benign&#39; up" in said
    assert "push the prediction up" in text_of(section(page("demo"), "leans"))


@pytest.mark.parametrize(
    ("value", "word"),
    [(0.51, "raises"), (0.5, "both ways"), (-0.5, "both ways"), (-0.51, "lowers"), (NAN, "not known")],
)
def test_directions(value, word):
    assert network_views.direction(value).word == word


def test_coverage_is_drawn_where_it_is_and_judged_by_its_interval():
    points = (
        Coverage(0.5, Interval(0.52, 0.42, 0.62)), Coverage(0.8, Interval(0.6, 0.5, 0.7)),
        Coverage(0.9, Interval(0.97, 0.92, 0.99)), Coverage(0.95, Interval(0.9, NAN, NAN)),
    )  # fmt: skip
    assert [promise(c) for c in points] == ["as promised", "too narrow", "too wide", "not known"]
    drawn = svg(coverage(MonteCarlo(100, "rows", 90, points, ""), "Net"))
    marks = [e for e in drawn.iter() if e.get("href") == "circle"]
    assert ["open" in e.get("class") for e in marks] == [True, False, False, False]
    for e, c in zip(marks, points, strict=True):  # both axes run from 0.4 to 1
        assert float(e.get("x").rstrip("%")) / 100 == pytest.approx((c.level - 0.4) / 0.6, abs=1e-3)
        assert 1 - float(e.get("y")) / HEIGHT == pytest.approx((c.covered.value - 0.4) / 0.6, abs=1e-2)


def test_intervals_say_how_they_were_made(page):
    said = text_of(section(page("network"), "intervals"))
    assert "predicts 200 times" in said and "12 groups of 10 rows" in said and "too narrow" in said
    assert "114 rows" in text_of(section(page("demo"), "intervals"))


# --- the lesson -----------------------------------------------------------------------------------------------------


def test_the_lesson_shows_every_fit_on_the_same_axes(page, study):
    lesson = study("demo").lesson
    html = section(page("demo"), "lesson")
    pictures = re.findall(r'<svg class="chart lesson-chart".*?</svg></svg>|<svg class="chart lesson-chart"', html)
    assert len(pictures) == len(lesson.fits)
    axes = re.findall(r'<g class="lesson-axes".*?</g>', html)
    truths = re.findall(r'<path d="([^"]*)" class="truth"', html)[1:]  # the first is the legend's
    assert len(set(axes)) == 1 and len(axes) == 4 and len(set(truths)) == 1
    for fit in lesson.fits:
        assert fit.label in html and fit.setting in html
        assert f'data-v="{fit.train_error:.6g}"' in html and f'data-v="{fit.true_error:.6g}"' in html
    best = min(lesson.fits, key=lambda f: f.true_error)
    assert html.count("closest to the truth") == 1
    assert html.split("closest to the truth")[0].rsplit("<h3>", 1)[1].count(best.label) == 1


def test_a_wild_fit_does_not_set_the_axes_and_is_told(study):
    lesson = study("demo").lesson
    shown = plane(lesson).y
    assert shown.start > 2 * min(lesson.y) - 1 and shown.stop < 2 * max(lesson.y) + 1
    wild, *tame = network_views.lesson_panels(lesson)
    assert "leaves the picture" in network_captions.lesson_note(wild)
    assert all(network_captions.lesson_note(p) == "" for p in tame)
    numbers = [
        abs(float(v))
        for v in re.findall(r"-?\d+\.?\d*", str(lesson_chart(lesson, study("networks_gone_wild").lesson.fits[0])))
    ]
    assert max(numbers) < 1e5  # browsers draw nothing of lines that go on to a billion


def test_a_fit_without_numbers_is_said_to_have_none(page):
    assert "This fit has no finite line." in section(page("networks_gone_wild"), "lesson")


def test_the_lesson_of_the_demo_fits_the_page(study):
    job = pytest.importorskip("bridle.job.lesson")
    html = render(dataclasses.replace(study("one_feature"), lesson=job.make_lesson()))
    shown = section(html, "lesson")
    assert shown.count("lesson-chart") == 4 and len(shown) < 24_000


def test_curves_words_follow_what_is_there():
    words = network_captions.curves_words
    assert words(["lambda"], "x").title == "How strong a penalty"
    assert (
        words(["dropout rate"], "x").title == "How much dropout" and "enalty" not in words(["dropout rate"], "x").lead
    )
    named = network_captions.chosen_again
    assert (
        named(["lambda", "lambda"]) == "The strength of the penalty" and named(["dropout rate"]) == "The dropout rate"
    )
    assert named(["lambda", "dropout rate"]) == "The strength of the penalty, and the dropout rate"
