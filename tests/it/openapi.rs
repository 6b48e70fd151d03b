//! The OpenAPI document: the committed one is the served one, every example in it is true, and
//! clients of the released document still work.
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

/// A registry address without a listener: port 9 is the discard service, long gone everywhere.
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
                // because Swagger UI would fill in an example that the user did not ask
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

/// Only descriptions, examples, the order and the names of components may change; there may be more
/// of everything.
#[test]
fn clients_of_the_released_document_still_work() {
    let read = |name: &str| -> Value {
        let text = fs::read_to_string(file(name)).expect("it is committed");
        serde_json::from_str(&text).expect("it is JSON")
    };
    let (released, current) = (read("released/0.1.0.json"), read("openapi.json"));
    let (before, now) = (Contract::of(&released), Contract::of(&current));
    assert!(before.0.len() > 1000, "the contract has {} facts only", before.0.len());
    assert_eq!(broken(&before, &now), Vec::<&str>::new());

    // The comparison sees what it is for.
    let change = |pointer: &str, value: Option<Value>| {
        let mut changed = current.clone();
        let (parent, key) = pointer.rsplit_once('/').expect("it has a parent");
        let parent = changed.pointer_mut(parent).expect("it is there");
        let key = key.replace("~1", "/");
        match (parent, value) {
            (Value::Object(parent), None) => drop(parent.remove(&key).expect("it is there")),
            (Value::Object(parent), Some(value)) => drop(parent.insert(key, value)),
            (other, _) => panic!("{other} has no {key}"),
        }
        broken(&before, &Contract::of(&changed)).len()
    };
    let operation = "/paths/~1resolve/get";
    for (removed, expected) in [
        ("/paths/~1badge".to_owned(), true),
        (format!("{operation}/responses/404"), true),
        (format!("{operation}/responses/200/content/text~1plain"), true),
        (format!("{operation}/summary"), false),
        (format!("{operation}/responses/404/description"), false),
        ("/components/schemas/Resolution/properties/tag".to_owned(), true),
        ("/components/schemas/Freshness/properties/stale/type".to_owned(), true),
        ("/components/schemas/Isolation/enum".to_owned(), true),
    ] {
        assert_eq!(change(&removed, None) > 0, expected, "{removed}");
    }
    let schema = serde_json::json!({ "type": "string" });
    let parameters =
        serde_json::json!([{ "name": "x", "in": "query", "required": true, "schema": schema }]);
    assert!(change("/paths/~1livez/get/parameters", Some(parameters)) > 0, "a new requirement");
}

/// The facts of the released contract that no longer hold, and new requirements of requests.
fn broken<'c>(before: &'c Contract, now: &'c Contract) -> Vec<&'c str> {
    let missing = before.0.difference(&now.0);
    // What a new operation requires breaks no client.
    let is_of_old = |fact: &&String| {
        let operation = fact.split(' ').take(2).collect::<Vec<_>>().join(" ");
        before.0.iter().any(|known| known.starts_with(&format!("{operation}: operation ")))
    };
    let required = now.0.difference(&before.0).filter(|fact| fact.ends_with(REQUIRED));
    let required = required.filter(is_of_old);
    missing.filter(|fact| !accepts_more(fact)).chain(required).map(String::as_str).collect()
}

/// Whether the fact is a limit of a parameter that was widened: an image may have a tag.
fn accepts_more(fact: &str) -> bool {
    let calls = ["get /resolve", "get /badge", "post /kubernetes/nodes", "post /swarm/nodes"];
    calls.iter().any(|call| {
        ["pattern", "maxLength"].iter().any(|limit| {
            fact.starts_with(&format!("{call} \"query\" parameter \"image\": {limit} "))
        })
    })
}

/// The end of a fact that clients have to know before they send a request.
const REQUIRED: &str = "must be sent";

/// What clients rely on, as one line for each fact.
struct Contract(BTreeSet<String>);

