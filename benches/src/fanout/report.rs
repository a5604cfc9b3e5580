//! The results of the fan-out: tables, lines for the targets, and the picture.

use super::{
    BURST, GROWTH, Kind, LARGE, Load, Measured, Outcome, PACED, Part, STORM_BEHIND, STORM_STREAMS, TOPICS, WINDOW,
};
use crate::report::Targets;
use clap::ValueEnum;
use std::fmt::Write;

/// A framework with its three servers: ours, the recipe, the floor; and by which factor ours must be faster than the
/// recipe in a burst.
const FRAMEWORKS: [(&str, [Kind; 3], f64); 3] = [
    ("axum", [Kind::AxumOurs, Kind::AxumRecipe, Kind::AxumFloor], 8.0),
    ("warp", [Kind::WarpOurs, Kind::WarpRecipe, Kind::WarpFloor], 6.0),
    ("actix", [Kind::ActixOurs, Kind::ActixRecipe, Kind::ActixFloor], 4.0),
];

pub const INTRODUCTION: &str = "
## Fan-out over real sockets

![Deliveries a second in a burst](benchmarks.svg)

A server process on one core, a load client on the other that counts events, in order, and takes the latency from a
timestamp in each. What opening the streams and the first 8 events cost is not counted. *Wrong* is what never came or
came out of order. A *floor* is a framework with a body that shares one log and yields what is ready as one chunk. A part
is measured alone by `-- fanout --part growth --only axum-ours`; the client may be what limits a burst.
";

const fn streams(load: &Load) -> usize {
    load.streams[load.streams.len() - 1]
}

/// A table with this head, and a row for each measured server.
fn table(out: &mut String, head: &str, row: impl Fn(Kind) -> Option<String>) {
    let rows: Vec<String> = Kind::value_variants()
        .iter()
        .filter_map(|&kind| {
            let (name, bold) = (kind.title(), if kind.is_ours() { "**" } else { "" });
            Some(format!("| {bold}{name}{bold} | {} |\n", row(kind)?))
        })
        .collect();
    if !rows.is_empty() {
        let columns = head.matches('|').count();
        let _ = write!(out, "\n| {head} |\n|---{}|\n{}", "|---:".repeat(columns), rows.concat());
    }
}

pub fn tables(out: &mut String, measured: &Measured) {
    let throughput = |out: &mut String, what: &str, part, load| {
        let head = format!("{what} | deliveries/s | server CPU, µs each | p50 ms | p99 ms | wrong");
        table(out, &head, |kind| {
            let Outcome { per_second, cpu_us, p50_ms, p99_ms, wrong, .. } =
                measured.outcome(part, kind, streams(load))?;
            Some(format!("{per_second:.0} | {cpu_us:.3} | {p50_ms:.0} | {p99_ms:.0} | {wrong}"))
        });
    };
    let latency = |out: &mut String, what: &str, part, load| {
        let head = format!("{what} | server CPU, µs a delivery | p50 ms | p99 ms | wrong");
        table(out, &head, |kind| {
            let Outcome { cpu_us, p50_ms, p99_ms, wrong, .. } = measured.outcome(part, kind, streams(load))?;
            Some(format!("{cpu_us:.2} | {p50_ms:.1} | {p99_ms:.1} | {wrong}"))
        });
    };
    throughput(out, "burst: 1,000 streams, 2,000 events of 100 B back to back", Part::Burst, &BURST);
    latency(out, "paced: 2,000 streams, an event of 100 B each 40 ms", Part::Paced, &PACED);
    latency(out, "the same, each stream with 8 topics in turn", Part::Topics, &TOPICS);
    latency(out, "window: 200 streams, an event of 100 B each 4 ms", Part::Window, &WINDOW);
    throughput(out, "large: 200 streams, 40 events of 64 KiB back to back", Part::Large, &LARGE);
    let head = "growth: an event each 200 ms; server CPU, µs a delivery | 100 streams | 1,000 | 5,000 | 9,000 | \
                9,000 of 1,000 | p99 ms at 9,000 | wrong";
    table(out, head, |kind| {
        let of = |streams: &usize| measured.outcome(Part::Growth, kind, *streams);
        let all: Vec<Outcome> = GROWTH.streams.iter().filter_map(of).collect();
        let [few, some, more, most] = all[..] else { return None };
        let wrong: f64 = all.iter().map(|outcome| outcome.wrong).sum();
        let (ratio, p99_ms) = (most.cpu_us / some.cpu_us, most.p99_ms);
        let [few, some, more, most] = [few, some, more, most].map(|outcome| outcome.cpu_us);
        Some(format!("{few:.2} | {some:.2} | {more:.2} | {most:.2} | {ratio:.2} | {p99_ms:.1} | {wrong}"))
    });
    table(out, "an idle stream, bytes of anonymous memory | one topic | each further topic", |kind| {
        let one = measured.bytes(Part::Idle, kind, 1)?;
        let more = further_topic(measured, kind).map(|bytes| format!("{bytes:.0}")).unwrap_or_default();
        Some(format!("{one:.0} | {more}"))
    });
    let head = format!(
        "replay storm: {STORM_STREAMS} streams at once, each {STORM_BEHIND} events behind | ms until all are live | \
         memory at most, KiB beyond the same with nothing missed | wrong"
    );
    table(out, &head, |kind| {
        let Outcome { live_ms, wrong, .. } = measured.outcome(Part::Storm, kind, STORM_STREAMS)?;
        let bytes = measured.bytes(Part::Storm, kind, STORM_STREAMS)?;
        Some(format!("{live_ms:.0} | {:.0} | {wrong}", bytes / 1024.0))
    });
}

