//! A server process: one core, one event stream at `/`, and commands on standard input.

use super::{load, raw, web};
use clap::ValueEnum;
use futures_util::future::LocalBoxFuture;
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use std::io::{self, BufRead};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

/// What serves the stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Debug)]
pub enum Kind {
    AxumOurs,
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
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AxumOurs => "axum-ours",
            Self::AxumRecipe => "axum-recipe",
            Self::AxumFloor => "axum-floor",
            Self::WarpOurs => "warp-ours",
            Self::WarpRecipe => "warp-recipe",
            Self::WarpFloor => "warp-floor",
            Self::ActixOurs => "actix-ours",
            Self::ActixRecipe => "actix-recipe",
            Self::ActixFloor => "actix-floor",
            Self::Core => "core",
            Self::Raw => "raw",
        }
    }

    pub const fn is_floor(self) -> bool {
        matches!(self, Self::AxumFloor | Self::WarpFloor | Self::ActixFloor)
    }

    /// As the tables call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::AxumOurs => "axum, ours",
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

/// Keeps this process on one core, if the machine has it.
pub fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    let _ = sched_setaffinity(None, &cores);
}

pub fn run(kind: Kind) -> io::Result<()> {
    pin(0);
    match kind {
        Kind::Core => raw::core(),
        Kind::Raw => raw::bare(),
        _ => web::serve(kind),
    }
}

/// What a server is told.
#[derive(Clone, Copy)]
pub enum Task {
    Publish { events: usize, every: Duration, bytes: usize },
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

/// CPU time of this process, in ns.
pub fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Tasks as they come; the thread that reads them sleeps otherwise.
fn tasks() -> mpsc::UnboundedReceiver<Task> {
    let (send, receive) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let lines = io::stdin().lock().lines().map_while(Result::ok);
        lines.filter_map(|line| Task::parse(&line)).try_for_each(|task| send.send(task))
    });
    receive
}

/// Does what standard input says, on the runtime that serves.
pub async fn obey(mut publish: impl FnMut(String) -> LocalBoxFuture<'static, ()>) {
    let mut tasks = tasks();
    while let Some(task) = tasks.recv().await {
        match task {
            Task::Cpu => println!("{}", cpu_ns()),
            Task::Publish { events, every, bytes } if every.is_zero() => {
                for number in 0..events {
                    publish(load::payload(number, bytes)).await;
                }
                println!("published");
            }
            Task::Publish { events, every, bytes } => {
                let mut clock = interval(every);
                clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
                for number in 0..events {
                    clock.tick().await;
                    publish(load::payload(number, bytes)).await;
                }
                println!("published");
            }
        }
    }
}
