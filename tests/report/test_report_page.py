"""The page as a whole: well-formed, closed to the network, safe with hostile names, complete, true to its numbers."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
import os
import re
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from bridle.frozen import from_json, to_json
from bridle.report import render, write_report
from bridle.report.numbers import num, prose
from bridle.results import StudyResult

VOID = {"meta", "link", "input", "br", "img", "hr", "col"}
SECTIONS = [
    "verdict", "gain", "techniques", "lesson", "curves", "training", "features", "leans", "evidence", "stability",
    "swaps", "learning", "calibration", "intervals", "size", "checks", "data", "proof", "reproduce", "glossary",
]  # fmt: skip


class Page(HTMLParser):
    """Every element with its attributes and text; fails on a tag that is not closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[dict] = []
        self.elements: list[dict] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {[e['tag'] for e in self.open]}"

    def handle_starttag(self, tag, attrs):
        names = [k for k, _ in attrs]
        assert len(names) == len(set(names)), f"twice the same attribute in <{tag}>: {names}"
        element = {
            "tag": tag,
            "attrs": dict(attrs),
            "text": "",
            "path": [e["tag"] for e in self.open],
            "inside": list(self.open),
        }
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1]["tag"] == tag, (
            f"</{tag}> closes {self.open[-1]['tag'] if self.open else None}"
        )
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag, **attrs):
        return [e for e in self.elements if e["tag"] == tag and all(e["attrs"].get(k) == v for k, v in attrs.items())]

    def within(self, parent, tag, **attrs):
        return [e for e in self.all(tag, **attrs) if any(p is parent for p in e["inside"])]


@pytest.fixture(scope="session")
def parsed(page):
    pages: dict[str, Page] = {}

    def get(name: str) -> Page:
        if name not in pages:
            pages[name] = Page(page(name))
        return pages[name]

    return get


def payload(page: Page) -> dict:
    return json.loads(page.all("script", id="study")[0]["text"])


def records(table: dict | list) -> list[dict]:
    """Turn a table of the embedded study (one list a column) back into records."""
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)] if table else []


def test_references_within_the_page_hold(case, parsed):
    found = parsed(case[0])
    ids = [e["attrs"]["id"] for e in found.elements if "id" in e["attrs"]]
    assert len(ids) == len(set(ids))
    for e in found.elements:
        for key in ("aria-controls", "aria-labelledby", "for"):
            if key in e["attrs"]:
                assert e["attrs"][key] in ids, (e["tag"], key, e["attrs"][key])
        if "href" in e["attrs"] and e["tag"] != "link":
            assert e["attrs"]["href"].startswith("#") and e["attrs"]["href"][1:] in ids


def pictures(html: str) -> list[str]:
    """Return the source of every outermost <svg>."""
    found, depth, start = [], 0, 0
    for tag in re.finditer(r"<(/?)svg\b", html.split("<script", maxsplit=1)[0]):
        if not tag.group(1):
            start = tag.start() if depth == 0 else start
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                found.append(html[start : tag.end()] + ">")
    return found


def test_every_picture_is_xml_and_says_what_it_shows(case, page, parsed):
    for source in pictures(page(case[0])):
        ElementTree.fromstring(source)
    for svg in parsed(case[0]).all("svg"):
        outermost = "svg" not in svg["path"]
        spoken = svg["attrs"].get("role") == "img" and svg["attrs"].get("aria-label")
        assert not outermost or spoken or svg["attrs"].get("aria-hidden") == "true"


