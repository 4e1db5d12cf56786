//! The charts of a comparison: well-formed whatever stands in it, and drawn from its JSON alone.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use analysis::chart::{Chart, STYLE, Section, charts};
use common::latency::Latency;
use common::report::comparison::{Comparison, ContrastVerdict, Estimate};
use common::report::{Distribution, Phase, Run, Second};
use roxmltree::{Document, Node};

use crate::support::{PLAN, compare, is_async, overload, plan, plan_with, runs, scale_cpu, scatter};

/// Response of 10 000 tasks, threads' and async's.
static RESPONSES: LazyLock<[Distribution; 2]> = LazyLock::new(|| {
    [10, 9].map(|slower| {
        let mut response = Latency::new();
        (1..=10_000u64).for_each(|i| response.record(100_000 * slower + i * i));
        response.distribution(0)
    })
});

/// A run with a histogram and a timeline, as a real one has.
fn fill(run: &mut Run) {
    let unbounded = run.latency_us.response.unbounded;
    run.latency_us.response = Distribution { unbounded, ..RESPONSES[usize::from(is_async(run))].clone() };
    let second = |t_s: i32| Second {
        t_s: f64::from(t_s),
        phase: if t_s <= 0 { Phase::WarmUp } else { Phase::Window },
        sent: 1_000,
        completed: 990,
        failed: 0,
        backlog: 10 + u64::from(run.block),
        response_p50_us: (t_s > 0).then_some(900.0),
        response_p90_us: None,
        response_p99_us: (t_s > 0).then(|| 2_000.0 + 20.0 * f64::from(run.block)),
        response_max_us: None,
        service_p50_us: None,
    };
    run.timeline = (0..=10).map(second).collect();
}

fn one_cell() -> Comparison {
    let change = |run: &mut Run| {
        fill(run);
        scale_cpu(run, scatter(run, 0.02) * if is_async(run) { 0.85 } else { 1.0 });
    };
    compare(&plan(PLAN), runs(&plan(PLAN), change))
}

/// Async wins where there are many workers, threads where there are few, and nobody can tell in between.
fn sweep(rtt_us: &str, blocks: u32) -> Comparison {
    let sets = [format!("redis.rtt_us={rtt_us}"), format!("repeat.blocks={blocks}")];
    let plan = plan_with(&["workers.count=[1, 28, 500]", &sets[0], &sets[1]]);
    let change = |run: &mut Run| {
        fill(run);
        let gain = match run.plan.settings.workers.count {
            1 => 1.2,
            28 => 1.01,
            _ => 0.8,
        };
        scale_cpu(run, scatter(run, 0.02) * if is_async(run) { gain } else { 1.0 });
    };
    let runs = runs(&plan, change);
    compare(&plan, runs)
}

fn document(chart: &Chart) -> Document<'_> {
    Document::parse(&chart.svg).unwrap_or_else(|error| panic!("{}: {error}\n{}", chart.id, chart.svg))
}

fn attribute<'a>(node: &Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.attribute(name)
}

