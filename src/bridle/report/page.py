"""Lays the study out as a page: templates, style and script become one document under a strict policy."""

from __future__ import annotations

import base64
import functools
import hashlib
import math
import re
from importlib import resources

import jinja2
from markupsafe import Markup

from bridle.report import captions, network_captions, network_views, numbers, several_views, survival_captions, views
from bridle.report.charts import curve, fit, gauge, paths, survival, training
from bridle.report.look import is_network, look, outcome, parameter_phrase, parameter_symbol, parameter_value, status
from bridle.report.payload import COLUMNS, DIGITS, embedded
from bridle.report.svg import mark, shapes
from bridle.report.tidy import tidied
from bridle.results import StudyResult


def page(result: StudyResult) -> str:
    """Return the whole document."""
    result = tidied(result)
    style, script = _asset("style.css").replace("@dark", _asset("dark.css")), _asset("enhance.js")
    best, panels = views.best_model(result), views.panels(result)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            result=result,
            best=best,
            verdict=best.verdict,
            look_of_verdict=outcome(best.verdict),
            silent=best.verdict is not None and best.verdict.label == "no signal",
            gain=views.gain(result),
            panels=panels,
            curves=network_captions.curves_words([p.model.parameter for p in panels], result.folds),
            forests=views.forests(result),
            techniques=network_views.techniques(result.techniques),
            lesson=network_views.lesson_panels(result.lesson),
            histories=network_views.histories(result),
            fitted_once=network_views.fitted_once(result),
            leans=network_views.leans(result),
            calibrations=network_views.calibrations(result),
            networks=any(is_network(m) and not m.failed for m in result.models),
            needs=views.needs(result.sample_size),
            lambda_rows=views.lambda_rows(result),
            features=views.features(result),
            guess=survival_captions.guess(result),
            effects=several_views.effects(result),
            confusion=several_views.confusion(result),
            ones=several_views.ones(result),
            swaps=views.swaps(result.swaps),
            judged=[m for m in views.best_first(result, result.models) if m.verdict is not None],
            data_json=embedded(result),
            max_columns=COLUMNS,
            style=Markup(style),
            script=Markup(script),
            policy=_policy(style, script),
        )
    )


def _policy(style: str, script: str) -> str:
    """Forbid everything but our own style and script, known by their hashes."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        f"base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@functools.cache
def _asset(name: str) -> str:
    return resources.files("bridle.report").joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n").strip()


def _template(name: str) -> str:
    """Read a template without its indentation, which would be a tenth of the tables' size."""
    return re.sub(r"(?m)^[ \t]+", "", _asset(f"templates/{name}"))


@functools.cache
def _environment() -> jinja2.Environment:
    env = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        num=numbers.num,
        count=numbers.count,
        percent=numbers.percent,
        interval=numbers.interval,
        percent_interval=numbers.percent_interval,
        p_value=numbers.p_value,
        seconds=numbers.seconds,
        short=numbers.short,
        prose=numbers.prose,
        moment=_moment,
        symbol=parameter_symbol,
        phrase=parameter_phrase,
        of=parameter_value,
        raw=_raw,
        opened=_opened,
    )
    env.globals.update(
        captions=captions,
        network_captions=network_captions,
        survival_captions=survival_captions,
        survival_chart=survival.curves,
        survival_calibration_chart=survival.calibration,
        value_at=survival.value_at,
        several=several_views,
        open_ones=several_views.OPEN,
        is_network=is_network,
        used=views.used,
        curve_chart=curve.validation_curve,
        path_chart=paths.coefficient_paths,
        learning_chart=fit.learning_curve,
        history_chart=training.training_history,
        coverage_chart=training.coverage,
        promise=training.promise,
        shown_epochs=network_views.shown_epochs,
        lesson_grid=network_views.lesson_grid,
        calibration_chart=fit.calibration,
        residual_chart=fit.residuals,
        roc_chart=fit.roc,
        gauge=gauge.gauge,
        look=look,
        mark=mark,
        shapes=shapes,
        outcome=outcome,
        status=status,
        plural=numbers.plural,
        optimism=views.optimism,
        isfinite=math.isfinite,
    )
    return env


def _opened(text: str) -> str:
    """Begin a text with a capital letter, and leave the rest as it is."""
    return text[:1].upper() + text[1:]


def _moment(text: str) -> str:
    """Write an ISO time as people do; what is none stays as it is."""
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d)?(?:\.\d+)?(?:\+00:00|Z)$", r"\1 \2 UTC", text)


def _raw(value: float) -> str:
    """Write a number as in the embedded JSON, for sorting and for checking."""
    return f"{value:.{DIGITS}g}" if math.isfinite(value) else ""
