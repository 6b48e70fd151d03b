//! The HTTP side: methods, formats, caching headers, problems, and an end without loss.

use std::collections::BTreeMap;

use icalendar::Component as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::service::Service;

const MAIN_JOB: &str = "/resolve?image=microsoft/nanoserver&host=16299";

#[tokio::test]
async fn formats_are_chosen_by_parameter_or_header() {
    let service = Service::offline();
    let json = service.get(MAIN_JOB).await;
    assert_eq!(json.header("content-type"), "application/json");
    assert!(json.header("vary").contains("Accept"));

    let tag = service.get(&format!("{MAIN_JOB}&format=tag")).await;
    assert_eq!(
        (tag.text.as_str(), tag.header("content-type")),
        ("1709\n", "text/plain; charset=utf-8")
    );
    assert_eq!(tag.header("vary"), "Accept-Encoding");

    let reference = service.get(&format!("{MAIN_JOB}&format=reference")).await;
    assert_eq!(reference.text, "mcr.microsoft.com/windows/nanoserver:1709\n");

    let by_header = service.send("GET", MAIN_JOB, &[("accept", "text/plain")]).await;
    assert_eq!(by_header.text, "1709\n");
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let for_browser = service.send("GET", MAIN_JOB, &[("accept", browser)]).await;
    assert_eq!(for_browser.header("content-type"), "application/json");
    let picture = service.send("GET", MAIN_JOB, &[("accept", "image/png")]).await;
    assert_eq!(
        (picture.status, &picture.json()["code"]),
        (StatusCode::NOT_ACCEPTABLE, &json!("not-acceptable"))
    );
}

#[tokio::test]
async fn an_answer_that_is_known_is_not_sent_again() {
    let service = Service::offline();
    let first = service.get(MAIN_JOB).await;
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with("W/\""), "{etag}");
    for header in [etag.as_str(), "*", &format!("\"other\", {etag}")] {
        let second = service.send("GET", MAIN_JOB, &[("if-none-match", header)]).await;
        assert_eq!(
            (second.status, second.text.as_str()),
            (StatusCode::NOT_MODIFIED, ""),
            "{header}"
        );
        assert_eq!(second.header("etag"), etag);
        assert_eq!(second.header("cache-control"), first.header("cache-control"));
    }
    let other = service.send("GET", MAIN_JOB, &[("if-none-match", "\"other\"")]).await;
    assert_eq!(other.status, StatusCode::OK);
    // The same question in other words has the same answer at the same address, but echoes its own
    // words.
    let same = service.get("/resolve?host=10.0.16299&image=microsoft/nanoserver").await;
    assert_eq!(same.header("content-location"), first.header("content-location"));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let service = Service::offline();
    for path in [MAIN_JOB, "/livez", "/openapi.json", "/swagger-ui/", "/resolve"] {
        let (get, head) = (service.get(path).await, service.send("HEAD", path, &[]).await);
        assert_eq!((get.status, head.text.as_str()), (head.status, ""), "{path}");
        assert_eq!(get.header("etag"), head.header("etag"), "{path}");
        assert_eq!(head.header("content-length"), get.text.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn another_method_is_a_problem_that_names_the_right_ones() {
    let service = Service::offline();
    for path in [
        "/check",
        "/matrix",
        "/releases",
        "/images",
        "/engines",
        "/tags",
        "/renovate",
        "/badge",
        "/livez",
        "/swagger-ui/x",
    ] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer = service.send(method, path, &[]).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(answer.header("allow"), "GET, HEAD", "{method} {path}");
            assert_eq!(answer.json()["code"], "method-not-allowed");
        }
    }
}

#[tokio::test]
async fn a_path_that_takes_bodies_names_its_methods() {
    let service = Service::offline();
    let answer = service.send("PUT", "/resolve", &[]).await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD, POST")
    );
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let service = Service::offline();
    for path in ["/nothing", "/resolve/", "/swagger-ui/nothing.js"] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert_eq!(answer.json()["code"], "not-found", "{path}");
    }
}

#[tokio::test]
async fn the_root_leads_to_swagger_ui_which_asks_nobody_else() {
    let service = Service::offline();
    let page = service.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("swagger-ui"), "{}", page.text);
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
}

