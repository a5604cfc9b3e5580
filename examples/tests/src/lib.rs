//! The suites of the examples and of the documents. `cargo test -p sse-examples --doc` compiles and runs the Rust code in
//! the documents.

#[cfg(doctest)]
mod documents {
    macro_rules! documents {
        ($($name:ident $file:literal)*) => {$(#[doc = include_str!($file)] struct $name;)*};
    }

    documents! {
        Readme "../../../README.md"
        CoreCrate "../../../sse-core/README.md"
        AxumCrate "../../../sse-axum/README.md"
        ActixCrate "../../../sse-actix/README.md"
        WarpCrate "../../../sse-warp/README.md"
        RedisCrate "../../../sse-redis/README.md"
        ClientCrate "../../../sse-client/README.md"
        RunsCrate "../../../sse-runs/README.md"
        DeriveCrate "../../../sse-derive/README.md"
        ServeCrate "../../../sse-serve/README.md"
        Actix "../../../docs/actix.md"
        Authentication "../../../docs/authentication.md"
        Axum "../../../docs/axum.md"
        Cancelling "../../../docs/cancelling.md"
        Compression "../../../docs/compression.md"
        Cors "../../../docs/cors.md"
        Dialects "../../../docs/dialects.md"
        EndedTopics "../../../docs/ended-topics.md"
        Deploys "../../../docs/deploys.md"
        ManyConnections "../../../docs/many-connections.md"
        Migrating "../../../docs/migrating.md"
        Progress "../../../docs/progress.md"
        Post "../../../docs/post.md"
        Runs "../../../docs/runs.md"
        RustClient "../../../docs/rust-client.md"
        Snapshots "../../../docs/snapshots.md"
        State "../../../docs/state.md"
        Testing "../../../docs/testing.md"
        TypedEvents "../../../docs/typed-events.md"
        Warp "../../../docs/warp.md"
    }
}
