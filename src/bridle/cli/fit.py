"""``bridle fit``: the main job on one table."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridle.cli.config import read_config

if TYPE_CHECKING:
    from bridle.job import Study

EPILOG = """[bold]Examples[/bold]

bridle fit --demo

bridle fit patients.csv --target diagnosis

bridle fit sales.parquet -t price --models ridge,lasso --out prices

cat visits.csv | bridle fit - -t visits --family poisson --offset log_days

bridle fit patients.csv --target months --event died --strata centre

bridle fit scores.csv -t passed --groups school --fail-on overfitting

bridle fit flowers.csv -t species

bridle fit trial.csv -t outcome --ordered outcome=worse,same,better

bridle fit trial.csv --formula 'response ~ bs(age, 5) + sex*dose' --ordered stage=I,II,III
"""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("fit", epilog=EPILOG)(fit)


def fit(
    *,
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="CSV, Parquet or Feather file, .gz or .zst too; - for standard input."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", help="Column to predict; several with commas are predicted together."),
    ] = None,
    out: Annotated[
        FilePath | None, typer.Option("--out", "-o", help="Folder for the results.", show_default="bridle-<file>")
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Run on a bundled data set: breast cancer, 569 rows.")] = False,
    models: Annotated[
        str | None,
        typer.Option(
            help="Of unregularised, ridge, lasso, elastic-net, dropout; with commas.",
            rich_help_panel="Models",
            show_default="all",
        ),
    ] = None,
    rule: Annotated[
        str,
        typer.Option(
            help="How lambda and the dropout rate are chosen: 1se, min, within, aic, aicc, bic, ebic, gcv.",
            rich_help_panel="Models",
        ),
    ] = "min",
    penalty: Annotated[
        str,
        typer.Option(
            help="Of lasso and elastic net: elastic_net, adaptive_lasso, mcp, scad; group_lasso (categories and "
            "splines as wholes), sparse_group_lasso, adaptive_group_lasso.",
            rich_help_panel="Models",
        ),
    ] = "elastic_net",
    hierarchy: Annotated[
        str | None,
        typer.Option(
            help="strong or weak: interactions only with both or one of their main effects.", rich_help_panel="Models"
        ),
    ] = None,
    relax: Annotated[
        bool,
        typer.Option(
            "--relax",
            help="Let lasso and elastic net be blended with a refit without penalty of the features that they keep.",
            rich_help_panel="Models",
        ),
    ] = False,
    family: Annotated[
        str | None,
        typer.Option(
            help="gaussian, binomial, multinomial, ordinal, poisson, gamma, tweedie, negative_binomial, huber or "
            "quantile(tau=0.9), say.",
            rich_help_panel="Data",
            show_default="by the target",
        ),
    ] = None,
    event: Annotated[
        str | None,
        typer.Option(
            help="Column that says whether the event happened; the target is then the time to it, the model Cox's.",
            rich_help_panel="Data",
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Column of times of entry, with --event.", rich_help_panel="Data")
    ] = None,
    strata: Annotated[
        str | None,
        typer.Option(help="Column of strata, each with its own baseline hazard, with --event.", rich_help_panel="Data"),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(
            help="The class whose probability is predicted, or the label of the event.",
            rich_help_panel="Data",
            show_default="the later one",
        ),
    ] = None,
    exclude: Annotated[
        str | None, typer.Option(help="Columns to leave out; with commas.", rich_help_panel="Data")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(help="Columns to use although they look like identifiers.", rich_help_panel="Data"),
    ] = None,
    ordered: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COL=LEVELS",
            help="An ordered category (or target) with all its levels, lowest first: dose=low,mid,high; repeatable.",
            rich_help_panel="Data",
        ),
    ] = None,
    formula: Annotated[
        str | None,
        typer.Option(
            help="Target and features: 'y ~ bs(age, 5) + sex:dose'; --target isn't needed then.", rich_help_panel="Data"
        ),
    ] = None,
    interactions: Annotated[
        str | None,
        typer.Option(help="Products as features: all, or pairs with commas: age:dose,sex:*.", rich_help_panel="Data"),
    ] = None,
    separator: Annotated[
        str | None, typer.Option(help="Between cells of a text file.", rich_help_panel="Data", show_default="found out")
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(help="Decimal point or comma.", rich_help_panel="Data", show_default="found out")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of a text file.", rich_help_panel="Data", show_default="found out")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="Column of row weights.", rich_help_panel="Data")] = None,
    offset: Annotated[
        str | None, typer.Option(help="Column added to the linear predictor.", rich_help_panel="Data")
    ] = None,
    groups: Annotated[
        str | None, typer.Option(help="Column whose rows stay together in the folds.", rich_help_panel="Data")
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="Column of time: validate on later rows only.", rich_help_panel="Data")
    ] = None,
    missing: Annotated[
        str, typer.Option(help="Missing values: indicator, mean, median, drop or error.", rich_help_panel="Data")
    ] = "indicator",
    holdout: Annotated[
        float, typer.Option(help="Share of rows kept aside for the final test.", rich_help_panel="Validation")
    ] = 0.2,
    folds: Annotated[int, typer.Option(help="Folds of the cross-validation.", rich_help_panel="Validation")] = 10,
    repeats: Annotated[int, typer.Option(help="Repeats of the cross-validation.", rich_help_panel="Validation")] = 2,
    margin: Annotated[
        float, typer.Option(help="Excess error that matters; 0.05 is 5 %.", rich_help_panel="Validation")
    ] = 0.05,
    level: Annotated[
        float, typer.Option(help="Confidence level of the intervals.", rich_help_panel="Validation")
    ] = 0.95,
    bootstrap: Annotated[
        int, typer.Option(help="Bootstrap samples for intervals and stability.", rich_help_panel="Validation")
    ] = 50,
    challengers: Annotated[
        bool, typer.Option(help="Challenge the models with splines and boosting.", rich_help_panel="Validation")
    ] = True,
    learning_curve: Annotated[bool, typer.Option(help="Draw the learning curve.", rich_help_panel="Validation")] = True,
    seed: Annotated[int, typer.Option(help="Seed of everything random.", rich_help_panel="Validation")] = 0,
    n_jobs: Annotated[int | None, typer.Option(help="Threads.", show_default="all cores")] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(help="Exit with 10 if the verdict is among these; with commas.", rich_help_panel="Validation"),
    ] = None,
    config: Annotated[
        FilePath | None,
        typer.Option(help="TOML file with any of these options.", callback=read_config, is_eager=True),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that bridle didn't write.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, no notes, no warnings of the data.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Fit regularised models to a table, tell whether they over- or underfit, and write a report.

    Results go to a folder: report.html, model.bridle, metrics.json, verdict.json, study.json, predictions.csv.
    """
    from bridle.cli.console import Bar
    from bridle.cli.gate import parse_labels
    from bridle.cli.verdict import print_study, study_json
    from bridle.job.saving import check_folder

    gate = parse_labels(fail_on)
    data, name, aim = _source(file, target, formula, demo)
    folder = out if out is not None else FilePath(f"bridle-{name}")
    check_folder(folder, force=force)
    from bridle.job import study

    with Bar(quiet=quiet) as bar:
        result: Study = study(
            data,
            aim,
            models=_listed(models),
            family=family,
            rule=rule,
            penalty=penalty,
            hierarchy=hierarchy,
            relax=relax,
            folds=folds,
            repeats=repeats,
            holdout=holdout,
            margin=margin,
            level=level,
            missing=missing,
            weights=weights,
            offset=offset,
            groups=groups,
            time=time,
            event=event,
            start=start,
            strata=strata,
            exclude=tuple(_listed(exclude) or ()),
            keep=tuple(_listed(keep) or ()),
            ordered=_levels(ordered) or None,
            formula=formula,
            interactions=_pairs(interactions),
            positive=positive,
            separator=separator,
            decimal=decimal,
            encoding=encoding,
            bootstrap=bootstrap,
            challengers=challengers,
            learning_curve=learning_curve,
            seed=seed,
            n_jobs=n_jobs,
            command=_command(),
            progress=bar,
        )
        if demo:
            from bridle.job.lesson import make_lesson

            result = replace(result, result=replace(result.result, lesson=make_lesson()))
        bar("writing the report", 0, 0)
        result.save(folder, force=force)
    if as_json:
        print(study_json(result.result, folder))
    else:
        print_study(result.result, folder, quiet=quiet)
    gate.check(result.verdict.label)