#[tokio::test]
async fn all_problems_of_a_request_are_named_at_once() {
    let service = Service::offline();
    let path = "/resolve?image=nanosever&host=foo&pin=newest&isolation=vm&kb=1&x=1&arch=amd64&\
                arch=arm64&format=xml";
    let answer = service.get(path).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    let errors: Vec<(&str, &str)> = problem["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| {
            (error["parameter"].as_str().expect("a name"), error["code"].as_str().expect("a code"))
        })
        .collect();
    assert_eq!(
        errors,
        [
            ("arch", "repeated-parameter"),
            ("format", "not-allowed"),
            ("host", "unknown-host"),
            ("image", "unknown-image"),
            ("isolation", "not-allowed"),
            ("kb", "not-allowed"),
            ("pin", "not-allowed"),
            ("x", "unknown-parameter"),
        ]
    );
    let of = |name: &str| -> Value {
        let errors = problem["errors"].as_array().expect("a list");
        errors.iter().find(|error| error["parameter"] == name).expect("it is there")["allowed"]
            .clone()
    };
    assert_eq!(of("pin"), json!(["release", "kb", "build"]));
    assert_eq!(of("image"), json!(["nanoserver", "servercore", "server", "windows", "iis"]));
    assert!(of("x").as_array().is_some_and(|names| names.len() == 12));
}

#[tokio::test]
async fn what_is_said_of_a_request_is_bounded() {
    let service = Service::offline();
    let answer = service.get(&format!("/resolve?image=nanoserver&{}", "a&".repeat(900))).await;
    let problem = answer.json();
    assert_eq!(
        (answer.status, problem["errors"].as_array().map(Vec::len)),
        (StatusCode::BAD_REQUEST, Some(12))
    );
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.ends_with("; and 889 more")),
        "{problem}"
    );
    assert!(answer.text.len() < 16 << 10, "{}", answer.text.len());
}

#[tokio::test]
async fn a_problem_in_text_holds_nothing_of_the_callers() {
    let service = Service::offline();
    let path = "/resolve?image=nanoserver&host=%24(id)%0A%23%23vso%5Btask%5D&format=tag";
    let answer = service.get(path).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(
        answer.text,
        "error: unknown-host: the host is not a Windows version that runs containers\n"
    );
}

#[tokio::test]
async fn unspeakable_requests_are_refused_and_the_service_goes_on() {
    let service = Service::offline();
    let long = format!("/identify?host={}", "9".repeat(5000));
    let hostile = [
        "/resolve?image=%FF%FE&host=%00",
        "/resolve?image=../../etc/passwd&host=16299",
        "/resolve?image=http://127.0.0.1:22/x&host=16299",
        "/resolve?image=user:pw@example.com/x&host=16299",
        "/check?image=localhost:22/x:1&host=16299",
        "/check?image=169.254.169.254/latest/meta-data:1&host=16299",
        "/check?image=%5B::1%5D:22/x:1&host=16299",
        "/tags?image=nanoserver&tag=%0d%0aset-cookie:%20a",
        "/tags?image=nanoserver&offset=18446744073709551616",
        "/matrix?hosts=16299%00&images=%F0%9F%90%B3",
        long.as_str(),
    ];
    for path in hostile {
        let answer = service.get(path).await;
        assert!(
            [400, 403, 404, 414].contains(&answer.status.as_u16()),
            "{path}: {} {}",
            answer.status,
            answer.text
        );
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
    }
    assert_eq!(service.get(MAIN_JOB).await.status, StatusCode::OK);
}

#[tokio::test]
async fn requests_are_bounded() {
    let service = Service::offline();
    let long = format!("/identify?host={}", "9".repeat(2048));
    assert_eq!(service.get(&long).await.json()["code"], "uri-too-long");
    let heavy = "x".repeat(1000);
    let headers: Vec<(&str, &str)> = [("x-heavy", heavy.as_str()); 17].to_vec();
    let answer = service.send("GET", MAIN_JOB, &headers).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["code"]),
        (431, &json!("headers-too-large"))
    );
    let with_body = service.send("GET", MAIN_JOB, &[("content-length", "0")]).await;
    assert_eq!(with_body.status, StatusCode::OK);
}

