//! The conformance kit: one suite for servers of Server-Sent Events, and the server that puts our own behind it.
//!
//! - [`cases`]: what is judged. A [`Case`] has a group, a name, the promise it checks with its source, and fails with
//!   the bytes it saw. It knows an address and nothing else, so it judges any server that speaks the contract.
//! - [`client`]: HTTP/1 down to the bytes, and HTTP/2. [`Target`] is a server seen through them.
//! - [`hazards`]: how such servers break, and which tests show that ours does not.
//! - [`load`]: many clients at once, some of which do not read.
//! - [`probe`]: judges one stream of any server, which need not know the contract.
//! - [`process`]: starts a server and stops it.
//! - [`Report`]: the run of cases against one server, as a person or a program reads it.
//! - [`server`]: our own servers, behind each adapter.

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