/// What must hold of the charts of any comparison.
fn check(comparison: &Comparison) -> Vec<Chart> {
    let charts = charts(comparison);
    let mut ids = BTreeSet::new();
    for chart in &charts {
        assert!(ids.insert(chart.id.clone()), "{} twice", chart.id);
        assert!(!chart.title.is_empty() && chart.summary.contains("uns"), "no word of runs: {}", chart.summary);
        let document = document(chart);
        let svgs: Vec<_> = document.root_element().children().collect();
        let small = attribute(&document.root_element(), "class") == Some("chart small");
        assert_eq!((svgs.len() == 1, small), (small, is_cell(chart) && comparison.cells.len() > 6), "{}", chart.id);
        for svg in svgs {
            assert_eq!((svg.tag_name().name(), attribute(&svg, "role")), ("svg", Some("img")));
            let texts = ["aria-labelledby", "aria-describedby"].map(|name| {
                let id = attribute(&svg, name);
                svg.descendants().find(|node| attribute(node, "id") == id).and_then(|node| node.text())
            });
            assert_eq!(texts, [Some(chart.title.as_str()), Some(chart.summary.as_str())]);
            let view: Vec<f64> =
                attribute(&svg, "viewBox").unwrap().split(' ').map(|number| number.parse().unwrap()).collect();
            assert!(view[3] > 20.0, "{view:?}");
        }
        for node in document.descendants() {
            assert_ne!(node.tag_name().name(), "script");
            if let Some(id) = attribute(&node, "id") {
                assert!(ids.insert(id.to_owned()), "{id} twice");
            }
            if let Some(tip) = attribute(&node, "data-tip") {
                let title = node.children().find(|child| child.has_tag_name("title"));
                let title = title.or_else(|| node.children().find(|child| child.tag_name().name() == "title"));
                assert_eq!(title.and_then(|title| title.text()), Some(tip));
            }
            assert!(attribute(&node, "tabindex").is_none() || attribute(&node, "data-tip").is_some());
            let numbers = ["x", "y", "width", "height", "x1", "x2", "y1", "y2"];
            for number in numbers.iter().filter_map(|name| attribute(&node, name)) {
                assert!(number.parse::<f64>().is_ok_and(f64::is_finite), "{number}");
            }
        }
    }
    charts
}

fn is_cell(chart: &Chart) -> bool {
    matches!(chart.section, Section::Cell(_))
}

fn ids(charts: &[Chart]) -> Vec<&str> {
    charts.iter().map(|chart| chart.id.as_str()).collect()
}

fn find<'a>(charts: &'a [Chart], id: &str) -> &'a Chart {
    charts.iter().find(|chart| chart.id == id).unwrap_or_else(|| panic!("no {id} among {:?}", ids(charts)))
}

/// Every tip of the drawing for wide places.
fn tips(chart: &Chart) -> Vec<String> {
    let document = document(chart);
    let wide = document.root_element().first_child().unwrap();
    wide.descendants().filter_map(|node| attribute(&node, "data-tip")).map(str::to_owned).collect()
}

#[test]
fn of_one_cell() {
    let charts = check(&one_cell());
    assert_eq!(
        ids(&charts),
        ["metrics-0-0", "percentiles-0", "time-response-0", "time-backlog-0", "time-completed-0", "resources-0"]
    );
    assert!(charts.iter().all(|chart| chart.section == Section::Cell(0)));
    let percentiles = find(&charts, "percentiles-0");
    assert!(percentiles.summary.starts_with("threads: p50 26 ms, "), "{}", percentiles.summary);
    assert!(percentiles.summary.ends_with("Runs: threads: 10 ok; async: 10 ok."), "{}", percentiles.summary);
    assert!(
        tips(percentiles).iter().any(|tip| tip == "async\n99 % of tasks within 99 ms\n1 000 tasks longer"),
        "{:?}",
        tips(percentiles)
    );
    assert!(tips(find(&charts, "time-response-0"))[0].contains("threads p99: 2.09 ms (2 ms to 2.18 ms, n = 10)"));
}

#[test]
fn of_sweeps() {
    let charts = check(&sweep("0", 10));
    assert_eq!(
        ids(&charts)[..5],
        ["ratios-0", "crossover-0", "sweep-cpu_us_per_task", "sweep-completed_per_s", "sweep-response_p99_us"]
    );
    assert_eq!(charts.iter().filter(|chart| is_cell(chart)).count(), 3 * 6);
    let map = find(&charts, "crossover-0");
    assert!(map.summary.starts_with("async is better in 1 of 3 cells, worse in 1, "), "{}", map.summary);
    let two_keys = check(&sweep("[0, 200, 5000]", 6));
    assert_eq!(tips(find(&two_keys, "crossover-0")).len(), 9);
    assert!(
        tips(find(&two_keys, "crossover-0"))[0].starts_with("workers.count = 1, redis.rtt_us = 0\nasync / threads: ")
    );
}

