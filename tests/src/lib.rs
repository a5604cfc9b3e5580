//! The conformance kit: one suite for servers of Server-Sent Events, and the server that runs our own adapters.
//!
//! - [`cases`]: the suite. A [`Case`] has a group, a name, and a promise with the source of the promise. A failure
//!   shows the bytes. A case knows only an address, so every server that implements the contract can be judged.
//! - [`client`]: HTTP/1 with every byte in sight, and HTTP/2. [`Target`] is a server as these clients see one.
//! - [`hazards`]: how such servers break, and which tests show that this one does not.
//! - [`load`]: many clients at once, some of which do not read.
//! - [`probe`]: judges one stream of any server, which need not implement the contract.
//! - [`process`]: starts and stops a server.
//! - [`Report`]: the outcomes of cases against one server, for people and for programs.
//! - [`server`]: our own servers, one for each adapter.

mod case;
pub mod cases;
pub mod client;
mod failure;
mod group;
pub mod hazards;
pub mod load;
pub mod probe;
pub mod process;
mod report;
pub mod server;
mod target;

pub use case::{Case, OnBoth, Run, Subject};
pub use failure::{Failure, Verdict};
pub use group::Group;
pub use report::{Outcome, Report, Row};
pub use target::{About, State, Target, set_patience};