def _source(file: str | None, target: str | None, formula: str | None, demo: bool) -> tuple[Any, str, str | None]:
    """Give the table or its path, a short name for it, and the target column, which a formula names itself."""
    if demo:
        if file is not None:
            raise typer.BadParameter("--demo brings its own data; leave FILE out, or leave --demo out")
        from bridle.datasets import DEMO_TARGET, demo_path

        return demo_path(), "demo", target or (None if formula else DEMO_TARGET)
    if file is None:
        raise typer.BadParameter("no FILE was given; give a table, - for standard input, or --demo", param_hint="FILE")
    if target is None and formula is None:
        raise typer.BadParameter("no target was given; name the column to predict", param_hint="--target")
    stem = "stdin" if file == "-" else FilePath(file).name.split(".")[0]
    return file, stem or "study", target


def _pairs(text: str | None) -> str | list[str] | None:
    listed = _listed(text)
    return "all" if listed == ["all"] else listed


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _levels(given: list[str] | None) -> dict[str, tuple[str, ...]]:
    """Read ``dose=low,mid,high`` into column and levels."""
    found: dict[str, tuple[str, ...]] = {}
    for text in given or ():
        column, equals, levels = text.partition("=")
        column = column.strip()
        if not equals or not column:
            raise typer.BadParameter(
                f"{text!r} is not of the form COLUMN=LEVELS, e.g. dose=low,mid,high", param_hint="--ordered"
            )
        if column in found:
            raise typer.BadParameter(f"{column!r} is given twice; list its levels once", param_hint="--ordered")
        found[column] = tuple(_listed(levels) or ())
    return found


def _command() -> str:
    """Give the command as a person would type it again; options before its name (--debug) change no result."""
    import shlex

    arguments = sys.argv[1:]
    start = arguments.index("fit") if "fit" in arguments else 0
    return shlex.join(["bridle", *arguments[start:]])
