//! `POST /resolve`: many questions in one request.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::service::Service;

#[tokio::test]
async fn a_batch_answers_in_order_what_each_question_gets_alone() {
    let service = Service::offline();
    let hosts = ["14393.1770", "16299", "17763", "none", "20348", "26100", "19045"];
    let questions: Vec<Value> =
        hosts.iter().map(|host| json!({"image": "servercore", "host": host})).collect();
    let answer = service.post("/resolve", &json!({"requests": questions})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    let batch = answer.json();
    let results = batch["results"].as_array().expect("a list");
    assert_eq!(results.len(), hosts.len());
    for (host, result) in hosts.iter().zip(results) {
        let alone = service.get(&format!("/resolve?image=servercore&host={host}")).await;
        assert_eq!(result["status"], alone.status.as_u16(), "{host}");
        let (said, other) = if alone.status.is_success() {
            ("resolution", "problem")
        } else {
            ("problem", "resolution")
        };
        assert_eq!(result[said], alone.json(), "{host}");
        assert_eq!(result[other], Value::Null, "{host}");
    }
}

#[tokio::test]
async fn a_build_may_be_a_number_and_null_is_not_given() {
    let service = Service::offline();
    let question = json!({"image": "nanoserver", "host": 16299, "pin": null});
    let batch = service.post("/resolve", &json!({"requests": [question]})).await.json();
    assert_eq!(batch["results"][0]["resolution"]["tag"], "1709");
}

#[tokio::test]
async fn what_is_wrong_with_a_batch_is_said() {
    let service = Service::offline();
    let question = json!({"image": "nanoserver", "host": "16299"});
    let whole = [
        (json!({"requests": []}), "1 to 100"),
        (json!({"requests": vec![question.clone(); 101]}), "1 to 100"),
        (json!({"questions": [question]}), "expected `requests`"),
        (json!({"requests": question}), "expected a sequence"),
        (json!([]), "an object with a list named requests"),
    ];
    for (body, said) in whole {
        let answer = service.post("/resolve", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.text.contains(said), "{body}: {}", answer.text);
    }
    for (item, parameter) in [
        (json!({"image": "nanoserver", "host": "16299", "format": "tag"}), "format"),
        (json!({"image": "nanoserver", "host": ["16299"]}), "host"),
        // As a number it is 14393.177, another revision.
        (json!({"image": "nanoserver", "host": 14393.1770}), "host"),
        (json!({"image": "nanoserver", "host": -16299}), "host"),
        (json!({"image": "nanoserver", "host": "16299", "tag": "1709"}), "tag"),
        (json!({"host": "16299"}), "image"),
        (json!(null), "requests"),
        (json!("nanoserver"), "requests"),
        (json!([["nanoserver"], {"host": 1}]), "requests"),
        (json!(16299), "requests"),
    ] {
        let batch = service.post("/resolve", &json!({"requests": [item]})).await.json();
        let problem = &batch["results"][0]["problem"];
        assert_eq!(
            (&problem["status"], &problem["errors"][0]["parameter"]),
            (&json!(400), &json!(parameter)),
            "{item}"
        );
    }
    // A parameter that comes twice is refused, as in a query.
    let twice = r#"{"requests": [{"image": "nanoserver", "host": "16299", "image": "iis"}]}"#;
    let batch = service.post_as("/resolve", "application/json", twice).await.json();
    assert_eq!(batch["results"][0]["problem"]["errors"][0]["parameter"], "image");
    assert_eq!(
        service.post("/resolve?image=nanoserver", &json!({"requests": [question]})).await.status,
        400
    );
}

#[tokio::test]
async fn bodies_are_read_within_bounds() {
    let service = Service::offline();
    let small = r#"{"requests": [{"image": "nanoserver", "host": "16299"}]}"#;
    for (media, status) in [
        ("application/json; charset=utf-8", 200),
        // What `curl --data` says by itself.
        ("application/x-www-form-urlencoded", 200),
        ("text/html", 415),
    ] {
        assert_eq!(service.post_as("/resolve", media, small).await.status, status, "{media}");
    }
    let padded = format!("{}{}", " ".repeat(64 << 10), small);
    let answer = service.post_as("/resolve", "application/json", padded).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("payload-too-large"))
    );
    let nested = "[".repeat(60_000);
    assert_eq!(
        service.post_as("/resolve", "application/json", nested).await.status,
        StatusCode::BAD_REQUEST
    );
    let compressed = [("content-encoding", "gzip"), ("content-type", "application/json")];
    let answer = service.send("POST", "/resolve", &compressed).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}
