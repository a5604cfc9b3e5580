//! The tables and the picture.

use crate::fanout::{Kind, Outcome};
use crate::measure::Figure;
use crate::nodes::{EVENTS, Nodes, PUBLISHERS, PUBLISHES, READERS};
use std::fmt::Write;
use std::io;

/// What a server gave: a burst, unless it is a floor, a paced feed, and bytes for an idle stream.
pub struct Server {
    pub kind: Kind,
    pub burst: Option<Outcome>,
    pub paced: Outcome,
    pub idle: f64,
}

/// A table for each task, every contender beside the fastest peer.
pub fn figures(out: &mut String, figures: &[Figure]) -> io::Result<()> {
    let mut tasks: Vec<&str> = figures.iter().map(|figure| figure.task.as_str()).collect();
    tasks.dedup();
    for task in tasks {
        let field = || figures.iter().filter(|figure| figure.task == task);
        let counted = field().any(|figure| figure.instructions.is_some());
        let fastest = field().filter(|figure| figure.is_peer).map(|figure| figure.ns).min_by(f64::total_cmp);
        // Without peers the first is the measure.
        let (against, title) = match fastest {
            Some(ns) => (Some(ns), "of the fastest peer"),
            None => (field().next().map(|figure| figure.ns), "of the first"),
        };
        let (head, rule) = if counted { (" instructions |", "---:|") } else { ("", "") };
        let _ = writeln!(out, "\n| {task} | ns | {title} |{head}\n|---|---:|---:|{rule}");
        for figure in field() {
            let ratio = figure.ns / against.unwrap_or(figure.ns);
            let name = if figure.is_peer || fastest.is_none() {
                figure.contender.to_owned()
            } else {
                format!("**{}**", figure.contender)
            };
            let _ = write!(out, "| {name} | {:.1} | {ratio:.2} |", figure.ns);
            match figure.instructions {
                Some(count) => drop(writeln!(out, " {count:.0} |")),
                None if counted => out.push_str(" |\n"),
                None => out.push('\n'),
            }
        }
    }
    Ok(())
}

/// `storm` says in words what a replay storm took.
pub fn hub(out: &mut String, threads: &[(&str, f64)], storm: &str) -> io::Result<()> {
    out.push_str("\n| publish, take and park at once | million deliveries a second |\n|---|---:|\n");
    for (name, millions) in threads {
        let _ = writeln!(out, "| {name} | {millions:.1} |");
    }
    let _ = writeln!(out, "\nReplay storm: {storm}");
    Ok(())
}

pub fn fanout(out: &mut String, servers: &[Server]) -> io::Result<()> {
    out.push_str(
        "\n| burst: 1,000 streams, 2,000 events of 100 B back to back | deliveries/s | server CPU, µs each | p50 ms | \
         p99 ms | lost |\n|---|---:|---:|---:|---:|---:|\n",
    );
    for (kind, burst) in servers.iter().filter_map(|server| Some((server.kind, server.burst?))) {
        let _ = writeln!(
            out,
            "| {} | {:.0} | {:.3} | {:.0} | {:.0} | {} |",
            kind.title(),
            burst.per_second,
            burst.cpu_us,
            burst.p50_ms,
            burst.p99_ms,
            burst.lost + burst.disordered
        );
    }
    out.push_str(
        "\nA floor yields the latest event alone: what it loses it was too slow for, and its CPU time counts what arrived.\n",
    );
    out.push_str(
        "\n| paced: 2,000 streams, an event each 40 ms | server CPU, µs a delivery | p50 ms | p99 ms | lost | idle stream, \
         bytes |\n|---|---:|---:|---:|---:|---:|\n",
    );
    for Server { kind, paced, idle, .. } in servers {
        let _ = writeln!(
            out,
            "| {} | {:.2} | {:.1} | {:.1} | {} | {idle:.0} |",
            kind.title(),
            paced.cpu_us,
            paced.p50_ms,
            paced.p99_ms,
            paced.lost + paced.disordered
        );
    }
    Ok(())
}

/// Two nodes, or that they were not measured.
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