/// Every key by itself, the others as in the centre; no place for combinations that were never run.
#[test]
fn of_stars() {
    let sets =
        ["sweep=star", "workers.count=[28, 1, 500]", "redis.rtt_us=[200, 0]", "load.rate_per_s=[1000, 500, 2000]"];
    let plan = plan_with(&sets);
    let change = |run: &mut Run| {
        fill(run);
        scale_cpu(run, scatter(run, 0.02) * if is_async(run) { 0.8 } else { 1.0 });
    };
    let comparison = compare(&plan, runs(&plan, change));
    let charts = check(&comparison);
    assert_eq!(ids(&charts)[..5], ["ratios-0", "crossover-0", "crossover-1", "crossover-2", "sweep-cpu_us_per_task"]);
    let ratios = find(&charts, "ratios-0");
    for name in ["the centre", "workers.count = 1", "workers.count = 500", "redis.rtt_us = 0", "load.rate_per_s = 2000"]
    {
        assert!(ratios.svg.contains(&format!(">{name}<")), "no {name:?}: {}", ratios.svg);
    }
    let centre = "The centre: load.rate_per_s = 1000, redis.rtt_us = 200, workers.count = 28.";
    assert!(ratios.summary.ends_with(centre), "{}", ratios.summary);
    let maps =
        ["crossover-0", "crossover-1", "crossover-2"].map(|id| (find(&charts, id), tips(find(&charts, id)).len()));
    let by = maps.map(|(map, cells)| (map.title.rsplit(' ').next().unwrap_or_default().to_owned(), cells));
    let expected = [("load.rate_per_s", 3), ("redis.rtt_us", 2), ("workers.count", 3)];
    assert_eq!(by.each_ref().map(|(key, cells)| (key.as_str(), *cells)), expected);
    let cost = find(&charts, "sweep-cpu_us_per_task");
    assert_eq!(cost.title, "CPU per task by load.rate_per_s, redis.rtt_us and workers.count");
    assert_eq!(tips(cost).len(), 2 * (3 + 2 + 3));
}

#[test]
fn nothing_but_the_json_is_drawn() {
    for comparison in [one_cell(), sweep("[0, 200]", 6)] {
        let json = serde_json::to_string(&comparison).unwrap();
        assert_eq!(charts(&serde_json::from_str(&json).unwrap()), charts(&comparison));
    }
}