fn further_topic(measured: &Measured, kind: Kind) -> Option<f64> {
    Some((measured.bytes(Part::Idle, kind, 9)? - measured.bytes(Part::Idle, kind, 1)?) / 8.0)
}

pub fn targets(lines: &mut Targets, measured: &Measured) {
    let outcome = |part, kind, streams| measured.outcome(part, kind, streams);
    let ratio = |figure: fn(&Outcome) -> f64, part, load, ours, other| {
        let (ours, other) = (outcome(part, ours, streams(load))?, outcome(part, other, streams(load))?);
        Some(figure(&ours) / figure(&other))
    };
    let cpu = |ours, other| ratio(|run| run.cpu_us, Part::Paced, &PACED, ours, other);
    let growth = |kind| {
        let [more, few] = [9_000, 1_000].map(|streams| Some(outcome(Part::Growth, kind, streams)?.cpu_us));
        Some(more? / few?)
    };
    let above = |part, ours, floor, of| Some(measured.bytes(part, ours, of)? - measured.bytes(part, floor, of)?);
    for (name, [ours, recipe, floor], times) in FRAMEWORKS {
        let burst = ratio(|run| run.per_second, Part::Burst, &BURST, ours, recipe);
        lines.at_least(&format!("burst on {name}, times its recipe"), times, burst);
        lines.at_most(&format!("paced on {name}, CPU of its floor"), 1.05, cpu(ours, floor));
        lines.at_most(&format!("paced on {name}, CPU of its recipe"), 1.0, cpu(ours, recipe));
        lines.at_most(&format!("growth on {name}, CPU at 9,000 streams of 1,000"), 1.15, growth(ours));
        let idle = above(Part::Idle, ours, floor, 1);
        lines.at_most(&format!("idle stream on {name}, bytes above its floor"), 512.0, idle);
        let further = further_topic(measured, ours);
        lines.at_most(&format!("idle stream on {name}, bytes for a further topic"), 48.0, further);
        let storm = above(Part::Storm, ours, floor, STORM_STREAMS).map(|bytes| bytes / 1024.0 / 1024.0);
        lines.at_most(&format!("replay storm on {name}, MiB beyond its floor's"), 2.0, storm);
    }
    let window = ratio(|run| run.cpu_us, Part::Window, &WINDOW, Kind::AxumWindow, Kind::AxumOurs);
    lines.at_most("a window of 40 ms at 250 events/s, CPU of no window", 0.2, window);
    let idle = measured.bytes(Part::Idle, Kind::AxumServe, 1);
    lines.at_most("idle stream on sse-serve, bytes", 1300.0, idle);
    let paced = cpu(Kind::AxumServe, Kind::AxumFloor);
    lines.at_most("paced on sse-serve, CPU of axum's floor", 0.75, paced);
    let burst = ratio(|run| run.per_second, Part::Burst, &BURST, Kind::AxumServe, Kind::AxumFloor);
    lines.at_least("burst on sse-serve, times axum's floor", 1.0, burst);
    lines.at_most("growth on sse-serve, CPU at 9,000 streams of 1,000", 1.15, growth(Kind::AxumServe));
    lines.at_most("paced, the core alone, CPU of the bare loop", 1.15, cpu(Kind::Core, Kind::Raw));
    lines.at_most("growth, the core alone, CPU at 9,000 streams of 1,000", 1.15, growth(Kind::Core));
    let ours = Kind::value_variants().iter().filter(|kind| kind.is_ours());
    let wrong = measured.outcomes.iter().filter(|(_, kind, ..)| ours.clone().any(|ours| ours == kind));
    lines.at_most("lost or out of order, in all of it", 0.0, Some(wrong.map(|(.., outcome)| outcome.wrong).sum()));
}

/// Bars of the burst: each framework's recipe, and ours on it.
pub fn picture(measured: &Measured) -> String {
    let bars: Vec<(Kind, f64)> = Kind::value_variants()
        .iter()
        .filter(|kind| !kind.is_floor())
        .filter_map(|&kind| Some((kind, measured.outcome(Part::Burst, kind, streams(&BURST))?.per_second)))
        .collect();
    let most = bars.iter().map(|(_, rate)| *rate).fold(1.0, f64::max);
    let height = 64 + 34 * bars.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 {height}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"14\" role=\"img\" aria-label=\"Deliveries a second in a burst\">\n\
         <style>text{{fill:#24292f}}.ours{{fill:#1a7f5a}}.other{{fill:#a8b3bd}}\
         @media (prefers-color-scheme: dark){{text{{fill:#e6edf3}}.ours{{fill:#3fb98a}}.other{{fill:#57606a}}}}</style>\n\
         <text x=\"8\" y=\"24\" font-size=\"16\" font-weight=\"600\">Deliveries a second: 2,000 events to 1,000 streams, \
         server on one core</text>\n"
    );
    for (row, (kind, rate)) in bars.iter().enumerate() {
        let (y, width) = (46 + 34 * row, (rate / most * 420.0).max(2.0));
        let class = if kind.is_ours() { "ours" } else { "other" };
        let title = kind.title().replace('`', "");
        let millions = rate / 1e6;
        let _ = writeln!(
            svg,
            "<text x=\"330\" y=\"{}\" text-anchor=\"end\">{title}</text>\
             <rect class=\"{class}\" x=\"340\" y=\"{y}\" width=\"{width:.0}\" height=\"22\" rx=\"3\"/>\
             <text x=\"{:.0}\" y=\"{}\">{millions:.2} M</text>",
            y + 16,
            348.0 + width,
            y + 16
        );
    }
    svg + "</svg>\n"
}
