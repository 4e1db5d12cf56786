//! `report.html` without a browser: whole, escaped, offline, in order.

use std::collections::BTreeSet;

use analysis::export::html::{self, Shown};
use analysis::export::json;
use common::report::comparison::Comparison;
use serde_json::Value;

use crate::idle;
use crate::support::{PLAN, bench, compare, plan, plan_with, runs};
use markup::{Element, elements};

mod markup;
mod sample;

fn page(comparison: &Comparison) -> String {
    String::from_utf8(html::bytes(comparison, &json::bytes(comparison).unwrap()).unwrap()).unwrap()
}

/// One of many cells, one of one cell, with nothing to compare, with little that can be told, with a cell in which nothing is
/// asked, and one that would like to break out.
fn pages() -> [String; 6] {
    let single = compare(&plan(PLAN), bench(0.85, 0.03));
    [sample::sweep(), single, sample::alone(), sample::troubled(), idle::sample(), sample::hostile()]
        .map(|comparison| page(&comparison))
}

fn named<'a>(all: &'a [Element], name: &str) -> Vec<&'a Element> {
    all.iter().filter(|element| element.name == name).collect()
}

#[test]
fn references_lead_somewhere_and_ids_are_unique() {
    for page in pages() {
        let all = elements(&page);
        let mut ids = BTreeSet::new();
        for id in all.iter().filter_map(|element| element.attribute("id")) {
            assert!(ids.insert(id), "{id} is there twice");
        }
        for element in &all {
            let link = element.attribute("href").and_then(|link| link.strip_prefix('#'));
            for target in link.into_iter().chain(element.attribute("aria-labelledby")) {
                assert!(ids.contains(target), "<{}> refers to {target}", element.name);
            }
        }
    }
}

#[test]
fn tables_say_what_they_are_and_headings_are_in_order() {
    for page in pages() {
        let all = elements(&page);
        assert_eq!(named(&all, "table").len(), named(&all, "caption").len());
        for header in named(&all, "th") {
            assert!(header.attribute("scope").is_some(), "<th> {:?} without scope", header.text);
        }
        assert_eq!(named(&all, "h1").len(), 1);
        let mut last = 0;
        let headings = all.iter().filter_map(|element| element.name.strip_prefix('h')?.parse::<u32>().ok());
        for level in headings {
            assert!(level <= last + 1, "h{level} after h{last}");
            last = level;
        }
        assert_eq!(named(&all, "html")[0].attribute("lang"), Some("en"));
        for landmark in ["header", "nav", "main", "footer"] {
            assert_eq!(named(&all, landmark).len(), 1, "{landmark}");
        }
    }
}

#[test]
fn sections_are_in_order() {
    let page = page(&sample::sweep());
    let sections: Vec<&str> =
        page.split("<section id=\"").skip(1).map(|section| section.split('"').next().unwrap()).collect();
    let order = ["answer", "charts", "figures", "published", "validity", "environment", "plan", "reading"];
    let expected: Vec<&str> = order.into_iter().filter(|id| sections.contains(id)).collect();
    assert_eq!(sections, expected);
    assert!(sections.len() >= order.len() - 1, "{sections:?}");
}

#[test]
fn nothing_is_asked_of_anybody() {
    for page in &pages()[..5] {
        for forbidden in ["http:", "https:", " src=", "@import", "url(", "//cdn", "<base", "<iframe", "srcset"] {
            assert!(!page.contains(forbidden), "{forbidden} in the page");
        }
        let all = elements(page);
        let policy = all.iter().find_map(|one| one.attribute("content").filter(|text| text.contains("default-src")));
        let policy = policy.unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        for element in &all {
            let handler = element.attributes.keys().find(|key| key.starts_with("on") || *key == "style");
            assert_eq!(handler, None, "<{}> has what the policy forbids", element.name);
        }
    }
}

#[test]
fn hostile_text_stays_text() {
    let page = page(&sample::hostile());
    for forbidden in ["<script>window", "<img"] {
        assert!(!page.contains(forbidden), "{forbidden:?} in the page");
    }
    let all = elements(&page);
    for element in all.iter().filter(|element| element.name != "script") {
        let attributes = element.attributes.iter().filter(|(name, _)| *name != "data-json");
        for text in attributes.map(|(_, value)| value).chain([&element.text]) {
            assert!(!text.contains('\u{202e}'), "an override in <{}>", element.name);
        }
    }
    assert_eq!(named(&all, "script").len(), 2, "the JSON and the page's own");
    let visible = sample::HOSTILE.replace('\u{202e}', "\\u{202e}").replace('\u{2028}', "\\u{2028}");
    assert_eq!(named(&all, "h1")[0].text, visible);
}

#[test]
fn the_json_is_whole_and_every_number_is_its() {
    for comparison in [sample::sweep(), idle::sample(), sample::hostile()] {
        let page = page(&comparison);
        let all = elements(&page);
        let held = all.iter().find(|element| element.attribute("id") == Some("comparison")).unwrap();
        assert_eq!(serde_json::from_str::<Comparison>(&held.text).unwrap(), comparison);
        let document: Value = serde_json::from_str(&held.text).unwrap();
        let mut numbers = 0;
        for element in all.iter().filter(|element| element.attribute("data-json").is_some()) {
            let pointer = element.attribute("data-json").unwrap();
            let shown = Shown::named(element.attribute("data-as").unwrap()).unwrap();
            let value = document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not in the JSON"));
            assert_eq!(Some(&element.text), shown.text(value).as_ref(), "{pointer}");
            numbers += 1;
        }
        assert!(numbers > 300, "{numbers} numbers");
    }
}

#[test]
fn cells_of_tables_with_digits_are_numbers_of_the_json() {
    for comparison in [sample::sweep(), idle::sample()] {
        let all = elements(&page(&comparison));
        for (position, cell) in all.iter().enumerate() {
            let numeric = cell.name == "td" && cell.text.contains(|c: char| c.is_ascii_digit());
            if numeric && cell.attribute("class") == Some("n") {
                // What is within an element ends before it.
                let mut inner = all[..position].iter().rev().take_while(|one| one.within.len() > cell.within.len());
                assert!(inner.any(|one| one.attribute("data-json").is_some()), "{:?} comes from nowhere", cell.text);
            }
        }
    }
}

#[test]
fn sixty_cells_are_an_overview_and_closed_details() {
    let counts: Vec<String> = (1..=60).map(|count| count.to_string()).collect();
    let plan = plan_with(&[&format!("workers.count=[{}]", counts.join(", ")), "repeat.blocks=1"]);
    let page = page(&compare(&plan, runs(&plan, |_| {})));
    let all = elements(&page);
    let cells: Vec<&Element> =
        named(&all, "details").into_iter().filter(|cell| cell.attribute("class") == Some("cell")).collect();
    assert_eq!(cells.len(), 60);
    for (position, cell) in cells.iter().enumerate() {
        assert_eq!(cell.attribute("open"), None);
        let link = format!("#cell-{position}");
        assert!(named(&all, "a").iter().any(|a| a.attribute("href") == Some(&link)), "{link} is not in the overview");
    }
}

#[test]
fn what_spoils_the_answer_is_said_first() {
    let page = page(&sample::hostile());
    let answer = &page[page.find("id=\"answer\"").unwrap()..page.find("id=\"figures\"").unwrap()];
    for notice in ["forced: ", "Failed checks:", "uncalibrated: "] {
        assert!(answer.contains(notice), "{notice} is missing");
    }
}
