//! Runs on several nodes under a virtual clock, with a model of the server and seeded faults: clients that leave and change their
//! node, nodes that are killed, or paused and return, a server that restarts, and commands that arrive late or without a reply.
//!
//! `compare` executes random commands on the model and on a real server, and compares the replies and the logs.
//!
//! `SSE_RUNS_SEED=N` runs one world, and prints its faults.

#[cfg(feature = "redis")]
mod compare;
mod node;
mod random;
mod server;
mod tests;
mod world;
