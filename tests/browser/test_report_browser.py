"""The report in a real browser: nothing fetched, nothing logged, every control works, at every width."""

from __future__ import annotations

import pytest

from bridle.report.numbers import num

# ruff: noqa: E501  (scripts for the page)
pytestmark = pytest.mark.browser
NAMES = [
    "breast_cancer", "wide", "noise", "one_feature", "hostile", "broken", "dropout", "network", "demo", "no_torch",
    "networks_gone_wild", "survival",
]  # fmt: skip
RIGHT, LEFT, HOME, END, TAB = "\ue014", "\ue012", "\ue011", "\ue010", "\ue004"


def number(text: str) -> float:
    """Turn a number that the page shows back into a float."""
    return float(text.replace("\u2212", "-").replace("\u202f", "").replace("×10⁻", "e-")) if text != "out" else 0.0


@pytest.mark.parametrize("name", NAMES)
def test_no_errors_and_no_requests(browser, report_url, name):
    url = report_url(name)
    browser.open(url)
    assert browser.js("return document.documentElement.classList.contains('scripted')")
    for tab in browser.driver.find_elements("css selector", "[role=tab]"):
        tab.click()
    browser.js("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert browser.errors() == []
    assert browser.requests() == [url]
    assert browser.js("return window.alert.toString().includes('native code') && !document.querySelector('img')")


def test_the_policy_stops_scripts_that_are_not_ours(browser, report_url):
    browser.open(report_url("hostile"))
    browser.js(
        "const s = document.createElement('script'); s.textContent = 'window.broken = 1'; document.body.append(s);"
    )
    assert browser.js("return window.broken") is None
    assert any("Content Security Policy" in e for e in browser.errors())


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
@pytest.mark.parametrize("name", ["breast_cancer", "hostile", "demo", "networks_gone_wild", "survival"])
def test_nothing_overflows_sideways(browser, report_url, name, width):
    browser.open(report_url(name), width=width)
    browser.js("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert browser.js("return document.documentElement.scrollWidth") <= width
    # Text of the charts stays inside the page too, since svg overflow is visible.
    outside = browser.js(
        """return Array.from(document.querySelectorAll('main svg text'))
             .filter((t) => t.getClientRects().length && !t.closest('.scroll'))
             .filter((t) => { const r = t.getBoundingClientRect(); return r.left < -1 || r.right > arguments[0] + 1; })
             .map((t) => t.textContent)""",
        width,
    )
    assert outside == []


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["breast_cancer", "network", "demo"])
def test_labels_of_one_chart_do_not_collide(browser, report_url, name, width):
    browser.open(report_url(name), width=width)
    clashes = browser.js(
        """const clashes = [];
           document.querySelectorAll('main svg.chart, main svg.gauge').forEach((chart) => {
             const texts = Array.from(chart.querySelectorAll('text')).filter((t) => t.getClientRects().length);
             texts.forEach((a, i) => texts.slice(i + 1).forEach((b) => {
               const r = a.getBoundingClientRect(), s = b.getBoundingClientRect();
               const across = Math.min(r.right, s.right) - Math.max(r.left, s.left);
               const down = Math.min(r.bottom, s.bottom) - Math.max(r.top, s.top);
               if (across > 1 && down > 4) clashes.push([a.textContent, b.textContent]);
             }));
           });
           return clashes;"""
    )
    assert clashes == []


def test_the_slider_moves_marker_scores_and_coefficients_together(browser, report_url, studies):
    result = studies["breast_cancer"]()
    browser.open(report_url("breast_cancer"))
    lasso = result.model("lasso")
    curve, path = lasso.curve, lasso.path

    def state():
        return browser.js(
            """const panel = document.querySelector('.panel:not([hidden])');
               const text = (css) => panel.querySelector(css).textContent;
               return {
                 cursor: Array.from(panel.querySelectorAll('line.cursor')).map((l) => parseFloat(l.getAttribute('x1'))),
                 dot: parseFloat(panel.querySelector('.cursor-held').getAttribute('y')),
                 value: text('[data-out=value]'), mean: text('[data-out=mean]'), train: text('[data-out=train]'),
                 nonzero: text('[data-out=nonzero]'), score: text('[data-score="ROC AUC"]'),
                 coefficients: Array.from(panel.querySelectorAll('[data-coef]')).map((n) => n.textContent),
                 widths: Array.from(panel.querySelectorAll('.bars rect')).map((r) => parseFloat(r.getAttribute('width'))),
                 spoken: panel.querySelector('input[type=range]').getAttribute('aria-valuetext'),
               };"""
        )

    def expected(i):
        shown = [row[i] for row in path.coefficients[:15]]
        return {
            "value": num(curve.values[i]), "mean": num(curve.mean[i]), "train": num(curve.train[i]),
            "nonzero": str(curve.n_nonzero[i]), "score": num(curve.scores["ROC AUC"][i]),
        }, [num(v, 2, True) if v else "out" for v in shown]  # fmt: skip

    def agrees(i):
        """The readouts are exact; coefficients are embedded with three digits, so the second may round otherwise."""
        seen, (readouts, coefficients) = state(), expected(i)
        close = [
            a == b or abs(number(a) / number(b) - 1) < 0.1
            for a, b in zip(seen["coefficients"], coefficients, strict=True)
        ]
        return {k: seen[k] for k in readouts} == readouts and all(close)

    start = curve.index_chosen
    assert agrees(start)
    before = state()
    browser.keys(".panel:not([hidden]) input[type=range]", *[RIGHT] * 3)
    after = state()
    assert agrees(start + 3)
    assert after["cursor"][0] == after["cursor"][1] > before["cursor"][0] and after["dot"] != before["dot"]
    assert num(curve.values[start + 3]) in after["spoken"]
    browser.keys(".panel:not([hidden]) input[type=range]", HOME)
    assert agrees(0) and state()["cursor"] == [0, 0] and set(state()["widths"]) == {0}
    browser.keys(".panel:not([hidden]) input[type=range]", END)
    end = state()
    assert agrees(len(curve.values) - 1) and end["cursor"] == [100, 100]
    last = [abs(row[-1]) for row in path.coefficients[:15]]
    shares = [w / max(end["widths"]) for w in end["widths"]]
    assert shares == pytest.approx([v / max(last) for v in last], abs=2e-3)  # bars share one scale
    browser.one(".panel:not([hidden]) [data-reset]").click()
    assert agrees(start)


def test_pointing_at_the_curve_moves_the_slider(browser, report_url):
    browser.open(report_url("diabetes"))
    moved = browser.js(
        """const panel = document.querySelector('.panel:not([hidden])');
           const chart = panel.querySelector('[data-chart=curve]'), slider = panel.querySelector('input');
           const box = chart.querySelector('.lines').getBoundingClientRect();
           chart.setPointerCapture = () => {};
           const at = (share) => chart.dispatchEvent(new PointerEvent('pointerdown', {clientX: box.left + share * box.width, clientY: box.top + 9}));
           at(0.25); const first = Number(slider.value); at(0.75);
           return [first, Number(slider.value), Number(slider.max)];"""
    )
    assert moved[0] == pytest.approx(0.25 * moved[2], abs=1) and moved[1] == pytest.approx(0.75 * moved[2], abs=1)


def test_tabs_work_by_keyboard(browser, report_url):
    browser.open(report_url("dropout"))
    shown = "return Array.from(document.querySelectorAll('.panel')).filter((p) => !p.hidden).map((p) => p.id)"
    tabs = browser.driver.find_elements("css selector", "[role=tab]")
    best = next(t for t in tabs if t.get_attribute("aria-selected") == "true")
    assert best.text == "Network with dropout"
    assert browser.js(shown) == [best.get_attribute("aria-controls")]
    browser.keys("[role=tab][aria-selected=true]", RIGHT)  # wraps to the first
    assert browser.js(shown) == [tabs[0].get_attribute("aria-controls")]
    assert browser.js("return document.activeElement.textContent.trim()") == tabs[0].text
    browser.keys("[role=tab][aria-selected=true]", END, LEFT)
    assert browser.js(shown) == [tabs[-2].get_attribute("aria-controls")]
    assert [t.get_attribute("tabindex") for t in tabs].count("0") == 1


def test_the_dropout_slider_speaks_of_its_own_parameter(browser, report_url, studies):
    curve = studies["dropout"]().model("dropout").curve
    browser.open(report_url("dropout"))
    browser.keys(".panel:not([hidden]) input[type=range]", HOME)
    slider = browser.one(".panel:not([hidden]) input[type=range]")
    assert slider.get_attribute("aria-valuetext").startswith(f"dropout rate {curve.values[0]:.3g}")


def test_the_slider_of_a_network_goes_through_its_few_rates(browser, report_url, studies):
    """No path, no effects, no count of features, and 0 among the values: everything else still moves."""
    curve = studies["network"]().model("dropout").curve
    browser.open(report_url("network"))
    state = """const panel = document.querySelector('.panel:not([hidden])'), text = (css) => panel.querySelector(css).textContent;
               return [text('[data-out=value]'), text('[data-out=mean]'), text('[data-out=train]'), text('[data-score]'),
                       panel.querySelector('line.cursor').getAttribute('x1'),
                       panel.querySelector('input[type=range]').getAttribute('aria-valuetext')];"""
    score = next(iter(curve.scores.values()))
    assert browser.js("return document.querySelector('.panel:not([hidden]) [data-out=nonzero]')") is None
    for key, at, i in ((HOME, "0.00%", 0), (RIGHT, "12.50%", 1), (END, "100.00%", len(curve.values) - 1)):
        browser.keys(".panel:not([hidden]) input[type=range]", key)
        value, mean, train, shown, cursor, spoken = browser.js(state)
        embedded = [num(float(f"{series[i]:.6g}")) for series in (curve.mean, curve.train, score)]
        assert [value, mean, train, shown] == [f"{curve.values[i]:g}", *embedded]
        assert cursor == at
        assert spoken == f"dropout rate {curve.values[i]:g}, cross-validated error {embedded[0]}"
    assert browser.errors() == []


def test_missing_losses_and_a_single_rate_are_no_numbers_in_the_panel(browser, report_url):
    browser.open(report_url("networks_gone_wild"))
    for label in ("Dropout network", "Diverged network"):
        tab = next(t for t in browser.driver.find_elements("css selector", "[role=tab]") if t.text == label)
        tab.click()
        browser.keys(".panel:not([hidden]) input[type=range]", END)
        panel = browser.one(".panel:not([hidden])")
        assert "NaN" not in panel.get_attribute("outerHTML") and "null" not in panel.text
    assert browser.errors() == []


def test_clipped_lines_are_drawn_where_they_cross_the_plane(browser, report_url):
    """A line that leaves the plane by a billion is still painted inside of it."""
    browser.open(report_url("networks_gone_wild"))
    boxes = browser.js(
        """const of = (css) => { const b = document.querySelector(css).getBBox(); return [b.y, b.y + b.height]; };
           return [of('#training .lines .held'), of('#lesson .lines .held')];"""
    )
    assert all(abs(v) < 1e5 for box in boxes for v in box)


@pytest.mark.parametrize("width", [360, 1280])
def test_rows_and_the_axis_below_them_share_their_width(browser, report_url, width):
    browser.open(report_url("network"), width=width)
    ends = browser.js(
        """return Array.from(document.querySelectorAll('.chart-table:has(tfoot)')).filter((t) => t.getClientRects().length).map((t) => {
             const of = (css) => { const r = t.querySelector(css).getBoundingClientRect(); return [r.left, r.right].map(Math.round); };
             return [of('tbody .strip'), of('tfoot .strip')]; });"""
    )
    assert len(ends) >= 3 and all(rows == axis for rows, axis in ends), ends


@pytest.mark.parametrize(("width", "columns"), [(360, 1), (1280, 2)])
def test_the_lesson_is_a_grid_of_charts_of_one_size(browser, report_url, width, columns):
    browser.open(report_url("demo"), width=width)
    boxes = browser.js(
        """return Array.from(document.querySelectorAll('.lesson-chart')).map((c) => {
             const r = c.querySelector('.frame').getBoundingClientRect(); return [r.left, r.width, r.height]; });"""
    )
    assert len(boxes) == 4 and len({round(b[0]) for b in boxes}) == columns
    assert len({(round(b[1]), round(b[2])) for b in boxes}) == 1 and boxes[0][1] > 240 and boxes[0][2] > 150


def test_names_bring_out_their_path_and_bundle(browser, report_url, studies):
    path = studies["breast_cancer"]().model("lasso").path
    browser.open(report_url("breast_cancer"))
    browser.keys(".panel:not([hidden]) .chips button", RIGHT)
    on = browser.js(
        """const figure = document.querySelector('.panel:not([hidden]) .paths-figure');
           return [figure.querySelector('.hover-name').textContent, figure.classList.contains('picking'),
                   Array.from(figure.querySelectorAll('.boot.on, .paths g.on')).map((n) => n.dataset.f)];"""
    )
    assert on[0].startswith(path.features[1]) and on[1] and on[2] == ["1", "1"]


def test_theme_follows_the_system_and_the_reader(browser, report_url):
    paper = "return getComputedStyle(document.body).backgroundColor"
    browser.open(report_url("broken"))
    browser.js("localStorage.removeItem('bridle-theme')")
    browser.open(report_url("broken"))
    light = browser.js(paper)
    browser.open(report_url("broken"), dark=True)
    dark = browser.js(paper)
    assert light != dark and browser.one(".theme").text == "Light mode"
    browser.one(".theme").click()
    assert browser.js(paper) == light and browser.one(".theme").text == "Dark mode"
    browser.open(report_url("broken"), dark=True)
    assert browser.js(paper) == light  # the choice lasts
    browser.js("localStorage.removeItem('bridle-theme')")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["breast_cancer", "demo"])
