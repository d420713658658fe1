"""The report in a real browser: wide, narrow and printed."""

import html
import re
import shutil
import subprocess

import pytest

from neurolatent.report import write_report
from tests.prognostics.fleets import prognosis
from tests.prognostics.fleets import running as wearing
from tests.report.fleets import STRANGE, running, trained_by_em

pytestmark = pytest.mark.slow

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)

# Run in a copy of the page: what is as wide as the page says, and what sticks out of it, elements that scroll aside.
PROBE = """<script>
document.body.dataset.width = document.documentElement.clientWidth;
document.body.dataset.scroll = document.documentElement.scrollWidth;
document.body.dataset.out = [...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll, pre, svg, .skip")
  && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.tagName).join(" ");
document.querySelector("#fleet th:nth-child(5)").click();
const column = [...document.querySelectorAll("#fleet td:nth-child(5)")];
document.body.dataset.sorted = column.map(e => e.textContent).join("|");
</script>"""


@pytest.fixture(scope="module")
def browser():
    """Path of a browser; the tests skip where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("needs a browser: chromium, chromium-browser or google-chrome on the PATH")
    return None


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_report(trained_by_em()[0], running(), tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def ahead(tmp_path_factory):
    """The page with a prognosis."""
    path = tmp_path_factory.mktemp("ahead") / "report.html"
    return write_report(prognosis().fit, wearing(), path, prognosis=prognosis(), horizon=12, most_units=3)


def run(browser, tmp_path, url, *options) -> str:
    command = [browser, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *options, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def probed(browser, tmp_path, page, width) -> str:
    copy, text = tmp_path / "copy.html", page.read_text("utf-8")
    framed = text.replace("</body>", PROBE + "</body>")
    # A window of a browser without a screen has a least width; a frame has none. Scripts of the frame need no policy.
    copy.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", framed), "utf-8")
    outer = tmp_path / "outer.html"
    report = "document.body.dataset.inner = this.contentDocument.body.outerHTML.length;"
    report += "for (const [k, v] of Object.entries(this.contentDocument.body.dataset)) document.body.dataset[k] = v;"
    outer.write_text(
        f'<!doctype html><body style="margin:0"><iframe src="copy.html" width="{width}" height="2000" '
        f"style=\"border:0\" onload='{report}'></iframe></body>",
        "utf-8",
    )
    return run(browser, tmp_path, outer.as_uri(), "--allow-file-access-from-files", "--dump-dom")


def told(dom: str) -> dict[str, str]:
    return dict(re.findall(r'data-(\w+)="([^"]*)"', dom[dom.index("<body") : dom.index(">", dom.index("<body"))]))


@pytest.mark.parametrize("name", ["page", "ahead"])
@pytest.mark.parametrize("width", [420, 1400])
def test_nothing_sticks_out(browser, request, tmp_path, width, name):
    found = told(probed(browser, tmp_path, request.getfixturevalue(name), width))
    assert int(found["width"]) == width
    assert found["out"] == ""
    assert int(found["scroll"]) <= width


def test_a_click_sorts_the_fleet(browser, page, tmp_path):
    shown = html.unescape(told(probed(browser, tmp_path, page, 1400))["sorted"]).split("|")
    assert len(shown) == 4
    values = [float(v.strip("<> ").replace("–", "-1")) for v in shown]
    assert values == sorted(values)


def test_units_at_risk_stand_on_the_first_screen(browser, ahead, tmp_path):
    where = "document.querySelector('#at-risk tr:nth-child(2)').getBoundingClientRect().bottom"
    framed = tmp_path / "first.html"
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", ahead.read_text("utf-8"))
    framed.write_text(text.replace("</body>", f"<script>document.body.dataset.at = {where};</script></body>"), "utf-8")
    found = told(run(browser, tmp_path, framed.as_uri(), "--window-size=1400,900", "--dump-dom"))
    assert 0 < float(found["at"]) < 900


def test_text_is_there_and_markup_in_names_is_not_run(browser, page, tmp_path):
    dom = run(browser, tmp_path, page.as_uri(), "--dump-dom")
    for words in ("The fleet now", "Is the fit to be believed?", "Unit late", "not answered: 1 samples"):
        assert words in dom
    assert "<b onclick" not in dom
    assert html.escape(STRANGE, quote=False) in dom


def test_it_is_painted_and_printed(browser, page, tmp_path):
    image, print_out = tmp_path / "page.png", tmp_path / "page.pdf"
    run(browser, tmp_path, page.as_uri(), "--window-size=1400,2000", f"--screenshot={image}")
    run(browser, tmp_path, page.as_uri(), "--no-pdf-header-footer", f"--print-to-pdf={print_out}")
    from matplotlib.image import imread

    pixels = imread(image)[..., :3]
    assert pixels.shape[:2] == (2000, 1400)
    colours = {tuple(row) for row in (pixels[::20, ::20].reshape(-1, 3) * 255).astype(int).tolist()}
    assert len(colours) > 10
    pages = print_out.read_bytes().count(b"/Type /Page\n")
    assert 4 <= pages <= 15
