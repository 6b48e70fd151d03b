//! O: what goes out must not do harm where it arrives.

use serde_json::json;
use tempfile::TempDir;

use super::bed::{Bed, CANARY, check_of, resolve_of, tags_of};
use crate::formats::words;
use crate::support::docker_registry::DockerRegistry;
use crate::support::docker_registry::bodies::{
    DOCKER_LIST, DOCKER_MANIFEST, Entry, Platform, index,
};
use crate::support::misbehaving_registry::behaviour::{Behaviour, Response};
use crate::support::misbehaving_registry::holdings::{Holdings, tag_list};
use crate::support::service::{Answer, Service};

/// What would do something in a terminal, a shell, a build system or a page.
const HOSTILE: [&str; 9] = [
    "$(id)",
    "`id`",
    "a\nb",
    "##vso[task.setvariable]",
    "::set-env name=a::b",
    "##teamcity[x]",
    "\u{1b}[31m",
    "\u{2028}\u{202e}",
    "<svg onload=alert(1)>",
];

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A line of text answers is safe in a shell and in a build log.
fn assert_safe_text(answer: &Answer, context: &str) {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/@=+- \n".contains(&byte);
    assert!(answer.text.bytes().all(is_safe), "{context}: {}", answer.text);
    assert_eq!(answer.text.lines().count(), 1, "{context}: {}", answer.text);
}

#[tokio::test]
async fn o01_a_password_is_in_no_answer() {
    let bed = Bed::start_with_credentials(|asked| match asked.header("authorization") {
        "" => Behaviour::unauthorized("Basic realm=\"x\""),
        // A registry that shows what it was given.
        shown => Response::new(403, shown.to_owned()).header("x-shown", shown.to_owned()).into(),
    })
    .await;
    for path in
        [tags_of(0), check_of(0), resolve_of(0), "/tags?image=c0.example/x/y&tag=a".to_owned()]
    {
        let answer = bed.get(&path).await;
        let text = format!("{:?} {}", answer.headers, answer.text);
        for secret in [CANARY, "cmVhZGVyOnMzY3JldC1jYW5hcnk="] {
            assert!(!text.contains(secret), "{path}: {text}");
        }
    }
    assert_eq!(
        bed.registry.requests()[1].header("authorization"),
        "Basic cmVhZGVyOnMzY3JldC1jYW5hcnk="
    );
}

#[tokio::test]
async fn o02_o03_hostile_questions_are_not_repeated_as_they_are() {
    let service = Service::offline();
    for hostile in HOSTILE {
        for name in ["image", "host"] {
            let (image, host) =
                if name == "image" { (hostile, "20348") } else { ("nanoserver", hostile) };
            let question = format!("/resolve?image={}&host={}", encoded(image), encoded(host));
            let answer = service.send("GET", &question, &[("user-agent", "##vso[x]")]).await;
            assert!((400..500).contains(&answer.status.as_u16()), "{question}: {}", answer.status);
            // JSON escapes control characters.
            assert!(!answer.text.chars().any(char::is_control), "{question}: {}", answer.text);
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            for format in words() {
                let text = service.get(&format!("{question}&format={format}")).await;
                assert_eq!(text.status, answer.status, "{question}");
                assert_safe_text(&text, &question);
            }
        }
    }
}