/// How ours compares, a line for each target.
pub fn targets(out: &mut String, figures: &[&Figure], servers: &[Server]) -> io::Result<()> {
    out.push_str("\n| target | asked | measured | |\n|---|---:|---:|---|\n");
    let mut line = |what: &str, asked: f64, measured: Option<f64>, at_least: bool| {
        let Some(measured) = measured.filter(|measured| measured.is_finite()) else { return };
        let met = if at_least { measured >= asked } else { measured <= asked };
        let _ = writeln!(out, "| {what} | {asked} | {measured:.2} | {} |", if met { "met" } else { "missed" });
    };
    let ratio = |task: &str, contender: &str| {
        let ours = figures.iter().find(|figure| figure.task.contains(task) && figure.contender.contains(contender))?;
        let peers = figures.iter().filter(|figure| figure.is_peer && figure.task == ours.task);
        Some(ours.ns / peers.map(|figure| figure.ns).min_by(f64::total_cmp)?)
    };
    line("encode into a stream, JSON of 160 B, of the fastest peer", 0.5, ratio("encode: JSON", "Sse::stream"), false);
    line("encode into a stream, 4 KiB in 64 lines", 0.7, ratio("encode: HTML", "Sse::stream"), false);
    line("encode into a stream, 64 KiB", 0.95, ratio("encode: one line", "Sse::stream"), false);
    line("encode into a `Frame`, JSON of 160 B", 0.7, ratio("encode: JSON", "Frame"), false);
    line("decode JSON of 160 B, id and type", 0.5, ratio("decode: JSON, 160 B, id", "Decoder::decode"), false);
    line("decode JSON of 160 B, data alone", 0.5, ratio("decode: JSON, 160 B, data", "Decoder::decode"), false);
    line("decode 4 KiB in 64 lines", 0.5, ratio("decode: HTML", "Decoder::decode"), false);
    line("decode 64 KiB", 1.0, ratio("decode: one line", "Decoder::decode"), false);
    line("decode a recorded stream", 0.5, ratio("decode: recorded", "Decoder::decode"), false);
    let publish =
        |contender: &str| figures.iter().find(|figure| figure.contender.contains(contender)).map(|figure| figure.ns);
    let idle = publish("no cursor");
    line(
        "publish beside 100,000 parked cursors of other topics, of none",
        1.2,
        publish("100,000 parked on 1,000").zip(idle).map(|(busy, idle)| busy / idle),
        false,
    );
    let server = |kind| servers.iter().find(|server| server.kind == kind);
    for (name, burst, ours, recipe, floor) in [
        ("axum", 8.0, Kind::AxumOurs, Kind::AxumRecipe, Kind::AxumFloor),
        ("warp", 6.0, Kind::WarpOurs, Kind::WarpRecipe, Kind::WarpFloor),
        ("actix", 4.0, Kind::ActixOurs, Kind::ActixRecipe, Kind::ActixFloor),
    ] {
        let Some(((ours, recipe), floor)) = server(ours).zip(server(recipe)).zip(server(floor)) else { continue };
        let bursts = ours.burst.zip(recipe.burst);
        line(
            &format!("burst on {name}, times its recipe"),
            burst,
            bursts.map(|(ours, recipe)| ours.per_second / recipe.per_second),
            true,
        );
        line(&format!("paced on {name}, CPU of its floor"), 1.05, Some(ours.paced.cpu_us / floor.paced.cpu_us), false);
        line(&format!("paced on {name}, CPU of its recipe"), 1.0, Some(ours.paced.cpu_us / recipe.paced.cpu_us), false);
        line(&format!("idle stream on {name}, bytes above its floor"), 512.0, Some(ours.idle - floor.idle), false);
    }
    let core = server(Kind::Core).zip(server(Kind::Raw));
    line(
        "paced, the core alone, CPU of the bare loop",
        1.15,
        core.map(|(core, raw)| core.paced.cpu_us / raw.paced.cpu_us),
        false,
    );
    Ok(())
}

/// Bars of the burst: each framework's recipe, and ours on it.
pub fn picture(servers: &[Server]) -> String {
    let bars: Vec<(Kind, f64)> =
        servers.iter().filter_map(|server| Some((server.kind, server.burst?.per_second))).collect();
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
        let ours = matches!(kind, Kind::AxumOurs | Kind::WarpOurs | Kind::ActixOurs | Kind::Core);
        let class = if ours { "ours" } else { "other" };
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
