//! The OpenAPI document: what is committed is what is served, and every example in it is true.
//!
//! With the variable `WINTAG_BLESS` set, the test writes the answers of the examples and the
//! document anew; build and run it twice then, because the examples are part of the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::service::{Service, get, post};
use crate::support::still_service::StillService;

/// Where the file is in the repository.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("openapi").join(name)
}

fn is_blessing() -> bool {
    std::env::var_os("WINTAG_BLESS").is_some()
}

/// A registry address where nobody listens: port 9 is the discard service, long gone everywhere.
const UNREACHABLE: &str = "127.0.0.1:9";

#[tokio::test]
async fn the_committed_document_is_the_served_one() {
    let service = Service::offline();
    let served = service.get("/openapi.json").await;
    assert_eq!(served.header("content-type"), "application/json");
    if is_blessing() {
        fs::write(file("openapi.json"), &served.text).expect("the repository is writable");
    }
    let committed = fs::read_to_string(file("openapi.json")).expect("it is committed");
    assert!(
        committed == served.text,
        "openapi/openapi.json is not what is served; run the test with WINTAG_BLESS=1"
    );
}

#[tokio::test]
async fn every_example_is_a_true_answer() {
    let offline = StillService::start();
    let unreachable = Service::mirrored(UNREACHABLE, &[]);
    let text = fs::read_to_string(file("examples.json")).expect("it is committed");
    let mut examples: Vec<Value> = serde_json::from_str(&text).expect("it is JSON");
    let mut wrong = Vec::new();
    for example in &mut examples {
        let request = example["request"].as_str().expect("a request").to_owned();
        let address = if example["server"] == "unreachable" {
            unreachable.address()
        } else {
            offline.address()
        };
        let answer = match example.get("sent") {
            Some(body) => post(address, &request, body).await,
            None => get(address, &request).await,
        };
        let body =
            serde_json::from_str(&answer.text).unwrap_or_else(|_| Value::from(answer.text.clone()));
        assert_eq!(example["status"], answer.status.as_u16(), "{request}: {}", answer.text);
        if body != example["body"] {
            wrong.push(request);
            example["body"] = body;
        }
    }
    if is_blessing() {
        let text = serde_json::to_string_pretty(&examples).expect("it is JSON") + "\n";
        fs::write(file("examples.json"), text).expect("the repository is writable");
    } else {
        assert!(
            wrong.is_empty(),
            "not what the service answers; run the test with WINTAG_BLESS=1 twice: {wrong:#?}"
        );
    }
}

#[tokio::test]
async fn everything_is_described() {
    let document = Service::offline().json("/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut silent = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let at = format!("{method} {path}");
            let mut need = |value: &Value, what: String| {
                if value.as_str().is_none_or(str::is_empty) {
                    silent.push(what);
                }
            };
            need(&operation["summary"], format!("{at}: summary"));
            need(&operation["description"], format!("{at}: description"));
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                need(&parameter["description"], format!("{at}: {}", parameter["name"]));
                // What must be given shows what it looks like; the rest shows it in its text,
                // because Swagger UI would fill in an example that nobody asked
                // for.
                let has_example = !parameter["example"].is_null();
                assert!(
                    has_example || parameter["required"] != true,
                    "{at}: {} has no example",
                    parameter["name"]
                );
            }
            for (status, response) in operation["responses"].as_object().expect("responses") {
                need(&response["description"], format!("{at}: {status}"));
            }
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        for (field, described) in schema["properties"].as_object().into_iter().flatten() {
            // A field that may be null says it beside the reference to its type.
            let choices = described["oneOf"].as_array().into_iter().flatten();
            let says =
                |value: &Value| value["description"].as_str().is_some_and(|text| !text.is_empty());
            if !says(described) && !choices.into_iter().any(says) {
                silent.push(format!("{name}.{field}"));
            }
        }
    }
    assert!(silent.is_empty(), "not described: {silent:#?}");
}

#[tokio::test]
async fn every_operation_has_an_example_of_what_it_answers() {
    let document = Service::offline().json("/openapi.json").await;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let operations =
            ["get", "post"].iter().filter_map(|method| item[method]["responses"].as_object());
        for (status, response) in operations.flatten() {
            // What needs a broken registry is shown once, on /check; what no example can ask for is
            // not shown.
            let is_shown_once =
                ["406", "502", "503", "504"].contains(&status.as_str()) && path != "/check";
            for content in
                response["content"].as_object().into_iter().flat_map(|content| content.values())
            {
                let has = !content["examples"].is_null() || !content["example"].is_null();
                let not_shown =
                    ["406", "408", "413", "414", "415", "429", "431", "500", "502", "504"]
                        .contains(&status.as_str());
                let explained = is_shown_once || not_shown || path == "/openapi.json";
                assert!(has || explained, "{path} {status} has no example");
            }
        }
    }
}

#[tokio::test]
async fn every_problem_is_described_where_it_can_happen() {
    let document = Service::offline().json("/openapi.json").await;
    let statuses = |path: &str| -> BTreeSet<String> {
        let responses = document["paths"][path]["get"]["responses"].as_object().expect("responses");
        responses.keys().cloned().collect()
    };
    for path in ["/resolve", "/check", "/tags", "/renovate", "/badge"] {
        let all: BTreeSet<String> = [
            "200", "304", "400", "403", "404", "406", "413", "414", "429", "431", "500", "502",
            "503", "504",
        ]
        .map(str::to_owned)
        .into();
        assert_eq!(statuses(path), all, "{path}");
    }
}
