//! wintag: which tag of a Windows base image runs on a Windows host, and in which isolation mode.
//!
//! This page is the architecture: what the parts are, what each may know, and why. What the program
//! does for its users is in `README.md`.
//!
//! # The house
//!
//! One package: a library and one thin binary. The rooms are the modules below, named after what
//! they know. Arrows are `use`, and they only point down.
//!
//! ```text
//!  main ──▶ cli ──▶ app                   app builds everything, and starts and stops it
//!            │       │
//!            │       ├───────────┐
//!            │       ▼           ▼
//!            │     http       config      http: routes and handlers; config: the settings, checked
//!            │       │
//!            ▼       ▼
//!            └────▶ api                   the JSON on the wire, the same for http and cli
//!                    │
//!                    ▼
//!                 answers                 the use cases: where facts meet the rule
//!                    │
//!                    ├───────────┐
//!                    ▼           ▼
//!                catalogue   platforms    catalogue: what each repository holds, and since when that is known;
//!                    │           │        platforms: answers in the words of pipelines and clusters
//!                    ▼           │
//!                registry        │        the only way out
//!                    │           │
//!                    ├───────────┘
//!                    ▼
//!                 images ──▶ windows      names and tags; builds, releases, patches, the rule
//! ```
//!
//! A room may also use what is further down than the next one: `answers` uses `platforms`, `images`
//! and `windows`, `config` makes values of `registry`, `images` and `windows`. Beside the picture
//! stands `clock`, the one place that reads the time. The whole list of arrows is `ROOMS` in
//! `tests/tidy.rs`, which fails on any other.
//!
//! | room | knows | must not name |
//! |---|---|---|
//! | [`windows`] | versions, releases, patches, host texts, the compatibility rule. Values in, values out | I/O, the clock, actix, reqwest, moka, tokio, tracing |
//! | [`images`] | references, families, the tag grammar, digests | the same |
//! | [`platforms`] | what other tools print and want to be told, in their own words: shells, build systems, Docker, clusters, updaters. Values in, text out | the same |
//! | [`registry`] | how a registry is asked, and what may be asked of whom. Returns our types, never those of a client library | actix, moka |
//! | [`catalogue`] | freshness: memory, the embedded data, one fetch at a time | actix, reqwest, the OCI crate |
//! | [`answers`] | the use cases. The decision is a pure function of the question, the facts and the date | actix, reqwest |
//! | [`api`] | the types on the wire, with serde and utoipa, and how parameters are read. Their doc comments are the reference that the OpenAPI document shows | actix, reqwest, tokio |
//! | [`http`] | one file for each endpoint, a handler of a few lines; media types, caching headers, Swagger UI | reqwest, moka |
//! | [`config`] | options, variables and the file, and which of them wins | actix, reqwest |
//! | [`app`] | how the parts are put together | |
//! | [`cli`] | the commands, and the exit statuses | |
//! | [`clock`] | what the time is | actix, reqwest, tokio |
//!
//! # The way of a request
//!
//! `GET /resolve?image=microsoft/nanoserver&host=16299`, from the socket to the answer:
//!
//! 1. `http/transport.rs` lies between the connection and actix's HTTP, which reads the request;
//!    what that refuses by itself leaves as a problem. `http/door.rs` stands before all handlers.
//!    `http/clients.rs` refuses who takes more than a share, `http/guard.rs` what is too large. Who
//!    asks what was answered within the last second gets those bytes again, out of `http/ready.rs`,
//!    and the way ends here. `http/mod.rs` has the route, and `http/resolve.rs` the handler: read,
//!    ask, reply.
//! 2. `api/params.rs` takes the query apart and notes all that is wrong; `api/reading.rs` makes
//!    domain types of the rest. `images/family.rs` turns the image into a repository,
//!    `windows/host.rs` the host text into a build. From here on nothing is text that still has to
//!    be checked. The command line enters here too, with its options as the same pairs of names and
//!    values.
//! 3. `answers/resolve.rs` asks the catalogue for the tags of the repository.
//! 4. `catalogue/lookups.rs` looks in its cache (`catalogue/cache.rs`). Fresh tags are returned at
//!    once. Otherwise a task of its own fetches them (`catalogue/fetch.rs`), and all callers that
//!    want the same wait for that one flight (`catalogue/single_flight.rs`).
//! 5. `registry/tags.rs` follows the pages of the list; `registry/upstream.rs` makes each exchange:
//!    credentials (`registry/auth`), redirects, deadlines. `registry/circuit.rs` decides whether a
//!    request may be sent now. `registry/egress` is the client, with the caps on size.
//! 6. Each tag is read once, when the list arrives (`catalogue/tags.rs`, by the grammar of
//!    `images/tag.rs`). When the registry is silent, older tags answer, and at last those of
//!    `catalogue/embedded.rs`: an outage is a value of `Freshness`, not a special case.
//! 7. `answers/decide.rs` decides: `answers/lineup.rs` sorts the tags by build and form,
//!    [`windows::verdict`] says which builds run, and the result is a list of candidates in the
//!    order of preference.
//! 8. Back in `answers/resolve.rs`, the manifest of the first candidate is read by a cache too.
//!    Where it contradicts the name of the tag, the registry is believed; an image that does not
//!    run then is passed over for the next candidate.
//! 9. `api/resolve.rs` turns the resolution into the object on the wire or, by
//!    `platforms/formats.rs`, into the text that was asked for, or `api/problem.rs` the refusal
//!    into a problem with its status; `http/reply.rs` writes it with its headers.
//!
//! # Invariants
//!
//! **Architecture invariant:** `windows` and `images` do no I/O and read no clock. They cannot fail
//! for any reason but their input, and never panic on it.
//!
//! **Architecture invariant:** [`windows::verdict`] is the only implementation of the compatibility
//! rule. Every endpoint and the command line ask it.
//!
//! **Architecture invariant:** every outgoing request is made in `registry`. So the list of allowed
//! registries, the rules for credentials, the caps and the deadlines hold for all of them.
//!
//! **Architecture invariant:** only `clock` reads the wall clock. What the answers stand on, ages
//! and dates, is reckoned from a `now` that is an argument. Ages are measured on the monotonic
//! clock; the wall clock is for dates of support and for display. The registry room times its own
//! exchanges and the HTTP room its requests, which no answer shows.
//!
//! **Architecture invariant:** the HTTP status of a problem is chosen in one `match`, in
//! `api/problem.rs`. No room below knows with which status we answer.
//!
//! **Architecture invariant:** nothing that a registry says is taken on trust. Digests are computed
//! from the bytes received, text is bounded and printable, and sizes and counts have caps.
//!
//! **Architecture invariant:** three sets of types. Those of the domain, those on the wire (`api`),
//! and the rows of the tables are never the same type, so that each can change without the others.
//!
//! **Architecture invariant:** with no network and no configuration, the program starts and
//! answers.
//!
//! # Decisions
//!
//! - **Decide in pure code, fetch outside.** The hard part, the choice, is a function of values. It
//!   is tested with tables and needs neither server nor runtime.
//! - **One rule on numbers.** The rule works on build and revision and not on the rows of a table,
//!   so that a build which nobody has heard of gets an answer too. Tables add names and dates.
//! - **No mocks, and no trait with one implementation.** The tests run the real program against a
//!   real registry, and the client against a server that misbehaves.
//! - **Facts are data.** Releases, patches, families and tags are CSV files, each row with its
//!   source, embedded and read once at start. Who knows Windows and no Rust can add a row.
//! - **Freshness is ours; moka only bounds the memory.** Whether a fact is fresh, stale or gone is
//!   arithmetic on two moments, tested with a clock that stands still. A cache that drops entries
//!   by age could not give the stale answer that an outage needs.
//! - **A single flight runs in a task of its own.** A client that hangs up does not stop the fetch
//!   that others wait for, and its outcome, good or bad, reaches all of them once. The ready-made
//!   functions of moka do one or the other: one repeats a failed fetch for each waiter, the other
//!   starts over when its first caller is dropped.
//! - **A circuit breaker for each registry.** It opens after several consecutive failures or when
//!   the registry asks for a pause. A rate limiter, a limit of concurrent requests and a retry
//!   budget stand beside it, and failures stay in a negative cache for a short time.
//! - **Ready answers last a second.** Under load nearly all answers are given again as they are. A
//!   second is short enough that nothing must tell them of a fact that changed: no links between
//!   layers, and no answer that is kept by mistake.
//! - **No Cargo features.** What is optional is switched when the program runs: one binary, one
//!   tested form.
//!
//! # Where to add things
//!
//! - *The patches of a month*: rows of `windows/data/kb.csv`; the steps are in
//!   `windows/data/README.md`.
//! - *A Windows release*: a row of `windows/data/releases.csv`, with the words that its tags use. A
//!   long-term release also goes into `STABLE_LONG_TERM_BUILDS` in `windows/builds.rs`, where it
//!   moves the floor.
//! - *A family of images*: a row of `images/data/families.csv`, and what is known of its tags in
//!   `images/data/catalogue.csv`. A new form of tag is a case of the grammar in `images/tag.rs`.
//! - *An error text*: a row of `platforms/diagnosis/data/errors.csv`, and the text in
//!   `tests/data/diagnosis`. A new cause is also a case of `platforms/diagnosis/cause.rs`, and its
//!   remedies are chosen in `answers/diagnose/by_cause.rs`.
//! - *A reason of the rule*: a case of `windows/reason.rs` (code, sentence, source), given in
//!   `windows/compat.rs`. What is not of the rule is a function of `answers/remark.rs`.
//! - *A format of `/resolve`*: a case of `TextFormat` in `platforms/formats.rs`, its word and its
//!   line in the doc comment of `api/resolve.rs`, its bytes in `tests/it/formats.rs`, and the tool
//!   that reads it in `tests/formats-check`.
//! - *An endpoint*: the use case in `answers`, its types in `api`, its handler in a file of `http`,
//!   a line in `ROUTES` and among the routes of `http/mod.rs` and one among the paths of
//!   `http/document.rs`; examples for `openapi/examples.json` and for the README. Tests fail until
//!   all of that is there.
//! - *A metric*: `telemetry/metrics.rs`, where all names are; the words of its labels in
//!   `telemetry/labels.rs`. The README's table is written as that of the settings.
//! - *A setting*: `config/args.rs` and `config/file.rs`, and the README's table, which
//!   `WINTAG_BLESS=1 cargo test --test it readme` writes.

// In reading order, from the bottom up.

pub mod words;
pub mod windows;
pub mod images;
pub mod platforms;
pub mod clock;
pub mod telemetry;
pub mod registry;
pub mod catalogue;
pub mod answers;
pub mod api;
pub mod http;
pub mod config;
pub mod app;
pub mod cli;

/// The door for the fuzz targets (`tests/fuzz`) to the parsers that are private. It is in no
/// ordinary build.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::catalogue::check_snapshot as snapshot;
    pub use crate::registry::fuzzing::*;
}