def test_nothing_can_be_fetched(case, page, parsed):
    html, found = page(case[0]), parsed(case[0])
    policy = found.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["attrs"]["content"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    for tag in ("style", "script"):
        inline = next(e for e in found.all(tag) if "type" not in e["attrs"])
        digest = base64.b64encode(hashlib.sha256(inline["text"].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    style = found.all("style")[0]["text"]
    assert "url(" not in style and "@import" not in style and "@dark" not in style
    assert not re.search(
        r"(?:https?:)?//[a-z0-9]", re.sub(r"/\*.*?\*/", "", html.split('<script type="application/json"')[0])
    )
    for e in found.elements:
        assert "src" not in e["attrs"] and "style" not in e["attrs"]
        assert not [k for k in e["attrs"] if k.startswith("on")]
        assert e["tag"] not in ("img", "iframe", "object", "embed", "form", "base")


def test_hostile_names_stay_text(parsed, study):
    found, result = parsed("hostile"), study("hostile")
    assert len(found.all("script")) == 2
    assert found.all("h1")[0]["text"] == "</script><img src=x onerror=alert(1)>"
    body = found.all("body")[0]["text"]
    assert "{{ 7 * 7 }}" in body and "\u202e" not in body
    names = payload(found)["models"][3]["path"]["features"]
    assert [n.replace("\ufffd", "\u202e") for n in names] == list(result.model("lasso").path.features)


def test_lone_surrogates_and_control_characters_can_be_written(study, tmp_path):
    result = dataclasses.replace(study("one_feature"), title="a\ud800b\x00c\x1b[31m", headline="x\u2067y")
    write_report(result, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "a\ufffdb\ufffdc\ufffd[31m" in text and "\x00" not in text


def test_sections_are_there_in_order_with_the_verdict_first(case, parsed):
    name, result = case
    found = parsed(name)
    shown = [e["attrs"]["id"] for e in found.all("section")]
    absent = set(SECTIONS) - set(shown)
    allowed = set()
    if not any(m.coefficients for m in result.models):
        allowed.add("features")
    if not result.swaps:
        allowed.add("swaps")
    if result.techniques is None:
        allowed.add("techniques")
    if result.lesson is None:
        allowed.add("lesson")
    of_networks = {"training": "history", "leans": "attributions", "intervals": "monte_carlo"}
    allowed |= {section for section, held in of_networks.items() if not any(getattr(m, held) for m in result.models)}
    assert absent == allowed
    assert shown == [s for s in SECTIONS if s in shown]
    linked = [a["attrs"]["href"][1:] for a in found.all("a") if a["inside"][-2]["tag"] == "ol"]
    assert sorted(linked) == sorted(shown)
    assert len(found.all("h1")) == 1 and len(found.all("main")) == 1
    for section in found.all("section"):
        assert len(section["text"].split()) > 8, section["attrs"]["id"]


def test_headings_step_down_one_level_at_a_time(case, parsed):
    levels = [int(e["tag"][1]) for e in parsed(case[0]).elements if re.fullmatch(r"h[1-6]", e["tag"])]
    levels = levels[levels.index(1) :]
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_missing_numbers_are_never_spelt(case, parsed):
    shown = parsed(case[0]).all("main")[0]["text"]
    labels = " ".join(e["attrs"].get("aria-label") or "" for e in parsed(case[0]).elements)
    for e in parsed(case[0]).all("svg") + parsed(case[0]).all("path") + parsed(case[0]).all("line"):
        for value in e["attrs"].values():
            assert not re.search(r"nan|inf\b|None", str(value).split(":")[0] if e["tag"] == "svg" else str(value)), e[
                "attrs"
            ]
    for text in (shown, labels):
        words = text.replace("True error", "")  # the lesson's
        assert not re.search(r"\b(?:nan|NaN|None|inf|Infinity|undefined|True|False)\b", words)


def test_size(page):
    assert len(page("breast_cancer").encode()) < 360_000
    assert len(page("wide").encode()) < 370_000
    assert len(page("broken").encode()) < 80_000


def test_same_study_same_page_also_after_a_round_trip_through_json(case, page):
    name, result = case
    again = from_json(StudyResult, json.loads(json.dumps(to_json(result))))
    assert render(result) == page(name) == render(again)


def test_embedded_study_equals_the_result(case, parsed):
    name, result = case
    data, full = payload(parsed(name)), to_json(result)
    assert data["best"] == result.best and len(data["models"]) == len(result.models)
    for got, want in zip(data["models"], full["models"], strict=True):
        for key in (
            "cv_loss",
            "holdout_loss",
            "holdout_scores",
            "curve",
            "lambda_bootstrap",
        ):
            assert_close(got[key], want[key])
        assert_close(records(got["coefficients"]), want["coefficients"])
        if want["verdict"]:
            tables = {k: records(got["verdict"][k]) for k in ("checks", "comparisons")}
            assert_close({**got["verdict"], **tables}, want["verdict"])
        if want["path"]:
            largest = max(abs(v) for row in want["path"]["coefficients"] for v in row)
            for a, b in zip(got["path"]["coefficients"], want["path"]["coefficients"], strict=True):
                assert [v == 0 for v in a] == [v == 0 for v in b]  # out of the model stays out, in stays in
                assert all(abs(x - y) <= 1e-3 * largest for x, y in zip(a, b, strict=True))


def assert_close(got, want):
    if isinstance(want, dict):
        assert got.keys() == want.keys()
        for k in want:
            assert_close(got[k], want[k])
    elif isinstance(want, list):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            assert_close(a, b)
    elif isinstance(want, float):
        assert math.isclose(got, want, rel_tol=1e-5, abs_tol=1e-300)
    elif not isinstance(want, str):
        assert got == want


def rows(page: Page, section: str, css: str) -> list[list[dict]]:
    """Cells of the first table of a kind in a section, row by row."""
    at = page.all("section", id=section)[0]
    table = next(t for t in page.within(at, "table") if css in t["attrs"].get("class", "").split())
    body = page.within(table, "tbody")[0]
    return [page.within(row, "th") + page.within(row, "td") for row in page.within(body, "tr")]


def values(cells: list[dict]) -> list[float]:
    return [float(c["attrs"]["data-v"] or "nan") for c in cells if "data-v" in c["attrs"]]


def test_tables_hold_the_numbers_of_the_result(case, parsed):
    name, result = case
    found = parsed(name)
    held = any(math.isfinite(m.holdout_loss.value) for m in result.models)
    for cells, m in zip(rows(found, "gain", "chart-table"), result.models, strict=True):
        assert m.label in cells[0]["text"]
        if m.failed:
            assert m.failed in cells[1]["text"]
        elif not math.isfinite((m.holdout_loss if held else m.cv_loss).value):
            assert "no finite error" in cells[2]["text"]
        else:
            used = m.n_nonzero or (m.n_features if m.technique == "dropout" else 0)  # a network leaves none out
            want = [(m.holdout_loss if held else m.cv_loss).value, used]
            assert values(cells) == pytest.approx(want, rel=1e-5)
    best = result.model(result.best)
    if best.coefficients:
        table = rows(found, "features", "chart-table")
        assert len(table) == min(len(best.coefficients), 100)
        for cells, c in zip(table, best.coefficients, strict=False):
            want = [c.standardised, c.value, c.value, c.selection_frequency]
            assert values(cells) == pytest.approx(want, rel=1e-5, nan_ok=True)
            assert prose(c.effect) in cells[2]["text"]
    finite = best.verdict and all(math.isfinite(c.rho.value) for c in best.verdict.comparisons)
    if best.verdict and best.verdict.comparisons and finite:
        by_label = {c.label: c for c in best.verdict.comparisons}
        table = rows(found, "evidence", "forest")
        assert len(table) == len(by_label)
        for cells in table:
            c = next(c for label, c in by_label.items() if cells[0]["text"].lower().startswith(label.lower()))
            assert values(cells) == pytest.approx([c.rho.value, c.p_value], rel=1e-5, abs=1e-12)
        order = [values(cells)[0] for cells in table]
        assert order == sorted(order, reverse=True)
    for cells, s in zip(rows(found, "swaps", "chart-table") if result.swaps else [], result.swaps, strict=True):
        assert values(cells) == pytest.approx([s.cost.value, s.correlation], rel=1e-5)


def test_every_row_of_a_table_has_a_cell_under_each_head(case, parsed):
    found = parsed(case[0])

    def wide(cells):
        return sum(int(c["attrs"].get("colspan") or 1) for c in cells)

    for table in found.all("table"):
        heads = [e for e in found.within(table, "thead") for e in found.within(e, "th")]
        if heads:
            for body in found.within(table, "tbody"):
                for row in found.within(body, "tr"):
                    cells = found.within(row, "th") + found.within(row, "td")
                    assert wide(cells) == len(heads), [c["text"] for c in cells]


def test_drawn_positions_are_the_numbers(parsed, study):
    """Marks of the validation curve, turned back from pixels to losses."""
    found, result = parsed("diabetes"), study("diabetes")
    for name in ("ridge", "lasso", "elastic net"):
        curve = result.model(name).curve
        index = [m.name for m in result.models].index(name)
        panel = found.all("div", id=f"panel-{index}")[0]
        svg = found.within(panel, "svg", **{"data-chart": "curve"})[0]
        y0, y1, h = (float(svg["attrs"][k]) for k in ("data-y0", "data-y1", "data-h"))
        x0, x1 = (math.log(float(svg["attrs"][k])) for k in ("data-x0", "data-x1"))
        for css, loss in (("cursor-held", curve.mean), ("cursor-train", curve.train)):
            dot = next(u for u in found.within(svg, "use") if css in u["attrs"]["class"])
            drawn = y0 + (1 - float(dot["attrs"]["y"]) / h) * (y1 - y0)
            assert drawn == pytest.approx(loss[curve.index_chosen], abs=(y1 - y0) / h)
            across = x0 + float(dot["attrs"]["x"].rstrip("%")) / 100 * (x1 - x0)
            assert across == pytest.approx(math.log(curve.values[curve.index_chosen]), abs=1e-3)


def written(parameter: str, value: float) -> str:
    return f"{value:.3g}" if parameter == "dropout rate" else num(value)


def test_readouts_without_scripts_are_those_of_the_chosen_value(case, parsed):
    name, result = case
    found = parsed(name)
    for index, m in enumerate(result.models):
        if m.curve is None:
            assert not found.all("div", id=f"panel-{index}")
            continue
        panel = found.all("div", id=f"panel-{index}")[0]
        i = m.curve.index_chosen
        assert found.within(panel, "output")[0]["text"] == written(m.curve.parameter, m.curve.values[i])
        assert found.within(panel, "dd", **{"data-out": "mean"})[0]["text"] == num(m.curve.mean[i])
        for score, series in m.curve.scores.items():
            assert found.within(panel, "dd", **{"data-score": score})[0]["text"] == num(series[i])


def test_no_parameter_is_taken_for_a_lambda(parsed, study):
    found, result = parsed("dropout"), study("dropout")
    index = [m.name for m in result.models].index("dropout")
    panel = found.all("div", id=f"panel-{index}")[0]
    assert "dropout rate" in panel["text"]
    own = panel["text"].replace(result.model("dropout").reason, "")
    assert "λ" not in own and "lambda" not in own


def test_a_failed_write_leaves_the_old_report(study, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_report(study("broken"), path)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_without_signal_nothing_is_recommended(parsed, study):
    result = study("noise")
    assert result.model(result.best).verdict.label == "no signal"
    hero, gained = (parsed("noise").all("section", id=name)[0]["text"] for name in ("verdict", "gain"))
    assert "the best of those tried" in hero and "recommended" not in gained
    assert "No model tried reliably beats guessing the average." in gained
    assert "recommended" in parsed("diabetes").all("section", id="gain")[0]["text"]
