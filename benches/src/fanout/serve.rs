//! A server process: one core, one event stream at `/`, and commands on standard input.

use super::{load, raw, web};
use clap::ValueEnum;
use futures_util::future::LocalBoxFuture;
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use sse_core::hub::EventId;
use std::io::{self, BufRead};
use std::net::TcpListener;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

/// The kind of server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Debug)]
pub enum Kind {
    AxumOurs,
    AxumWindow,
    AxumServe,
    AxumRecipe,
    AxumFloor,
    WarpOurs,
    WarpRecipe,
    WarpFloor,
    ActixOurs,
    ActixRecipe,
    ActixFloor,
    Core,
    Raw,
}

impl Kind {
    pub const fn is_ours(self) -> bool {
        matches!(
            self,
            Self::AxumOurs | Self::AxumWindow | Self::AxumServe | Self::WarpOurs | Self::ActixOurs | Self::Core
        )
    }

    pub const fn is_floor(self) -> bool {
        matches!(self, Self::AxumFloor | Self::WarpFloor | Self::ActixFloor)
    }

    /// The name in the tables.
    pub const fn title(self) -> &'static str {
        match self {
            Self::AxumOurs => "axum, ours",
            Self::AxumWindow => "axum, ours, a window of 40 ms",
            Self::AxumServe => "axum on sse-serve, ours",
            Self::AxumRecipe => "axum, `Sse` + tokio broadcast",
            Self::AxumFloor => "axum, floor",
            Self::WarpOurs => "warp, ours",
            Self::WarpRecipe => "warp, `sse` + tokio broadcast",
            Self::WarpFloor => "warp, floor",
            Self::ActixOurs => "actix-web, ours",
            Self::ActixRecipe => "actix-web, actix-web-lab `sse` + channels",
            Self::ActixFloor => "actix-web, floor",
            Self::Core => "core alone, on epoll",
            Self::Raw => "a bare epoll loop",
        }
    }
}

/// Keeps this process on one core, if the machine has that core.
pub fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    let _ = sched_setaffinity(None, &cores);
}

/// Lets this process open as many sockets as the system allows.
pub fn many_sockets() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Serves the topics `0`, `1` and so on. Every stream follows all of them.
pub fn run(kind: Kind, topics: usize) -> io::Result<()> {
    pin(0);
    many_sockets();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    // A backlog for many clients at once.
    rustix::net::listen(&listener, 4096)?;
    println!("{}", listener.local_addr()?.port());
    let topics = (0..topics.max(1)).map(|topic| topic.to_string()).collect();
    match kind {
        Kind::Core => raw::core(listener, topics),
        Kind::Raw => raw::bare(listener),
        _ => web::serve(kind, listener, topics),
    }
}

/// The commands of a server.
#[derive(Clone, Copy)]
pub enum Task {
    /// Answered by `published`, and the ID of the last event if there is one.
    Publish { events: usize, every: Duration, bytes: usize },
    /// Answered by CPU time in ns.
    Cpu,
}

impl Task {
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        match words.next()? {
            "cpu" => Some(Self::Cpu),
            "publish" => {
                let mut number = || words.next()?.parse::<usize>().ok();
                let (events, every, bytes) = (number()?, number()?, number()?);
                Some(Self::Publish { events, every: Duration::from_micros(every as u64), bytes })
            }
            _ => None,
        }
    }
}

pub fn say_published(id: Option<EventId>) {
    println!("published {}", id.map(|id| id.to_string()).unwrap_or_default());
}

/// The machine's monotonic clock, the same in every process.
pub fn now_ns() -> u64 {
    ns(ClockId::Monotonic)
}

/// CPU time of this process, in ns.
pub fn cpu_ns() -> u64 {
    ns(ClockId::ProcessCPUTime)
}

fn ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The commands as they arrive. The thread that reads them sleeps otherwise.
fn tasks() -> mpsc::UnboundedReceiver<Task> {
    let (send, receive) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let lines = io::stdin().lock().lines().map_while(Result::ok);
        lines.filter_map(|line| Task::parse(&line)).try_for_each(|task| send.send(task))
    });
    receive
}

/// Publishes an event of this number.
pub type Publish = Box<dyn FnMut(usize, String) -> LocalBoxFuture<'static, Option<EventId>>>;

/// Runs the commands of standard input, on the runtime that serves.
pub async fn obey(mut publish: Publish) {
    let mut tasks = tasks();
    let mut next = 0;
    while let Some(task) = tasks.recv().await {
        let Task::Publish { events, every, bytes } = task else {
            println!("{}", cpu_ns());
            continue;
        };
        let mut clock = (!every.is_zero()).then(|| interval(every));
        let mut last = None;
        for number in next..next + events {
            if let Some(clock) = &mut clock {
                clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
                clock.tick().await;
            }
            last = publish(number, load::payload(number, bytes)).await;
        }
        next += events;
        say_published(last);
    }
}
