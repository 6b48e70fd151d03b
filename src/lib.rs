//! wintag: which tag of a Windows base image runs on a Windows host, and in which isolation mode.
//!
//! This page is the architecture: the rooms, what each may know, and why. `README.md` describes the
//! program for its users; `CONTRIBUTING.md` describes how to change it.
//!
//! # The house
//!
//! One package: a library and one thin binary. The rooms are the modules below, named after what
//! they know. Arrows are `use`. They only point down, between rooms and between the files of a
//! room.
//!
//! ```text
//!  main ─▶ cli ─▶ app            app: starts and stops all parts
//!           │      │             cli: commands and exit statuses
//!           │      ├─────────┐
//!           │      ▼         ▼
//!           │     http     config      http: routes, middleware, connections, replies
//!           │      │         │         config: settings, from options, variables and the file
//!           └──┬───┘         │
//!              ▼             │
//!             api            │         api: what callers send, and shapes of their own
//!              │             │
//!              ▼             │
//!           answers          │         answers: the use cases, where facts meet the rule
//!              │             │
//!         ┌────┼─────┐       │
//!         ▼    │     ▼       │
//!     catalogue│ platforms   │         catalogue: facts and their freshness
//!         │    ▼     │       │         platforms: the words of other tools
//!         │  audit   │       │         audit: the images that files name
//!         │          │       │
//!         ├──────────┼──▶ telemetry    telemetry: logs, traces and metrics
//!         │          │       │         facts: updates that Microsoft publishes; app runs it
//!         ▼          │       │
//!     registry ◀─────┼───────┘         registry: every outgoing request
//!         │          │
//!         └────┬─────┘
//!              ▼
//!           images ─▶ windows          images: references and tags
//!                                      windows: releases, updates and the rule
//! ```
//!
//! A room may also use rooms further down. Two stand beside the picture: `clock`, the only reader
//! of the wall clock, and `words`, the declaration of closed sets of words, which every room may
//! use. `ROOMS` in `tests/tidy.rs` lists all arrows; the test fails on any other.
//!
//! | room | knows | must not name |
//! |---|---|---|
//! | [`windows`] | versions, releases, updates, host texts, the rule | I/O, the clock |
//! | [`images`] | references, families, the tag grammar, digests | the same |
//! | [`platforms`] | shells, build systems, Docker, clusters, updaters, badges | the same |
//! | [`audit`] | files and the images they name | the same, but for files |
//! | [`registry`] | how to query a registry, and what may be sent to whom | actix, moka |
//! | [`facts`] | where updates are published, and how much to believe it | actix, moka |
//! | [`catalogue`] | cache, single flight, snapshot, history | actix, reqwest, the OCI crate |
//! | [`answers`] | the use cases; the choice is a pure function | actix, reqwest |
//! | [`api`] | parameters, bodies, problems, shapes of its own | actix, reqwest, tokio |
//! | [`http`] | the route table, handlers of a few lines, caching headers | reqwest, moka |
//! | [`telemetry`] | the names of metrics and labels, spans, the form of logs | |
//! | [`config`] | settings and their precedence | actix, reqwest |
//! | [`app`] | how the parts are put together | |
//! | [`cli`] | the commands and the exit statuses | |
//! | [`clock`] | the time | actix, reqwest, tokio |
//!
//! # The way of a request
//!
//! `GET /resolve?image=microsoft/nanoserver&host=16299`, from the socket to the answer:
//!
//! 1. `http/connections.rs` gives the connection a place, or closes it. `http/connection` lies
//!    between the socket and actix's HTTP, replaces its bare refusals with problems, and limits
//!    heads. `http/middleware` runs before all handlers: metrics and traces, the rate limiter,
//!    limits on the size of a request, and the response cache, which answers a question of the last
//!    second with the same bytes. `http/routes.rs` has the route and `http/handlers/resolve.rs` the
//!    handler. What takes long, such as a list of nodes, goes on in `http/background.rs`.
//! 2. `api/params.rs` splits the query and collects every problem in it; `api/reading.rs` makes
//!    domain types of the values: `images/family.rs` turns the image into a repository,
//!    `windows/host` the host text into a build. Nothing after this step validates text. The
//!    command line enters here too, with its options as the same pairs of names and values.
//! 3. `answers/resolve` asks the catalogue for the tags of the repository.
//! 4. `catalogue/lookups.rs` looks into its cache (`catalogue/cache.rs`) and returns fresh tags at
//!    once. Otherwise a task of its own fetches them (`catalogue/fetch.rs`), and all callers with
//!    the same key wait for that one flight (`catalogue/single_flight.rs`).
//! 5. `registry/tags.rs` follows the pages of the list; `registry/upstream.rs` makes each exchange:
//!    credentials (`registry/auth`), redirects, deadlines. `registry/circuit.rs` decides whether a
//!    request may be sent now. `registry/egress` is the client, with the limits on size.
//! 6. `catalogue/tags.rs` parses each tag once, when the list arrives, by the grammar of
//!    `images/tag.rs`. If the registry is unavailable, older tags are the fallback, and the
//!    embedded ones (`catalogue/embedded.rs`) the last: an outage is a value of `Freshness`, not a
//!    special case.
//! 7. `answers/resolve/selection.rs` selects: `candidates.rs` sorts the tags by build and form,
//!    [`windows::verdict`] decides which builds run, and the result is a plan with candidates in
//!    the order of preference.
//! 8. `answers/resolve` fetches the manifest of the first candidate through the cache. If it
//!    contradicts the name of the tag, the registry is right; a candidate that does not run then is
//!    skipped for the next one.
//! 9. The resolution serialises itself, or `platforms/formats.rs` writes it as text, or
//!    `api/refusals.rs` turns the refusal into a problem; `http/reply.rs` adds the headers.
//!
//! # Invariants
//!
//! **Architecture invariant:** `windows`, `images` and `platforms` do no I/O and read no clock.
//! They fail only because of their input, and never panic on it.
//!
//! **Architecture invariant:** [`windows::verdict`] is the only implementation of the compatibility
//! rule. Every endpoint and the command line use it.
//!
//! **Architecture invariant:** every outgoing request is made in `registry`, so that the list of
//! allowed registries, the rules for credentials, the limits and the deadlines hold for all of
//! them.
//!
//! **Architecture invariant:** only `clock` reads the wall clock. Ages and dates in answers are
//! computed from a `now` that is an argument. Ages are measured on the monotonic clock; the wall
//! clock serves dates of support and display. The registry room times its own exchanges and the
//! HTTP room its requests, which no answer shows.
//!
//! **Architecture invariant:** the table of `api/problem.rs` alone chooses the HTTP status of a
//! problem. No room below knows HTTP statuses.
//!
//! **Architecture invariant:** registries are not trusted. Digests are computed from the bytes
//! received, text is bounded and printable, and sizes and counts have limits.
//!
//! **Architecture invariant:** the answer of a use case is its JSON, unless `api` has a shape of
//! its own for it. The rows of the tables and the bytes of the snapshot are types of their own, so
//! that each can change without the others.
//!
//! **Architecture invariant:** without network and configuration, the program starts and answers.
//!
//! # Decisions
//!
//! - **Decide in pure code, fetch outside.** The choice, which is the hard part, is a function of
//!   values. Its tests are tables and need neither server nor runtime.
//! - **One rule on numbers.** The rule works on build and revision, not on the rows of a table, so
//!   that an unknown build has an answer too. Tables add names and dates.
//! - **No mocks, and no trait with one implementation.** The tests run the real program against a
//!   real registry, and the client against a misbehaving server.
//! - **Facts are data.** Releases, updates, families and tags are CSV files, each row with its
//!   source, embedded and parsed once. Adding a row needs knowledge of Windows, not of Rust.
//! - **Freshness is ours; moka only bounds the memory.** Fresh, stale or expired is arithmetic on
//!   two moments, tested with a fixed clock. A cache that evicts entries by age could not give the
//!   stale answer that an outage needs.
//! - **A single flight runs in a task of its own.** A client that disconnects does not stop the
//!   fetch that others wait for, and its result, good or bad, reaches all of them once. The
//!   ready-made functions of moka do one or the other: one repeats a failed fetch for each waiter,
//!   the other starts over when its first caller is dropped.
//! - **A circuit breaker for each registry, and for each of its repositories.** It opens after
//!   several consecutive failures or when the registry asks for a pause. Errors that may be due to
//!   a name that a client made up open the one of that repository only. A rate limiter, a limit of
//!   concurrent requests and a retry budget stand beside it, and failures stay in a negative cache
//!   for a short time.
//! - **One client has a share** of all that clients have in common: connections and unfinished
//!   heads (`http/connections.rs`), bodies (`http/room.rs`), requests to registries
//!   (`catalogue/caller.rs`). All limits add up to less than the memory of the deployment files.
//! - **The response cache keeps answers for a second.** Under load nearly all answers come from it.
//!   A second is short enough to need no invalidation.
//! - **No Cargo features.** Options are chosen at run time: one binary, one tested form.
//!
//! # Where to add things
//!
//! `CONTRIBUTING.md` has a table: for each kind of change, the files that it touches.

// In reading order, from the bottom up.

pub mod words;
pub mod windows;
pub mod images;
pub mod platforms;
pub mod audit;
pub mod clock;
pub mod telemetry;
pub mod registry;
pub mod facts;
pub mod catalogue;
pub mod answers;
pub mod api;
pub mod http;
pub mod config;
pub mod app;
pub mod cli;

/// Private parsers, for the fuzz targets (`tests/fuzz`). No ordinary build has them.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::catalogue::check_snapshot as snapshot;
    pub use crate::facts::fuzzing::*;
    pub use crate::http::fuzzing::*;
    pub use crate::registry::fuzzing::*;
}