impl Contract {
    fn of(document: &Value) -> Self {
        let mut contract = Self(BTreeSet::new());
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                contract.add_operation(document, &format!("{method} {path}"), operation);
            }
        }
        contract
    }

    fn add_operation(&mut self, document: &Value, at: &str, operation: &Value) {
        self.0.insert(format!("{at}: operation {}", operation["operationId"]));
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let at = format!("{at} {} parameter {}", parameter["in"], parameter["name"]);
            if parameter["required"] == true {
                self.0.insert(format!("{at} {REQUIRED}"));
            }
            self.add_schema(document, &at, &parameter["schema"], &mut Vec::new());
        }
        self.add_content(document, &format!("{at} request"), &operation["requestBody"], REQUIRED);
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let at = format!("{at} {status}");
            self.0.insert(at.clone());
            self.add_content(document, &at, response, "is always there");
            for header in response["headers"].as_object().into_iter().flatten() {
                self.0.insert(format!("{at} header {}", header.0));
            }
        }
    }

    fn add_content(&mut self, document: &Value, at: &str, body: &Value, required: &str) {
        for (media, content) in body["content"].as_object().into_iter().flatten() {
            let at = format!("{at} {media}");
            self.0.insert(at.clone());
            let mut facts = Self(BTreeSet::new());
            facts.add_schema(document, &at, &content["schema"], &mut Vec::new());
            self.0.extend(facts.0.into_iter().map(|fact| fact.replace("is required", required)));
            for example in content["examples"].as_object().into_iter().flatten() {
                if let Some(code) = example.1["value"]["code"].as_str() {
                    self.0.insert(format!("{at} code {code}"));
                }
            }
        }
    }

    /// Adds a schema by its structure: references are followed, but not into themselves.
    fn add_schema<'d>(
        &mut self,
        document: &'d Value,
        at: &str,
        schema: &'d Value,
        within: &mut Vec<&'d str>,
    ) {
        if let Some(reference) = schema["$ref"].as_str() {
            if !within.contains(&reference) {
                within.push(reference);
                let target = document.pointer(reference.trim_start_matches('#'));
                self.add_schema(document, at, target.expect("it is there"), within);
                within.pop();
            }
            return;
        }
        let types = match &schema["type"] {
            Value::Array(types) => types.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        };
        self.0.extend(types.iter().map(|word| format!("{at}: type {word}")));
        for (keyword, label) in [("enum", "value"), ("required", "field")] {
            for word in schema[keyword].as_array().into_iter().flatten() {
                let end = if keyword == "required" { " is required" } else { "" };
                self.0.insert(format!("{at}: {label} {word}{end}"));
            }
        }
        for keyword in ["format", "pattern", "minimum", "maximum", "minLength", "maxLength"] {
            if !schema[keyword].is_null() {
                self.0.insert(format!("{at}: {keyword} {}", schema[keyword]));
            }
        }
        for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
            self.0.insert(format!("{at}.{field}"));
            self.add_schema(document, &format!("{at}.{field}"), inner, within);
        }
        if !schema["items"].is_null() {
            self.add_schema(document, &format!("{at}[]"), &schema["items"], within);
        }
        for keyword in ["oneOf", "anyOf", "allOf"] {
            for choice in schema[keyword].as_array().into_iter().flatten() {
                self.add_schema(document, at, choice, within);
            }
        }
    }
}

/// Every operation succeeds as Swagger UI fills it in: with the examples of its parameters, and the
/// first example of its body.
#[tokio::test]
async fn every_operation_succeeds_with_its_first_example() {
    let service = StillService::start();
    let document = service_document(&service).await;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let query: Vec<String> = parameters
                .filter_map(|parameter| {
                    let example = match &parameter["example"] {
                        Value::Null => return None,
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    let value: String =
                        url::form_urlencoded::byte_serialize(example.as_bytes()).collect();
                    Some(format!("{}={value}", parameter["name"].as_str().expect("a name")))
                })
                .collect();
            let request = format!("{path}?{}", query.join("&"));
            let request = request.trim_end_matches('?');
            let answer = if method == "post" {
                let content = operation["requestBody"]["content"].as_object().expect("a body");
                let content = content.values().next().expect("a media type");
                let example = content["examples"].as_object().expect("examples").values().next();
                post(service.address(), request, &example.expect("an example")["value"]).await
            } else {
                get(service.address(), request).await
            };
            assert_eq!(answer.status.as_u16(), 200, "{method} {request}: {}", answer.text);
        }
    }
}

async fn service_document(service: &StillService) -> Value {
    let served = get(service.address(), "/openapi.json").await;
    serde_json::from_str(&served.text).expect("it is JSON")
}

#[tokio::test]
async fn the_document_is_compressed_for_clients_that_accept_it() {
    let service = Service::offline();
    let plain = service.get("/openapi.json").await;
    assert_eq!(plain.header("vary"), "Accept-Encoding");
    for (accepted, is_compressed) in [
        ("gzip", true),
        ("gzip, deflate, br, zstd", true),
        ("br", false),
        ("gzip;q=0, *;q=0.1", false),
        ("identity", false),
    ] {
        let answer = service.send("GET", "/openapi.json", &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.status.as_u16(), 200, "{accepted}");
        assert_eq!(answer.header("vary"), "Accept-Encoding", "{accepted}");
        let has_encoding = answer.headers.get("content-encoding").is_some();
        assert_eq!(has_encoding, is_compressed, "{accepted}");
        assert_eq!(answer.header("etag") != plain.header("etag"), is_compressed, "{accepted}");
        let length: usize = answer.header("content-length").parse().expect("a number");
        assert_eq!(length < plain.text.len() / 4, is_compressed, "{accepted}: {length}");
        let known = [("accept-encoding", accepted), ("if-none-match", answer.header("etag"))];
        let again = service.send("GET", "/openapi.json", &known).await;
        assert_eq!(again.status.as_u16(), 304, "{accepted}");
        assert!(again.headers.get("content-encoding").is_none(), "{accepted}");
    }
}
