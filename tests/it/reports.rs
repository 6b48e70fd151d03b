//! Public reports: what people pasted, and the answer to each, judged against what an engineer
//! would want.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::support::service::{Answer, Service};

const FILE: &str = "tests/data/reports/cases.jsonl";
const CASES: &str = include_str!("../data/reports/cases.jsonl");

/// A line of the file; its README says what the fields mean.
#[derive(Deserialize, Serialize)]
struct Case {
    id: String,
    source: String,
    call: String,
    input: String,
    wanted: String,
    before: String,
    judged: String,
    answer: String,
}

fn cases() -> Vec<Case> {
    CASES.lines().map(|line| serde_json::from_str(line).expect("a case on each line")).collect()
}

async fn ask(service: &Service, case: &Case) -> Answer {
    let (method, target) = case.call.split_once(' ').expect("a method and a path");
    match (method, target) {
        ("POST", "/diagnose") => service.post_as(target, "text/plain", case.input.clone()).await,
        ("POST", _) => service.post_as(target, "application/json", case.input.clone()).await,
        _ => {
            let path = target.split('?').next().expect("a path");
            let parameters: BTreeMap<String, String> = match serde_json::from_str(&case.input) {
                Ok(parameters) => parameters,
                Err(_) => BTreeMap::from([("host".to_owned(), case.input.clone())]),
            };
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(parameters);
            service.get(&format!("{path}?{}", query.finish())).await
        }
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn codes(remarks: &Value) -> String {
    let codes = remarks.as_array().into_iter().flatten().map(|remark| text_of(&remark["code"]));
    codes.collect::<Vec<_>>().join(" ")
}

/// The answer in a line: what is judged.
fn line(answer: &Answer) -> String {
    let (status, answer) = (answer.status.as_u16(), answer.json());
    let host =
        |host: &Value| format!("{} {}", text_of(&host["os_version"]), text_of(&host["kind"]));
    if status != 200 {
        return format!("{status} {}: {}", text_of(&answer["code"]), text_of(&answer["detail"]));
    }
    if let Some(findings) = answer["findings"].as_array() {
        let mut line = String::new();
        for finding in findings {
            let of = |name: &str| text_of(&finding[name]);
            let (image, host) = (text_of(&finding["image"]["requested"]), host(&finding["host"]));
            write!(line, "{} | image {image} {}", of("code"), of("image_os_version"))
                .and_then(|()| write!(line, " | host {host} | {} ", of("platform")))
                .and_then(|()| write!(line, "{} |", of("isolation")))
                .expect("it grows");
            for remedy in finding["remedies"].as_array().into_iter().flatten() {
                line.push_str(&format!(" {}", text_of(&remedy["code"])));
                if let Some(reference) = remedy["reference"].as_str() {
                    line.push_str(&format!("={reference}"));
                }
            }
            line.push_str(" || ");
        }
        if findings.is_empty() {
            let hosts = answer["hosts"].as_array().into_iter().flatten();
            let hosts: Vec<String> = hosts.map(|it| host(&it["host"])).collect();
            line = format!("no finding | hosts {}", hosts.join(", "));
        }
        return line.trim_end_matches(" || ").to_owned();
    }
    if let Some(groups) = answer["groups"].as_array() {
        let group = |it: &Value| format!("{} {}", text_of(&it["os_version"]), text_of(&it["tag"]));
        let groups: Vec<String> = groups.iter().map(group).collect();
        let all = text_of(&answer["one_for_all"]["tag"]);
        return format!(
            "groups {} | for all {all} | why {}",
            groups.join(", "),
            text_of(&answer["why"])
        );
    }
    if let Some(releases) = answer["releases"].as_array() {
        let first = releases.first().map_or("-", |it| text_of(&it["version"]));
        return format!("{} releases, {first} first", releases.len());
    }
    if answer["response"].is_object() {
        return format!("{}", answer["response"]["auditAnnotations"]);
    }
    if answer["tag"].is_string() {
        let warnings = codes(&answer["warnings"]);
        return format!(
            "{} {} | pins {} | {warnings}",
            text_of(&answer["tag"]),
            text_of(&answer["isolation"]),
            answer["pins"]
        );
    }
    if answer.get("runs").is_some() {
        let warnings = codes(&answer["warnings"]);
        return format!("runs {} {} | {warnings}", answer["runs"], text_of(&answer["isolation"]));
    }
    match &answer["os_version"] {
        Value::Null => format!("could be {}", answer["could_mean"]),
        _ => host(&answer),
    }
}

#[tokio::test]
async fn every_report_has_the_answer_that_was_judged() {
    let service = Service::offline();
    let (mut file, mut wrong) = (String::new(), Vec::new());
    for mut case in cases() {
        let answer = line(&ask(&service, &case).await);
        if answer != case.answer {
            wrong.push(format!("{}:\n  {answer}\n  {}", case.id, case.answer));
        }
        case.answer = answer;
        file.push_str(&serde_json::to_string(&case).expect("it is JSON"));
        file.push('\n');
    }
    if std::env::var_os("WINTAG_BLESS").is_some() {
        std::fs::write(FILE, file).expect("the file is writable");
    } else {
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// One reader reads hosts, alone and beside an error.
#[tokio::test]
async fn hosts_are_read_beside_an_error_as_they_are_alone() {
    const ERROR: &str = "docker: Error response from daemon: hcs::CreateComputeSystem 1f2e: The \
                         container operating system does not match the host operating system.";
    let service = Service::offline();
    let hosts = cases().into_iter().filter(|case| case.id.starts_with('h'));
    let mut read = 0;
    for case in hosts.filter(|case| case.answer.starts_with("10.0.")) {
        let text = format!("{ERROR}\n{}\n", case.input);
        let answer = service.post_as("/diagnose", "text/plain", text).await.json();
        let host = &answer["findings"][0]["host"];
        let line = format!("{} {}", text_of(&host["os_version"]), text_of(&host["kind"]));
        assert_eq!(line, case.answer, "{}", case.id);
        read += 1;
    }
    assert_eq!(read, 46);
}

#[test]
fn most_reports_are_answered_right() {
    let cases = cases();
    let right = cases.iter().filter(|case| case.judged == "right").count();
    assert!(cases.len() == 109 && right >= 105, "{right} of {}", cases.len());
    let kinds = |of: &str| cases.iter().filter(|case| case.before == of).count();
    assert_eq!(["right", "partly", "unhelpful", "wrong"].map(kinds), [64, 21, 17, 7]);
    assert!(cases.iter().all(|case| !case.source.is_empty() && !case.wanted.is_empty()));
}
