"""A headless Chromium without a network, and the report's studies as files to open in it."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest


def _report_conftest():
    """The report's studies live with its other tests; test folders are no packages, so they are loaded by path."""
    name = "report_tests_conftest"
    if name not in sys.modules:
        path = Path(__file__).parent.parent / "report" / "conftest.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def studies():
    """Functions that build each study, by name."""
    return _report_conftest().CASES


@pytest.fixture(scope="session")
def report_url(studies, tmp_path_factory):
    """Write a study's report once and return its file: address."""
    from bridle.report import write_report

    folder = tmp_path_factory.mktemp("reports")

    def url(name: str) -> str:
        path = folder / f"{name}.html"
        if not path.exists():
            write_report(studies[name](), path)
        return path.as_uri()

    return url


class Browser:
    """A few verbs on top of the driver; every page it opens is watched for errors and requests."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, url: str, *, width: int = 1280, scripts: bool = True, dark: bool = False) -> None:
        """Load a page afresh at a width, in a colour scheme, with or without scripts."""
        cdp = self.driver.execute_cdp_cmd
        cdp("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        cdp(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}  # clicks need not wait for scrolling
        cdp("Emulation.setEmulatedMedia", {"features": [scheme, still]})
        self.requests(), self.errors()
        self.driver.get(url)

    def errors(self) -> list[str]:
        """Take what the console has collected."""
        return [e["message"] for e in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Take the addresses that were asked for since the last call."""
        messages = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return [u for u in sent if not u.startswith("data:")]

    def js(self, script: str, *arguments):
        """Run a function body in the page."""
        return self.driver.execute_script(script, *arguments)

    def one(self, css: str):
        """Return the first element that is on show."""
        return next(e for e in self.driver.find_elements("css selector", css) if e.is_displayed())

    def keys(self, css: str, *keys: str) -> None:
        """Focus an element and press keys."""
        element = self.one(css)
        self.js("arguments[0].focus()", element)
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Headless Chromium, started once."""
    binary = next(
        (p for n in ("chromium", "chromium-browser", "google-chrome", "chrome") if (p := shutil.which(n))), None
    )
    chromedriver = shutil.which("chromedriver")
    if binary is None or chromedriver is None:
        pytest.skip("no chromium with its chromedriver on this machine: the report can't be opened in a browser")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-sync", "--disable-background-networking", "--disable-component-update",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=chromedriver))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
