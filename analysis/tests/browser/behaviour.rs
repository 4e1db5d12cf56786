//! What the page does when somebody reads it.

use std::path::PathBuf;

use analysis::export::html::{self, Shown};
use analysis::export::json::bytes;
use serde_json::{Value, json};

use crate::devtools::Page;
use crate::sample;

/// A page of a sweep with hostile names, and the JSON that was written beside it.
struct Opened {
    page: Page,
    json: Vec<u8>,
    downloads: PathBuf,
    _dir: tempfile::TempDir,
}

fn open() -> Opened {
    let dir = tempfile::tempdir().unwrap();
    let comparison = sample::hostile();
    let json = bytes(&comparison).unwrap();
    let file = dir.path().join("report.html");
    std::fs::write(&file, html::bytes(&comparison, &json).unwrap()).unwrap();
    let downloads = dir.path().join("downloads");
    std::fs::create_dir(&downloads).unwrap();
    Opened { page: Page::open(&file, &downloads), json, downloads, _dir: dir }
}

/// Nothing was logged, nothing thrown, nothing fetched but the file.
fn assert_quiet(page: &Page) {
    for method in ["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"] {
        assert_eq!(page.reported(method), Vec::<&Value>::new(), "{method}");
    }
    let urls: Vec<&str> = page
        .reported("Network.requestWillBeSent")
        .iter()
        .map(|request| request["request"]["url"].as_str().unwrap())
        .filter(|url| !url.starts_with("data:") && !url.starts_with("blob:"))
        .collect();
    assert!(matches!(urls.as_slice(), [one] if one.ends_with("/report.html")), "{urls:?}");
}

#[test]
fn hostile_names_do_nothing() {
    let mut opened = open();
    let page = &mut opened.page;
    assert_eq!(page.value("String(window.hacked)"), "undefined");
    assert_eq!(page.value("document.querySelectorAll('main img, main script, main iframe').length"), 0);
    assert!(page.value("document.querySelector('h1').textContent").as_str().unwrap().contains("</script>"));
    assert_quiet(page);
}

#[test]
fn the_numbers_shown_are_those_of_the_json() {
    let mut opened = open();
    let held = opened.page.value("document.getElementById('comparison').textContent");
    let document: Value = serde_json::from_str(held.as_str().unwrap()).unwrap();
    assert_eq!(document, serde_json::from_slice::<Value>(&opened.json).unwrap());
    let shown = opened.page.value(
        "[...document.querySelectorAll('[data-json]')].map((e) => [e.dataset.json, e.dataset.as, e.textContent])",
    );
    let shown = shown.as_array().unwrap();
    assert!(shown.len() > 300, "{} numbers", shown.len());
    for number in shown {
        let [pointer, form, text] = [0, 1, 2].map(|at| number[at].as_str().unwrap());
        let value = document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not in the JSON"));
        assert_eq!(Some(text), Shown::named(form).unwrap().text(value).as_deref(), "{pointer} as {form}");
    }
}

#[test]
fn charts_have_titles_and_words() {
    let mut opened = open();
    let figures = opened.page.value(
        "[...document.querySelectorAll('figure')].map((f) => [f.querySelector('h3, h4').textContent, \
         f.querySelector('figcaption').textContent, f.querySelectorAll('svg').length])",
    );
    let figures = figures.as_array().unwrap();
    assert!(!figures.is_empty(), "no chart");
    for figure in figures {
        assert!(!figure[0].as_str().unwrap().trim().is_empty(), "a chart without title: {figure}");
        assert!(figure[1].as_str().unwrap().trim().len() > 20, "a chart without words: {figure}");
        assert!(figure[2].as_u64().unwrap() > 0, "a chart without drawing: {figure}");
    }
}

#[test]
fn explanations_come_with_the_keyboard() {
    let mut opened = open();
    let page = &mut opened.page;
    assert_eq!(page.value("document.getElementById('tip').hidden"), true);
    page.press("Tab", 9);
    assert_eq!(page.value("document.activeElement.className"), "skip", "the first stop leads to the answer");
    let mut stops = 0;
    while page.value("document.activeElement.hasAttribute('data-tip')") == false {
        page.press("Tab", 9);
        stops += 1;
        assert!(stops < 200, "no explanation within 200 stops");
    }
    assert_eq!(page.value("document.getElementById('tip').hidden"), false);
    assert_eq!(
        page.value("document.getElementById('tip').textContent"),
        page.value("document.activeElement.dataset.tip")
    );
    assert_eq!(page.value("document.activeElement.getAttribute('aria-describedby')"), "tip");
    page.press("Escape", 27);
    assert_eq!(page.value("document.getElementById('tip').hidden"), true);
    assert_quiet(page);
}