#[tokio::test]
async fn o03_hostile_registries_put_nothing_into_text_answers() {
    let platform = Platform::windows("amd64", Some("10.0.20348.1\u{1b}[31m##vso[x]"), false);
    let mut holdings = Holdings::usual();
    let body = index(DOCKER_LIST, vec![Entry::of(DOCKER_MANIFEST, b"{}", platform)]);
    holdings.tag("ltsc2022", DOCKER_LIST, &body);
    let tags = [&["ltsc2022", "10.0.20348.$(id)"][..], &HOSTILE].concat();
    let list = tag_list(&tags);
    let bed = Bed::start(move |asked| match asked.path().ends_with("/tags/list") {
        true => list.clone().into(),
        false => holdings.answer(asked),
    })
    .await;
    for format in words() {
        let answer = bed.get(&format!("{}&format={format}", resolve_of(0))).await;
        // An os.version that is no version is none, and a tag without one is not chosen.
        assert_eq!(answer.status.as_u16(), 404, "{}", answer.text);
        assert_safe_text(&answer, format);
    }
    for path in [tags_of(0), check_of(0), resolve_of(0)] {
        let answer = bed.get(&path).await;
        assert!(
            !answer.text.contains("vso") && !answer.text.contains("$(id)"),
            "{path}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn h26_only_what_looks_like_a_version_is_repeated() {
    for (architecture, os_version, expected) in [
        ("amd64", "10.0.20348.1", json!(["amd64", "10.0.20348.1"])),
        ("amd64", "10.0.20348.1-beta_2+3", json!(["amd64", "10.0.20348.1-beta_2+3"])),
        ("amd64", "<script>alert(1)</script>", json!(["amd64", null])),
        ("amd64", "10.0.20348.1;id", json!(["amd64", null])),
        ("amd64", &"1".repeat(65), json!(["amd64", null])),
        ("<b>", "10.0.20348.1", json!([null, "10.0.20348.1"])),
    ] {
        let mut holdings = Holdings::default();
        let platform = Platform::windows(architecture, Some(os_version), false);
        let image = holdings.put_image("x", &platform);
        holdings.tag("ltsc2022", DOCKER_MANIFEST, &image);
        let bed = Bed::start(move |asked| holdings.answer(asked)).await;
        let answer = bed.service.json(&check_of(0)).await;
        let entry = &answer["entries"][0];
        assert_eq!(json!([entry["architecture"], entry["os_version"]]), expected);
    }
}

#[tokio::test]
async fn o03_what_a_hostile_registry_lists_is_in_no_format() {
    let holdings = Holdings::usual();
    let list = tag_list(&[
        "ltsc2022",
        "ltsc2022$(id)",
        "10.0.20348.2113`id`",
        "10.0.20348.9999\nWINDOWS_TAG=x",
        "ltsc2022-KB5059092##vso[task.setvariable variable=PATH]x",
        "10.0.20348.9999'; calc '",
    ]);
    let bed = Bed::start(move |asked| match asked.path().ends_with("/tags/list") {
        true => list.clone().into(),
        false => holdings.answer(asked),
    })
    .await;
    let asked = |pin: &str, word: &str| format!("{}&pin={pin}&format={word}", resolve_of(0));
    let variables = bed.get(&asked("release", "env")).await.text;
    assert!(
        variables.starts_with("WINDOWS_TAG=ltsc2022\nWINDOWS_IMAGE=c0.example/case/0:ltsc2022\n"),
        "{variables}"
    );
    for word in words() {
        for pin in ["release", "kb", "build"] {
            let text = bed.get(&asked(pin, word)).await.text;
            for hostile in ["id)", "`", "9999", "PATH", "calc", "\r", "\u{1b}"] {
                assert!(!text.contains(hostile), "{word} {pin}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn o04_swagger_ui_loads_nothing_that_the_address_names() {
    let service = Service::offline();
    let plain = service.get("/swagger-ui/").await;
    for query in [
        "?url=https://evil.example/x.json",
        "?configUrl=https://evil.example/x.json",
        "?url=javascript:alert(1)",
    ] {
        let answer = service.get(&format!("/swagger-ui/{query}")).await;
        assert_eq!((answer.status.as_u16(), &answer.text), (200, &plain.text), "{query}");
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{query}: {policy}");
        }
    }
    let initializer = service.get("/swagger-ui/swagger-initializer.js").await.text;
    assert!(!initializer.contains("\"queryConfigEnabled\": true"), "{initializer}");
    assert!(initializer.contains("\"validatorUrl\": \"none\""), "{initializer}");
}

#[tokio::test]
async fn o05_documents_are_read_only() {
    let service = Service::offline();
    for path in
        ["/", "/openapi.json", "/swagger-ui", "/swagger-ui/", "/swagger-ui/index.html", "/readyz"]
    {
        for method in ["PUT", "POST", "DELETE", "PATCH", "TRACE", "PROPFIND"] {
            let answer = service.send(method, path, &[]).await;
            assert_eq!(
                (answer.status.as_u16(), answer.header("allow")),
                (405, "GET, HEAD"),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn o06_nothing_is_administered_on_the_public_port() {
    let service = Service::offline();
    for path in [
        "/metrics",
        "/admin",
        "/admin/refresh",
        "/debug",
        "//admin",
        "/v1/..;/admin",
        "/livez/../admin",
    ] {
        let answer = service.send("GET", path, &[("x-http-method-override", "POST")]).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
    }
}

#[tokio::test]
async fn o08_any_page_may_read_and_no_page_may_use_credentials() {
    let service = Service::offline();
    for path in
        ["/resolve?image=nanoserver&host=20348", "/resolve", "/livez", "/nothing", "/openapi.json"]
    {
        let answer =
            service.send("GET", path, &[("origin", "https://a.example"), ("cookie", "a=b")]).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), "", "{path}");
        assert_eq!(answer.header("set-cookie"), "", "{path}");
    }
}

/// A service for a registry that needs a password.
fn with_password(options: &[&str]) -> (DockerRegistry, Service, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = DockerRegistry::start_behind_login("me", "canary");
    let (password, config) = (folder.path().join("password"), folder.path().join("wintag.toml"));
    std::fs::write(&password, "canary\n").expect("the folder is writable");
    let text = format!(
        "[registries.\"mcr.microsoft.com\"]\nmirror = 'http://{}'\nusername = \
         'me'\npassword_file = '{}'\n",
        registry.host(),
        password.display()
    );
    std::fs::write(&config, text).expect("the folder is writable");
    let config = config.to_str().expect("its name is text");
    let service = Service::start(&[&["--config", config], options].concat());
    (registry, service, folder)
}

#[tokio::test]
async fn h11_private_facts_are_for_no_web_page_and_no_shared_cache() {
    let (_registry, service, _folder) = with_password(&[]);
    let resolve = "/resolve?image=nanoserver&host=20348";
    let batch = json!({"requests": [{"image": "nanoserver", "host": 20348}]});
    let node = json!({"kind": "Node", "metadata": {"name": "a"}, "status": {"nodeInfo":
        {"operatingSystem": "windows", "kernelVersion": "10.0.20348.1"}}});
    for answer in [
        service.get("/tags?image=nanoserver").await,
        service.get(resolve).await,
        // From the response cache, if it were there.
        service.get(resolve).await,
        service.get(resolve).await,
        service.get("/check?image=nanoserver:ltsc2022&host=20348").await,
        service.get("/badge?image=nanoserver&host=20348").await,
        service.post("/resolve", &batch).await,
        service.post("/kubernetes/nodes?image=nanoserver", &node).await,
    ] {
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), "private, no-store");
        assert!(answer.headers.get("access-control-allow-origin").is_none());
    }
    for path in ["/releases", "/matrix", "/identify?host=20348"] {
        let public = service.get(path).await;
        assert!(public.header("cache-control").starts_with("public"), "{path}");
        assert_eq!(public.header("access-control-allow-origin"), "*", "{path}");
    }
}

#[tokio::test]
async fn h11_private_facts_are_given_under_the_configured_names_only() {
    let (_registry, service, _folder) = with_password(&["--allowed-host", "wintag.example,::1"]);
    let tags = "/tags?image=nanoserver";
    for (host, status) in [
        ("wintag.example", 200),
        ("WINTAG.example:8080", 200),
        ("attacker.example", 403),
        ("wintag.example.attacker.example", 403),
        ("127.0.0.1", 403),
    ] {
        let answer = service.send("GET", tags, &[("host", host)]).await;
        assert_eq!(answer.status.as_u16(), status, "{host}");
        assert_eq!(answer.text.contains("ltsc2022"), status == 200, "{host}");
        let public = service.send("GET", "/releases", &[("host", host)]).await;
        assert_eq!(public.status.as_u16(), 200, "{host}");
    }
}