#[tokio::test]
async fn the_matrix_takes_builds_that_are_in_no_table() {
    let service = Service::offline();
    let matrix =
        service.json("/matrix?hosts=26100.4061,27842&images=10.0.26100.4061,ltsc2022,18999").await;
    let cell = |host: &str, image: &str| -> Value {
        let cells = matrix["cells"].as_array().expect("a list");
        cells
            .iter()
            .find(|cell| cell["host"] == host && cell["image"] == image)
            .expect("it is there")
            .clone()
    };
    assert_eq!(matrix["cells"].as_array().map(Vec::len), Some(6));
    assert_eq!(cell("10.0.26100.4061", "10.0.26100.4061")["process"], "yes");
    assert_eq!(cell("10.0.27842", "10.0.20348")["process"], "yes");
    assert_eq!(cell("10.0.27842", "10.0.18999")["process"], "no");
    assert_eq!(cell("10.0.27842", "10.0.18999")["hyperv"], "yes");
    assert_eq!(matrix["images"][2]["name"], Value::Null);

    let whole = service.json("/matrix").await;
    let hosts = whole["hosts"].as_array().expect("a list").len();
    let images = whole["images"].as_array().expect("a list").len();
    assert_eq!(whole["cells"].as_array().map(Vec::len), Some(hosts * images));
}

#[tokio::test]
async fn an_undecided_host_is_a_question_back() {
    let service = Service::offline();
    let identity = service.json("/identify?host=22H2").await;
    assert_eq!(
        (&identity["build"], identity["could_mean"].as_array().map(Vec::len)),
        (&Value::Null, Some(2))
    );
    let answer = service.get("/resolve?image=nanoserver&host=22H2").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let error = &answer.json()["errors"][0];
    assert_eq!(
        (&error["code"], error["allowed"].as_array().map(Vec::len)),
        (&json!("ambiguous"), Some(2))
    );
    let answer = service.get("/resolve?image=nanoserver&host=10.0.17763.1%0A10.0.20348.1").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let error = &answer.json()["errors"][0];
    assert_eq!(error["code"], "ambiguous");
    assert_eq!(error["allowed"], json!(["10.0.17763.1", "10.0.20348.1"]));
    assert!(
        error["message"].as_str().is_some_and(|message| message.contains("POST /kubernetes/nodes")),
        "{error}"
    );
}

#[tokio::test]
async fn a_kind_that_a_build_never_was_is_a_contradiction_and_no_unknown_build() {
    let service = Service::offline();
    let codes = |answer: &Value| -> Vec<Value> {
        answer["warnings"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|warning| warning["code"].clone())
            .collect()
    };
    let path =
        "/resolve?image=nanoserver&host=Windows%2010%2022H2&host_type=server&isolation=hyperv";
    let known = codes(&service.json(path).await);
    assert!(
        known.contains(&json!("host-contradicts-kind"))
            && !known.contains(&json!("host-build-not-listed"))
    );
    let unknown = codes(&service.json("/resolve?image=nanoserver&host=27000").await);
    assert!(
        !unknown.contains(&json!("host-contradicts-kind"))
            && unknown.contains(&json!("host-build-not-listed"))
    );
}