def test_contrast_of_text_is_at_least_aa(browser, report_url, name, dark):
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text, of every text on show against the background behind it."""
    browser.open(report_url(name), dark=dark)
    poor = browser.js(
        """const rgb = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return m.length > 3 && m[3] === 0 ? null : m; };
           const lum = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
                                return .2126 * r + .7152 * g + .0722 * b; };
           const behind = (n) => { for (; n; n = n.parentElement) { const c = rgb(getComputedStyle(n).backgroundColor); if (c) return c; } return [255, 255, 255]; };
           const poor = new Set();
           document.querySelectorAll('body *').forEach((n) => {
             const own = Array.from(n.childNodes).some((t) => t.nodeType === 3 && t.textContent.trim());
             if (!own || !n.getClientRects().length || n.closest('script, style, title')) return;
             const style = getComputedStyle(n), svg = n.namespaceURI.endsWith('svg');
             if (Number(style.opacity) < 1) return;
             const a = lum(rgb(svg ? style.fill : style.color)), b = lum(behind(n));
             const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
             if (ratio < 4.5) poor.add(`${n.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
           });
           return Array.from(poor);"""
    )
    assert poor == []


def test_tables_sort_by_click(browser, report_url, studies):
    browser.open(report_url("breast_cancer"))
    order = "return Array.from(document.querySelectorAll('#features table')[0].tBodies[0].rows).map((r) => Number(r.children[3].dataset.v))"
    heads = browser.driver.find_elements("css selector", "#features th[data-sort] button")
    by_coefficient = next(h for h in heads if h.text.startswith("Coefficient"))
    by_coefficient.click()
    down = browser.js(order)
    assert [abs(v) for v in down] == sorted((abs(v) for v in down), reverse=True)
    by_coefficient.click()
    assert browser.js(order) == down[::-1]
    assert browser.driver.find_elements("css selector", "#features th[aria-sort=ascending]")
    assert len(down) == len(studies["breast_cancer"]().model("lasso").coefficients)


def test_the_command_can_be_copied(browser, report_url):
    browser.open(report_url("breast_cancer"))
    browser.one("[data-copy]").click()
    text = browser.js(
        "return new Promise((done) => setTimeout(() => done(document.querySelector('[data-copy]').textContent), 200))"
    )
    assert text in ("Copied", "Selected: press Ctrl+C")


def test_everything_is_there_without_scripts(browser, report_url):
    browser.open(report_url("breast_cancer"), scripts=False)
    driver = browser.driver
    panels = driver.find_elements("css selector", ".panel")
    assert len(panels) == 3 and all(p.is_displayed() for p in panels)
    assert all(p.find_element("css selector", ".panel-title").is_displayed() for p in panels)
    assert not [e for e in driver.find_elements("css selector", ".js-only") if e.is_displayed()]
    charts = driver.find_elements("css selector", "svg.chart")
    shown = [c for c in charts if c.is_displayed()]
    assert len(shown) >= 10 and all(c.size["height"] > 100 for c in shown)
    assert driver.find_element("css selector", ".readout [data-out=mean]").text
    assert browser.requests() == [report_url("breast_cancer")]
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_the_keyboard_reaches_the_report_first(browser, report_url):
    browser.open(report_url("broken"))
    browser.driver.switch_to.active_element.send_keys(TAB)
    focused = browser.driver.switch_to.active_element
    assert focused.text == "Skip to the report" and focused.location["y"] >= 0
    outline = browser.js("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_print_shows_every_model(browser, report_url):
    browser.open(report_url("diabetes"))
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = browser.js(
        "return Array.from(document.querySelectorAll('.panel')).map((p) => p.getClientRects().length > 0)"
    )
    hidden = browser.js(
        "return ['.tabs', '.slider', '.theme', '.contents'].map((s) => document.querySelector(s).getClientRects().length)"
    )
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert shown == [True] * 3 and hidden == [0] * 4
