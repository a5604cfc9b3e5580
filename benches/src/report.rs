//! The tables of the measurements in one process, and the table of targets.

use crate::measure::Figure;
use crate::nodes::{EVENTS, Nodes, PUBLISHERS, PUBLISHES, READERS};
use crate::threads::{CROWD, Threads};
use std::fmt::Write;
use std::io;

/// A column: the title, the number of decimals, and the value of a figure.
type Column = (&'static str, usize, fn(&Figure) -> Option<f64>);

const COLUMNS: [Column; 2] = [("ns", 1, |figure| figure.ns), ("instructions", 0, |figure| figure.instructions)];

/// A table for each task: each contender's figure, and the ratio to the best peer.
pub fn figures(out: &mut String, figures: &[Figure]) -> io::Result<()> {
    let mut tasks: Vec<&str> = figures.iter().map(|figure| figure.task.as_str()).collect();
    tasks.dedup();
    for task in tasks {
        let field: Vec<&Figure> = figures.iter().filter(|figure| figure.task == task).collect();
        let has_peers = field.iter().any(|figure| figure.is_peer);
        let columns = COLUMNS.iter().filter_map(|column @ (.., of)| {
            // Without peers the first case counts as 1.
            let peers = field.iter().filter(|figure| figure.is_peer || !has_peers).filter_map(|figure| of(figure));
            let against = if has_peers { peers.min_by(f64::total_cmp) } else { peers.clone().next() };
            Some((column, against?))
        });
        let columns: Vec<_> = columns.collect();
        let (mut head, mut rule) = (format!("\n| {task} |"), String::from("|---|"));
        for ((title, ..), _) in &columns {
            let _ = write!(head, " {title} | of the {} |", if has_peers { "best peer" } else { "first" });
            rule.push_str("---:|---:|");
        }
        let _ = writeln!(out, "{head}\n{rule}");
        for figure in field {
            let bold = if figure.is_peer || !has_peers { "" } else { "**" };
            let _ = write!(out, "| {bold}{}{bold} |", figure.contender);
            for ((_, decimals, of), against) in &columns {
                let measured = of(figure).unwrap_or(f64::NAN);
                let _ = write!(out, " {measured:.decimals$} | {:.2} |", measured / against);
            }
            out.push('\n');
        }
    }
    Ok(())
}

/// One topic on several threads, and a publish to a crowd.
pub fn threads(out: &mut String, threads: &Threads) -> io::Result<()> {
    out.push_str("\n| publish, take and park at once | million deliveries a second |\n|---|---:|\n");
    for (name, millions) in &threads.rates.rows {
        let _ = writeln!(out, "| {name} | {millions:.1} |");
    }
    out.push_str(THREADS);
    let crowd = &threads.crowd;
    let _ = writeln!(
        out,
        "\n| one publish to {CROWD} parked tasks on 2 workers of tokio, wall time | ms |\n|---|---:|\n\
         | until the publish returns, median | {:.2} |\n\
         | until the publish returns, longest | {:.2} |\n\
         | until the last subscriber has the event, median | {:.0} |",
        crowd.publish, crowd.longest_publish, crowd.last
    );
    Ok(())
}

/// The reading of the table of threads.
const THREADS: &str = "
A delivery is an event that a cursor received, with its share of the publish, the take and the park. If several threads
publish, a cursor often takes several events at once. In the rows with one publish at a time each delivery is one take and one
park.

What more cores should give, by reasoning and not by measurement: between two publishes a thread writes only to cache lines of
its own. For each publish it reads three lines that the publisher wrote, copies one run, and locks the topic once, together about
1 us, while the other threads do the same. With 100 or more subscribers for each thread a delivery costs 0.1 to 0.2 us, so 8 cores
should give 6 to 7 times the deliveries of one core, and 16 cores 11 to 14 times. With 16 subscribers for each thread that 1 us is
a third of the work, and the publisher sets the pace: no gain beyond 3 or 4 cores. Publishes themselves stay serial, at 1 to 2
million a second for the whole hub, because they share one history. More than 16 threads share shards.
";

/// `storm` describes the measurements of a replay storm.
pub fn hub(out: &mut String, longest: &[(&str, f64)], storm: &str) -> io::Result<()> {
    out.push_str("\n| the longest publish while | µs |\n|---|---:|\n");
    for (name, longest) in longest {
        let _ = writeln!(out, "| {name} | {longest:.0} |");
    }
    let _ = writeln!(out, "\nReplay storm: {storm}");
    Ok(())
}

/// The comparison with the targets, one line each.
pub struct Targets(String);

impl Targets {
    pub fn new() -> Self {
        Self("\n| target | asked | measured | |\n|---|---:|---:|---|\n".to_owned())
    }

    pub fn at_most(&mut self, what: &str, asked: f64, measured: Option<f64>) {
        self.line(what, asked, measured, |measured| measured <= asked);
    }

    pub fn at_least(&mut self, what: &str, asked: f64, measured: Option<f64>) {
        self.line(what, asked, measured, |measured| measured >= asked);
    }

    /// Adds a line, unless the value was not measured.
    fn line(&mut self, what: &str, asked: f64, measured: Option<f64>, met: impl Fn(f64) -> bool) {
        let Some(measured) = measured.filter(|measured| measured.is_finite()) else { return };
        let met = if met(measured) { "met" } else { "**missed**" };
        let _ = writeln!(self.0, "| {what} | {asked} | {measured:.2} | {met} |");
    }

    pub fn into_table(self) -> String {
        self.0
    }
}

/// The table of two nodes, or a note that they were not measured.
pub fn nodes(out: &mut String, nodes: Option<&Nodes>) -> io::Result<()> {
    let Some(Nodes { ours, bare, ours_per_second, bare_per_second }) = nodes else {
        eprintln!("NOT RUN: two nodes, because there is no redis-server");
        out.push_str("\nNot run: there was no `redis-server`.\n");
        return Ok(());
    };
    let _ = writeln!(
        out,
        "\nFrom a publish on one node to a reader of the other, one after the other, {PUBLISHES} times, the two in turn; \
         wall time, engine and nodes on one machine.\n\n\
         | from one node to the other | p50 µs | p99 µs |\n|---|---:|---:|\n\
         | **`publish` to a reader's body** | {:.0} | {:.0} |\n\
         | `XADD` to `XREAD BLOCK`, bare | {:.0} | {:.0} |",
        ours.0, ours.1, bare.0, bare.1
    );
    let readers = 2 * READERS;
    let _ = writeln!(
        out,
        "\n| {EVENTS} events of 100 B by {PUBLISHERS} publishers, as fast as it goes | events/s | deliveries/s |\n\
         |---|---:|---:|\n\
         | **two nodes, {readers} readers** | {ours_per_second:.0} | {:.0} |\n\
         | `XADD` and two `XREAD BLOCK`, bare | {bare_per_second:.0} | {:.0} |",
        ours_per_second * readers as f64,
        bare_per_second * 2.0,
    );
    Ok(())
}

/// The targets of what is measured in ns.
pub fn targets(lines: &mut Targets, figures: &[&Figure]) {
    let ratio = |task: &str, contender: &str| {
        let ours = figures.iter().find(|figure| figure.task.contains(task) && figure.contender.contains(contender))?;
        let peers = figures.iter().filter(|figure| figure.is_peer && figure.task == ours.task);
        Some(ours.ns? / peers.filter_map(|figure| figure.ns).min_by(f64::total_cmp)?)
    };
    for (what, asked, task, contender) in [
        ("encode into a stream, JSON of 160 B, of the fastest peer", 0.5, "encode: JSON", "Sse::stream"),
        ("encode into a stream, 4 KiB in 64 lines", 0.7, "encode: HTML", "Sse::stream"),
        ("encode into a stream, 64 KiB", 0.95, "encode: one line", "Sse::stream"),
        ("encode into a `Frame`, JSON of 160 B", 0.7, "encode: JSON", "Frame"),
        ("encode a variant of an enum, of `Event::json`", 1.05, "encode: a payload", "enum"),
        ("decode JSON of 160 B, id and type", 0.5, "decode: JSON, 160 B, id", "Decoder::decode"),
        ("decode JSON of 160 B, data alone", 0.5, "decode: JSON, 160 B, data", "Decoder::decode"),
        ("decode 4 KiB in 64 lines", 0.5, "decode: HTML", "Decoder::decode"),
        ("decode 64 KiB", 1.0, "decode: one line", "Decoder::decode"),
        ("decode a recorded stream", 0.5, "decode: recorded", "Decoder::decode"),
    ] {
        lines.at_most(what, asked, ratio(task, contender));
    }
    let publish = |contender: &str| figures.iter().find(|figure| figure.contender.contains(contender))?.ns;
    let beside = publish("100,000 parked on 1,000").zip(publish("no cursor")).map(|(busy, idle)| busy / idle);
    lines.at_most("publish beside 100,000 parked cursors of other topics, of none", 1.2, beside);
    let set = publish("set a key").zip(publish("no cursor")).map(|(set, publish)| set / publish);
    lines.at_most("set a key of 10,000 in a state topic, of a publish", 1.3, set);
}
