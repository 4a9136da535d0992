"""The page in a real browser: what its buttons do, that its numbers are those of the run folder, and that the console stays empty."""

import json
import os
import re
import shutil
import signal
import time

import pytest

from lab_server import lab
from sparring.lab.server import PAGE
from sparring.runs.folder import read_lines

CHAPTERS = json.loads((PAGE / "chapters.json").read_text())
MINUTE = 60_000


@pytest.fixture(scope="module")
def browser():
    """Chromium, under any of its names; continuous integration has to have it, a developer's machine need not."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("there is no browser here: install Debian's package chromium, as .ci/run does")
    sync_api = pytest.importorskip("playwright.sync_api") if not os.environ.get("CI") else __import__("playwright.sync_api").sync_api
    with sync_api.sync_playwright() as play:
        one = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    with lab(tmp_path_factory.mktemp("page") / "runs") as one:
        yield one


@pytest.fixture
def page(browser, there):
    """A page of 1280 pixels on the lab, which fails the test when the console says anything, or a request leaves the machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    one, said = context.new_page(), []
    one.on("console", lambda message: said.append(message.text))
    one.on("pageerror", lambda error: said.append(str(error)))
    own = (f"http://127.0.0.1:{there.port}/", "blob:")
    one.on("request", lambda asked: None if asked.url.startswith(own) else said.append(asked.url))
    one.set_default_timeout(MINUTE)
    one.goto(there.address)
    one.wait_for_selector(".chapter")
    yield one
    context.close()
    assert [text for text in said if "ERR_INTERNET_DISCONNECTED" not in text] == []


def step_of(page) -> int:
    return int(page.inner_text("#step").replace(",", ""))


def until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.05)


def opened(page, there, place):
    page.goto(f"http://127.0.0.1:{there.port}/#/{place}")
    page.wait_for_selector("#scene[aria-label]")
    page.wait_for_selector("#do-play:enabled")
    return there.root / page.inner_text("#run")


def test_the_first_page_is_there_at_once_and_leads_to_eight_chapters(page, there):
    assert "token" not in page.url                              # it does not stay in the address bar
    assert page.locator("a.chapter").count() == len(CHAPTERS) == 8
    assert page.locator("button.chapter").count() >= 10
    page.click("#language")
    assert "伪造者" in page.inner_text("main") and page.get_attribute("html", "lang") == "zh-CN"
    page.click("#language")
    assert page.get_attribute("html", "lang") == "en"


def test_steps_rounds_back_and_the_numbers_of_the_folder(page, there):
    run = opened(page, there, "learn/forger")
    assert page.locator("#do-stepD.next").count() == 1
    page.click("#do-stepD")
    until(lambda: "D has just moved" in page.inner_text(".networks"))
    assert step_of(page) == 0 and "in the middle of a round" in page.inner_text(".rounds")
    page.click("#do-stepG")
    until(lambda: step_of(page) == 1)
    for _ in range(9):
        page.keyboard.press("r")
    until(lambda: step_of(page) == 10)
    until(lambda: len(read_lines(run / "log.jsonl")) == 2)
    row = read_lines(run / "log.jsonl")[-1]
    until(lambda: f"{row['discriminator/adversarial']:.3f}" in page.inner_text(".charts"))
    assert f"{row['generator/adversarial']:.3f}" in page.inner_text(".charts")
    assert f"{row['discriminator/D(G(z))']:.3f}" in page.inner_text(".charts")
    page.click("#do-back")
    until(lambda: step_of(page) == 0)
    assert read_lines(run / "log.jsonl") == []


def test_play_pause_and_change_go_on_in_a_fork(page, there):
    run = opened(page, there, "learn/value")
    page.keyboard.press(" ")
    until(lambda: step_of(page) > 3)
    page.keyboard.press(" ")
    until(lambda: page.inner_text("#do-play").startswith("Play"))
    page.select_option("#set-objective", "least_squares")
    page.click("#apply")
    until(lambda: page.inner_text("#run") != run.name)
    fork = there.root / page.inner_text("#run")
    config = json.loads((fork / "config.json").read_text())
    assert config["settings"]["objective"] == "least_squares" and config["forked_from"] == str(run)
    before = read_lines(run / "log.jsonl")
    assert read_lines(fork / "log.jsonl")[:len(before)] == before
    page.wait_for_selector("#apply:disabled")                   # the form is that of the fork
    page.fill("#set-lr", "fast")
    page.click("#apply")
    page.wait_for_selector(".notes .error")
    assert "lr=fast" in page.inner_text(".notes") and page.inner_text("#run") == fork.name
    page.fill("#set-latent", "3")
    page.fill("#set-lr", "0.01")
    page.click("#apply")
    page.wait_for_selector("text=need other networks")
    until(lambda: page.inner_text("#run") != fork.name)


