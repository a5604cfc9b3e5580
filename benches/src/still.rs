//! A runtime whose clock stands still, so that no clock is measured by accident.

use sse_core::{Accepted, Policy, Random, Request, Runtime, Sse, Timer};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

#[derive(Clone)]
pub struct Still(Arc<(Instant, Random)>);

impl Still {
    pub fn new() -> Self {
        Self(Arc::new((Instant::now(), Random::from_seed([7; 32]))))
    }

    pub fn sse(&self) -> Sse<Self> {
        Sse::new(self.clone(), admitted())
    }
}

pub fn admitted() -> Accepted {
    Policy::default().check(&Request::new("GET", None, [])).expect("a request that may open a stream")
}

impl Runtime for Still {
    type Timer = Never;

    fn now(&self) -> Instant {
        self.0.0
    }

    fn wall(&self) -> std::time::SystemTime {
        std::time::SystemTime::UNIX_EPOCH
    }

    fn timer(&self) -> Never {
        Never
    }

    fn random(&self) -> &Random {
        &self.0.1
    }
}

pub struct Never;

impl Timer for Never {
    fn poll_at(self: Pin<&mut Self>, _: Instant, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