#[tokio::test]
async fn a_registry_that_is_not_allowed_is_named_beside_all_else_that_is_wrong() {
    let service = Service::offline();
    for (path, status, codes) in [
        ("/tags?image=registry.example.com/x", 403, vec!["registry-not-allowed"]),
        (
            "/resolve?image=registry.example.com/x&host=foo&pin=z",
            400,
            vec!["unknown-host", "registry-not-allowed", "not-allowed"],
        ),
        (
            "/check?image=registry.example.com/x:1",
            400,
            vec!["missing-parameter", "registry-not-allowed"],
        ),
    ] {
        let answer = service.get(path).await;
        let problem = answer.json();
        let named =
            problem["errors"].as_array().expect("a list").iter().map(|error| error["code"].clone());
        assert_eq!(
            (answer.status.as_u16(), named.collect::<Vec<_>>()),
            (status, codes.into_iter().map(Value::from).collect())
        );
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.contains("--mirror")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_check_of_a_tag_that_is_not_there_names_tags_that_are() {
    let service = Service::offline();
    let refused = async |image: &str, host: &str| {
        let answer = service.get(&format!("/check?image={image}&host={host}")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (404, &json!("unknown-image")),
            "{image}"
        );
        let problem = answer.json();
        let allowed = problem["errors"][0]["allowed"].as_array().cloned().unwrap_or_default();
        let tags = allowed
            .iter()
            .filter_map(|text| text.as_str()?.rsplit_once(':').map(|(_, tag)| tag.to_owned()));
        (problem["detail"].as_str().expect("a text").to_owned(), tags.collect::<Vec<_>>())
    };
    let (detail, tags) = refused("nanoserver", "16299").await;
    for said in [
        "nanoserver:latest",
        "without a tag it means latest",
        "base images have not had since April 2019",
        "resolve returns 1709",
    ] {
        assert!(detail.contains(said), "{detail}");
    }
    assert_eq!(tags[..2], ["1709", "ltsc2025"]);
    for tag in tags {
        service.json(&format!("/check?image=nanoserver:{tag}&host=16299")).await;
    }
    // The same build by another word, a slip of the finger, the nearest revision, and what is like
    // nothing.
    assert_eq!(refused("nanoserver:ltsc2016", "20348").await.1[..2], ["ltsc2022", "sac2016"]);
    assert_eq!(refused("nanoserver:lstc2019", "20348").await.1[..2], ["ltsc2022", "ltsc2019"]);
    assert_eq!(
        refused("servercore:10.0.14393.1771", "20348").await.1[..2],
        ["ltsc2022", "10.0.14393.1770"]
    );
    assert_eq!(refused("nanoserver:x", "16299").await.1[0], "1709");
    // Where nothing is known of the repository there is nothing to name.
    let (detail, tags) = refused("mcr.microsoft.com/windows/nanosever", "16299").await;
    assert!(
        detail.contains("check the spelling") && !detail.contains("base images have"),
        "{detail}"
    );
    assert!(tags.is_empty());
}

#[tokio::test]
async fn the_lists_of_the_matrix_are_checked_as_what_they_are() {
    let service = Service::offline();
    let refused = async |query: &str| {
        let answer = service.get(&format!("/matrix?{query}")).await;
        let problem = answer.json();
        (
            answer.status.as_u16(),
            problem["errors"][0].clone(),
            problem["detail"].as_str().expect("a text").to_owned(),
        )
    };
    for text in ["x", "linux", "2012", "26H3"] {
        let (status, error, detail) = refused(&format!("images={text}")).await;
        assert_eq!((status, &error["code"]), (404, &json!("unknown-image")), "{text}");
        assert!(!detail.contains("host") && detail.contains("ltsc2022"), "{detail}");
    }
    assert_eq!(
        refused("images=ltsc2028").await.1["allowed"],
        json!(["ltsc2025", "ltsc2022", "ltsc2019"])
    );
    assert_eq!(
        refused("hosts=2028").await.1["allowed"],
        json!(["Windows Server 2025", "Windows Server 2022"])
    );
    let (status, error, _) = refused("hosts=1709,foo").await;
    assert_eq!((status, &error["code"]), (404, &json!("unknown-host")));
    assert!(
        error["message"].as_str().is_some_and(|message| message.starts_with("item 2: ")),
        "{error}"
    );
    assert_eq!(refused("hosts=,").await.1["code"], "empty");

    let matrix = service.json("/matrix?hosts=LTSC2019&images=ltsc2022,18362").await;
    let requested = |list: &str| -> Vec<Value> {
        matrix[list]
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| item["requested"].clone())
            .collect()
    };
    assert_eq!(
        (requested("hosts"), requested("images")),
        (vec![json!("LTSC2019")], vec![json!("ltsc2022"), json!("18362")])
    );
}

#[tokio::test]
async fn what_a_host_could_mean_has_the_revision_of_the_text() {
    let service = Service::offline();
    let identity = service.json("/identify?host=10.0.16299.1087").await;
    let versions = identity["could_mean"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|host| host["os_version"].clone());
    assert_eq!(versions.collect::<Vec<_>>(), ["10.0.16299.1087", "10.0.16299.1087"]);
    let identity = service.json("/identify?host=1709").await;
    assert_eq!(identity["could_mean"][0]["revision"], Value::Null);
    // One build, three releases, each named once and with its own end of support.
    let identity = service.json("/identify?host=17763").await;
    let names =
        identity["could_mean"].as_array().expect("a list").iter().map(|host| host["name"].clone());
    let names: Vec<Value> = names.collect();
    assert_eq!(
        names,
        ["Windows Server 2019", "Windows Server, version 1809", "Windows 10, version 1809"]
    );
    let identity = service.json("/identify?host=Windows%20Server,%20version%201809").await;
    assert_eq!(identity["support_ended"], "2020-11-10");
    assert_eq!(identity["could_mean"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_detail_alone_says_what_is_allowed() {
    let service = Service::offline();
    for (path, said) in [
        ("/resolve?image=nanoserver&host=1709&format=yaml", "json, tag, reference"),
        ("/resolve?image=nanoserver&host=22H2", "Windows 11, version 22H2 (22621)"),
        (
            "/resolve?image=nanoserver@sha256:308ef3f8ee3e9c9a1bdec460009c1e6394b329db13eb3149461f8\
             841be5b538a&host=1709",
            "check",
        ),
        ("/identify?hots=1709", "host, host_type"),
        ("/releases?build=1709", "must be one of format"),
        ("/images?build=1709", "takes none"),
    ] {
        let answer = service.get(path).await;
        let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
        assert!(answer.status.as_u16() == 400 && detail.contains(said), "{path}: {detail}");
    }
}

#[tokio::test]
async fn it_stops_when_it_is_told_to() {
    let service = Service::offline();
    assert_eq!(service.get("/readyz").await.text, "ok\n");
    let status = service.terminate();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn the_last_days_of_support_are_a_calendar() {
    let service = Service::offline();
    let answer = service.get("/releases?format=ics").await;
    assert_eq!(answer.header("content-type"), "text/calendar; charset=utf-8");
    assert!(answer.text.split_terminator("\r\n").all(|line| line.len() <= 75), "{}", answer.text);
    assert!(!answer.text.replace("\r\n", "").contains(['\r', '\n']));
    // A parser of other people reads what /releases says.
    let calendar: icalendar::Calendar = answer.text.parse().expect("it is iCalendar");
    let mut days = BTreeMap::new();
    for event in calendar.components.iter().filter_map(icalendar::CalendarComponent::as_event) {
        let Some(icalendar::DatePerhapsTime::Date(day)) = event.get_start() else {
            panic!("{event:?} has no whole day");
        };
        assert!(event.get_timestamp().is_some(), "{event:?}");
        let uid = event.get_uid().expect("a UID").to_owned();
        let of_event = (event.get_summary().expect("a summary").to_owned(), day.to_string());
        assert_eq!(days.insert(uid, of_event), None, "each UID is there once");
    }
    let releases = service.json("/releases").await;
    let mut expected = 0;
    for release in releases["releases"].as_array().expect("a list") {
        let name = release["name"].as_str().expect("a name");
        for (field, key) in [
            ("mainstream_end", "mainstream"),
            ("extended_end", "extended"),
            ("long_term_end", "long-term"),
            ("security_updates_end", "security-updates"),
        ] {
            let Some(day) = release[field].as_str() else { continue };
            let uid = name.to_lowercase().replace([' ', ','], "-");
            let (summary, found) = &days[&format!("{uid}-{key}@wintag")];
            assert_eq!(found, day, "{summary}");
            assert!(summary.starts_with(&format!("{name}: last day of ")), "{summary}");
            expected += 1;
        }
    }
    // And those of the images.
    assert!(expected > 60 && days.len() > expected, "{expected} of {}", days.len());
    let wrong = service.get("/releases?format=ical").await;
    assert!(wrong.text.contains("must be one of json, ics"), "{}", wrong.text);
}
