//! The routes on warp.

use crate::script::{Visits, play};
use sse_warp::{Error, Sse};
use std::io;
use std::sync::Arc;
use warp::{Filter, Reply, path};

pub(crate) fn start(listener: std::net::TcpListener) -> io::Result<()> {
    let visits = Arc::new(Visits::default());
    let page = path::end().map(|| warp::reply::html("parity"));
    let sse = path!("sse" / String).and(sse_warp::sse(())).and(warp::any().map(move || visits.clone())).map(sse);
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::spawn(warp::serve(page.or(sse)).incoming(listener).run());
    Ok(())
}

fn sse(route: String, sse: Sse, visits: Arc<Visits>) -> Result<impl Reply, Error> {
    let sse = sse.into_result()?;
    let sse = if route == "welcome" { sse.welcome() } else { sse };
    let (events, response) = sse.channel();
    play(route, visits.next(), events);
    Ok(response)
}