def test_the_code_that_is_copied_gives_the_same_settings(page, there):
    opened(page, there, "learn/forger")
    page.click("summary:has-text('Copy as code')")
    page.wait_for_selector("pre.code")
    command, python = (one.inner_text() for one in page.locator("pre.code").all())
    assert command.startswith("sparring train gan ") and "penalty=r1" in command and "compile=off" in command and "--data=ring" in command
    given = dict(re.findall(r"(\w+)=('?[\w.]+'?)", python))
    assert given["penalty"] == "'r1'" and given["threads"] == "1"


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS, ids=[one["id"] for one in CHAPTERS])
def test_every_chapters_buttons(page, there, chapter):
    """Each chapter opens, plays, and its button changes what it says."""
    run = opened(page, there, f"learn/{chapter['id']}")
    assert chapter["title"]["en"] in page.inner_text("h1")
    page.click("#do-round")
    until(lambda: step_of(page) >= 1)
    for i, button in enumerate(chapter.get("buttons", [])):
        page.click(f"#try-{i}")
        until(lambda: page.inner_text("#run") != run.name)
        config = json.loads((there.root / page.inner_text("#run") / "config.json").read_text())
        assert config["recipe"] == button.get("more", {}).get("recipe", chapter["start"]["recipe"])
        assert all(str(config["settings"].get(name, value)) == str(value) for name, value in button["given"].items())
        page.click("#do-round")
        until(lambda: step_of(page) >= 1)


@pytest.mark.slow
def test_too_strong_a_discriminator_is_diagnosed_and_the_cure_is_a_button(page, there):
    run = opened(page, there, "learn/strong")
    page.click("#do-play")
    page.wait_for_selector("#verdict.failing", timeout=3 * MINUTE)
    assert "discriminator won" in page.inner_text(".doctor")
    page.click("button.cure >> nth=0")
    until(lambda: page.inner_text("#run") != run.name)
    assert json.loads((there.root / page.inner_text("#run") / "config.json").read_text())["settings"]["discriminator_steps"] == 1


@pytest.mark.parametrize("width", [1280, 390])
def test_both_widths_and_the_keyboard_alone(page, there, width):
    page.set_viewport_size({"width": width, "height": 844})
    opened(page, there, "learn/forger")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id") == "do-stepD":
            break
    assert page.evaluate("() => document.activeElement.id") == "do-stepD"
    page.keyboard.press("Enter")
    until(lambda: "D has just moved" in page.inner_text(".networks"))
    unnamed = page.evaluate("""() => [...document.querySelectorAll('button, input, select, canvas, svg[role=img]')].filter((one) =>
        !one.innerText && !one.getAttribute('aria-label') && !one.closest('label') && !document.querySelector(`label[for="${one.id}"]`)
        && !one.querySelector('title')).map((one) => one.outerHTML)""")
    assert unnamed == []


def test_runs_are_listed_with_their_pictures(page, there):
    run = opened(page, there, "learn/forger")
    page.goto(f"http://127.0.0.1:{there.port}/#/runs")
    page.wait_for_selector(f"td.name:has-text('{run.name}')")
    page.click(f"td.name a:text-is('{run.name}')")
    page.wait_for_selector("img.samples")
    until(lambda: page.evaluate("() => document.querySelector('img.samples').naturalWidth") > 100)
    assert "penalty_weight" in page.inner_text(".split")


def test_a_page_that_comes_back_misses_nothing(page, there):
    run = opened(page, there, "learn/forger")
    page.click("#do-play")
    until(lambda: step_of(page) > 20)
    page.context.set_offline(True)
    time.sleep(1.5)
    page.context.set_offline(False)
    page.click("#do-play")
    until(lambda: page.inner_text("#do-play").startswith("Play"))
    until(lambda: (there.root / run.name / "log.jsonl").exists())
    page.reload()
    page.wait_for_selector("#step")
    games = json.loads(there.ask("GET", "/api/games")[1])
    mine = next(game for game in games if game["run"] == run.name)
    until(lambda: mine["state"]["step"] > 0)


@pytest.mark.slow
def test_the_lab_killed_under_a_game_leaves_a_run_that_goes_on(browser, tmp_path):
    with lab(tmp_path / "runs") as one:
        name = json.loads(one.ask("POST", "/api/games", {"recipe": "gan", "data": "ring", "given": {"width": 8, "batch": 8}})[1])["name"]
        until(lambda: json.loads(one.ask("GET", "/api/games")[1])[0]["run"])
        one.ask("POST", f"/api/games/{name}/do", {"do": "play"})
        until(lambda: json.loads(one.ask("GET", "/api/games")[1])[0]["state"].get("step", 0) > 20)
        run = json.loads(one.ask("GET", "/api/games")[1])[0]["run"]
        one.process.send_signal(signal.SIGKILL)
        one.process.wait()
        until(lambda: list((tmp_path / "runs" / run / "checkpoint").glob("0*")))      # its player saves and ends
    with lab(tmp_path / "runs") as again:
        until(lambda: b"name" in again.ask("POST", "/api/games", {"run": run})[1])
        until(lambda: json.loads(again.ask("GET", "/api/games")[1])[0]["state"].get("step", 0) > 20)