#[test]
fn nothing_is_wider_than_a_phone() {
    let mut opened = open();
    let page = &mut opened.page;
    page.narrow(360);
    for all in ["closed", "open"] {
        page.value(&format!("document.querySelector('[data-all={all}]').click()"));
        let width = page.value("document.documentElement.scrollWidth");
        assert!(width.as_u64().unwrap() <= 360, "{width} pixels with all cells {all}");
    }
}

#[test]
fn paper_clips_nothing() {
    let mut opened = open();
    let page = &mut opened.page;
    // A4 less the margins.
    page.narrow(700);
    page.emulate("print", "dark");
    let clipped = page.value(
        "[...document.querySelectorAll('.scroll, pre')].filter((e) => e.scrollWidth > e.clientWidth + 1 || \
         e.clientHeight === 0).map((e) => `${e.textContent.trim().slice(0, 60)}: ${e.scrollWidth} in ${e.clientWidth}`)",
    );
    assert_eq!(clipped, Value::Array(Vec::new()));
    assert_eq!(page.value("document.querySelector('.bar').offsetHeight"), 0, "no controls on paper");
    assert_eq!(page.value("getComputedStyle(document.documentElement).colorScheme"), "light");
}

#[test]
fn colours_follow_the_system_and_the_button() {
    let mut opened = open();
    let page = &mut opened.page;
    let ground = "getComputedStyle(document.body).backgroundColor";
    page.emulate("screen", "light");
    let light = page.value(ground);
    page.emulate("screen", "dark");
    let dark = page.value(ground);
    assert_ne!(light, dark);
    // The button hears of it some frames later.
    page.value(
        "new Promise((done) => { const look = () => document.getElementById('theme').getAttribute('aria-pressed') === \
         'true' ? done() : requestAnimationFrame(look); look(); })",
    );
    page.value("document.getElementById('theme').click()");
    assert_eq!(page.value(ground), light);
    page.value("document.getElementById('theme').click()");
    assert_eq!(page.value(ground), dark);
    assert_eq!(page.value("document.cookie"), "", "nothing is remembered");
    assert_quiet(page);
}

#[test]
fn the_download_is_the_file() {
    let mut opened = open();
    opened.page.value("document.getElementById('download').click()");
    opened.page.wait_until(|page| {
        page.reported("Browser.downloadProgress").iter().any(|progress| progress["state"] == "completed")
    });
    let written = std::fs::read(opened.downloads.join("comparison.json")).unwrap();
    assert!(written == opened.json, "the download is not comparison.json byte for byte");
    assert_quiet(&opened.page);
}

#[test]
fn the_plan_is_copied_as_it_was_run() {
    let mut opened = open();
    let page = &mut opened.page;
    let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    page.call("Browser.grantPermissions", permissions);
    page.call("Page.bringToFront", json!({}));
    page.value(
        "new Promise((done) => { new MutationObserver(() => done()).observe(document.getElementById('said'), \
         {childList: true}); document.getElementById('copy').click(); })",
    );
    assert_eq!(page.value("document.getElementById('said').textContent"), "The plan was copied");
    let copied = page.value("navigator.clipboard.readText()");
    let comparison: Value = serde_json::from_slice(&opened.json).unwrap();
    assert_eq!(copied, comparison["plan_toml"]);
}

#[test]
fn without_scripts_nothing_is_missing_but_buttons() {
    let mut opened = open();
    let page = &mut opened.page;
    let shown = "[document.querySelector('main').innerText.length, document.querySelectorAll('button').length, \
                 [...document.querySelectorAll('button')].filter((b) => b.offsetHeight > 0).length]";
    let with = page.value(shown);
    page.call("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    page.reload();
    let without = page.value(shown);
    assert_eq!((&without[1], &without[2]), (&with[1], &json!(0)), "buttons that do nothing");
    let (with, without) = (with[0].as_f64().unwrap(), without[0].as_f64().unwrap());
    assert!((without / with - 1.0).abs() < 0.01, "{without} characters instead of {with}");
}
