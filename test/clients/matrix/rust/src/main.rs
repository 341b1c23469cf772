//! tokio-postgres in the driver matrix. `scripts/compatibility.ts` builds and starts this, and reads what it prints.

mod bench;
mod bulk;
mod errors;
mod session;
mod statements;
mod transactions;
mod values;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bench::{Bench, Failure};
use serde_json::{Value, json};

/// What was seen, which must be the same for both targets.
pub type Seen = Result<Value, Failure>;
type Running<'a> = Pin<Box<dyn Future<Output = Seen> + 'a>>;
pub type Feature = (&'static str, for<'a> fn(&'a Bench) -> Running<'a>);

/// Names an async function as a feature.
#[macro_export]
macro_rules! feature {
    ($name:literal, $function:path) => {
        ($name, |bench| Box::pin($function(bench)))
    };
}

const FEATURE_TIME: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let groups = [
        statements::FEATURES,
        errors::FEATURES,
        transactions::FEATURES,
        session::FEATURES,
        bulk::FEATURES,
        values::FEATURES,
    ];
    for (name, run) in groups.concat() {
        for target in ["direct", "proxy"] {
            let bench = Bench::new(target);
            let outcome = tokio::time::timeout(FEATURE_TIME, run(&bench)).await;
            let (result, detail) =
                match outcome.unwrap_or_else(|_| Err(Failure::of("nothing for 30 s"))) {
                    Ok(seen) => ("ok", seen.to_string()),
                    Err(Failure::Unsupported(why)) => ("unsupported", why.to_owned()),
                    Err(failure) => ("fail", failure.to_string()),
                };
            let report = json!({
                "driver": "tokio-postgres", "version": version(), "target": target,
                "feature": name, "result": result, "detail": detail,
            });
            println!("{report}");
        }
    }
}

/// The driver does not know its own version; the lock file does.
fn version() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let entry = lock
        .split("[[package]]")
        .find(|one| one.contains("name = \"tokio-postgres\"\n"));
    entry.and_then(|one| one.split('"').nth(3)).unwrap_or("?")
}