#[test]
fn names_are_text() {
    const HOSTILE: &str = "<img src=x onerror=\"alert('1')\">&amp;\u{1}";
    let mut comparison = sweep("[0, 200]", 6);
    for cell in &mut comparison.cells {
        cell.parameters.insert(HOSTILE.to_owned(), HOSTILE.into());
        for contrast in &mut cell.contrasts {
            contrast.contender = HOSTILE.to_owned();
            contrast.reason = HOSTILE.to_owned();
        }
        for summary in cell.variants.iter_mut().filter(|summary| summary.variant.name == "async") {
            summary.variant.name = HOSTILE.to_owned();
        }
    }
    for chart in charts(&comparison) {
        assert!(!chart.svg.contains("<img"), "{}", chart.svg);
        document(&chart);
        assert!(chart.id.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{}", chart.id);
    }
}

#[test]
fn without_figures_there_is_no_chart() {
    let mut comparison = sweep("[0, 200]", 6);
    for cell in &mut comparison.cells {
        cell.contrasts.clear();
        for summary in &mut cell.variants {
            (summary.response_curve, summary.timeline) = (None, None);
            summary.metrics.values_mut().for_each(|estimate| {
                *estimate = Estimate { value: None, low: None, high: None, n: 0 };
            });
        }
    }
    assert_eq!(charts(&comparison), []);
    comparison.cells.clear();
    assert_eq!(charts(&comparison), []);
}

#[test]
fn half_of_the_figures_are_enough() {
    let mut comparison = sweep("[0, 200]", 6);
    for (i, cell) in comparison.cells.iter_mut().enumerate() {
        for contrast in cell.contrasts.iter_mut().skip(i % 3).step_by(2) {
            contrast.ratio.value = None;
            contrast.ratio.high = None;
            contrast.verdict = ContrastVerdict::Unknown;
        }
        for summary in cell.variants.iter_mut().skip(i % 2) {
            summary.response_curve = None;
            summary.metrics.values_mut().skip(i).step_by(3).for_each(|estimate| estimate.value = None);
            for moment in summary.timeline.iter_mut().flat_map(|timeline| &mut timeline.moments).step_by(2) {
                moment.response_p99_us = None;
            }
        }
    }
    assert!(!check(&comparison).is_empty());
    comparison.cells.remove(2);
    check(&comparison);
}

#[test]
fn tasks_without_response_are_said() {
    let change = |run: &mut Run| {
        if is_async(run) {
            run.latency_us.response.unbounded = 1_000;
            overload(run);
        }
        fill(run);
    };
    let charts = check(&compare(&plan(PLAN), runs(&plan(PLAN), change)));
    let percentiles = find(&charts, "percentiles-0");
    assert!(percentiles.svg.contains("async: 10 000 of 110 000 tasks without a response"), "{}", percentiles.svg);
    assert!(percentiles.summary.contains("10 overloaded"), "{}", percentiles.summary);
    assert!(!percentiles.svg.contains("async\n99 %"), "drawn among the unbounded");
}

/// Luminance contrast of two colours by WCAG 2.2.
fn contrast(a: &str, b: &str) -> f64 {
    let luminance = |colour: &str| -> f64 {
        let channel = |i: usize| {
            let value = f64::from(u8::from_str_radix(&colour[2 * i + 1..2 * i + 3], 16).unwrap()) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(0) + 0.7152 * channel(1) + 0.0722 * channel(2)
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn colours_stand_out_from_every_ground() {
    let grounds: Vec<&str> = STYLE.split("--chart-ground:").skip(1).collect();
    assert_eq!(grounds.len(), 4, "light, dark twice, print");
    for theme in grounds {
        let theme = theme.split('}').next().unwrap();
        let colour = |name: &str| {
            let rest = if name == "ground" { theme } else { theme.split_once(&format!("--chart-{name}:")).unwrap().1 };
            rest.trim_start().split(';').next().unwrap()
        };
        let ground = colour("ground");
        for (name, least) in ["1", "2", "3", "4", "5", "6", "axis", "margin"].map(|name| (name, 3.0)) {
            assert!(contrast(colour(name), ground) >= least, "{name} on {ground}: {}", contrast(colour(name), ground));
        }
        for name in ["text", "quiet"] {
            assert!(contrast(colour(name), ground) >= 4.5, "{name} on {ground}");
        }
    }
}

/// What there is in a drawing, without its numbers.
#[test]
fn structure() {
    let charts = check(&one_cell());
    let document = document(find(&charts, "resources-0"));
    let svg = document.root_element().last_child().unwrap();
    let mut text = String::new();
    for node in svg.descendants().filter(|node| node.is_element()).take(22) {
        let depth = node.ancestors().count() - 3;
        let words = node.text().filter(|_| node.tag_name().name() == "text").unwrap_or("");
        let class = attribute(&node, "class").unwrap_or("-");
        let line = format!("{:width$}{} {class} {words}", "", node.tag_name().name(), width = 2 * depth);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    insta::assert_snapshot!(text, @"
    svg narrow
      title -
      desc -
      g c1 d1
        path mark
        text  threads
      g c2 d2
        path mark
        text  async
      text strong CPU per task (paler: server)
      g c1 d1
        path mark
        rect bar
        rect bar paler
        path interval
        text tick 200 µs
        title -
      g c2 d2
        path mark
        rect bar
        rect bar paler
        path interval
    ");
}
