//! Tokens, credentials, and who gets to see them.

use std::path::Path;

use super::*;
use crate::registry::Received;

fn bearer(realm: &str) -> Reply {
    unauthorized(&format!(
        r#"Bearer realm="{realm}",service="the service",scope="repository:x/y:pull""#
    ))
}

/// Answers tags, but only to the token `good`, which `/token` gives.
fn token_registry(seen: &Seen) -> Reply {
    if seen.target.starts_with("/token") {
        return Reply::ok(r#"{"token":"good","expires_in":300}"#);
    }
    match seen.header("authorization") {
        "Bearer good" => Reply::ok(r#"{"tags":["a"]}"#),
        _ => bearer(&format!("http://{}/token?a=b", seen.header("host"))),
    }
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_kept() {
    let server = TestServer::start(token_registry).await;
    let registries = registries(&server);
    assert_eq!(tags(&registries).await.unwrap(), ["a"]);
    assert_eq!(tags(&registries).await.unwrap(), ["a"]);
    let token = "/token?a=b&service=the+service&scope=repository%3Ax%2Fy%3Apull";
    assert_eq!(server.targets(), [LIST, token, LIST, LIST]);
    assert_eq!(server.requests()[1].header("authorization"), "");
}

#[tokio::test]
async fn s01_many_requests_ask_for_one_token() {
    let server = TestServer::start(token_registry).await;
    let registries = registries(&server);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let registries = registries.clone();
        tasks.spawn(async move { tags(&registries).await });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert_eq!(server.targets().iter().filter(|target| target.starts_with("/token")).count(), 1);
}

#[tokio::test]
async fn credentials_go_to_the_token_service_and_not_to_the_registry() {
    let server = TestServer::start(token_registry).await;
    tags(&with_credentials(&server)).await.unwrap();
    let authorizations: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.header("authorization").to_owned())
        .collect();
    assert_eq!(authorizations, ["", BASIC, "Bearer good"]);
}

/// The tags with this login for the server in a docker configuration.
async fn tags_with_login(server: &TestServer, login: &str) -> Received<TagNames> {
    let config = format!(r#"{{"auths":{{"{}":{login}}}}}"#, server.authority());
    let file = docker_config(&config);
    let registries = with_docker_config(server, file.path());
    registries.list_tags(&repository(), OTHER).await.unwrap()
}

fn docker_config(content: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

fn with_docker_config(server: &TestServer, path: &Path) -> Registries {
    let mirror = Some(format!("http://{}", server.authority()).parse().unwrap());
    let settings = RegistrySettings { mirror, ..RegistrySettings::default() };
    let registries = Registries::new(RegistriesSettings {
        registries: BTreeMap::from([("a.example".to_owned(), settings)]),
        docker_config: Some(path.to_path_buf()),
    });
    registries.unwrap()
}

#[tokio::test]
async fn h10_an_answer_says_whether_it_was_got_with_credentials() {
    let password = r#"{"auth":"bWU6cHc="}"#;
    let identity = r#"{"auth":"MDAwOg==","identitytoken":"refresh"}"#;
    let by_token = TestServer::start(token_registry).await;
    let by_password = TestServer::start(|seen| match seen.header("authorization") {
        BASIC => Reply::ok(r#"{"tags":["a"]}"#),
        _ => unauthorized("Basic realm=x"),
    })
    .await;
    let open = TestServer::start(|_| Reply::ok(r#"{"tags":["a"]}"#)).await;
    for (server, login, expected) in [
        (&by_token, password, true),
        (&by_token, identity, true),
        (&by_token, "{}", false),
        (&by_password, password, true),
        // It has credentials, but the registry does not ask for them.
        (&open, password, false),
    ] {
        let found = tags_with_login(server, login).await;
        assert_eq!(
            (found.with_credentials, &*found.value.names),
            (expected, &["a".to_owned()][..])
        );
    }
    // The kept token or password is as good as the first.
    for server in [&by_token, &by_password] {
        let registries = with_credentials(server);
        for _ in 0..2 {
            let found = registries.list_tags(&repository(), OTHER).await.unwrap();
            assert!(found.with_credentials);
        }
    }
}

#[tokio::test]
async fn h10_a_configuration_from_elsewhere_is_got_with_what_the_redirect_took() {
    let config = r#"{"os":"windows"}"#;
    let blobs = TestServer::start(move |_| Reply::ok(config)).await;
    let location = format!("http://{}/blob", blobs.authority());
    let digest = Digest::of(config.as_bytes());
    let image = serde_json::json!({ "schemaVersion": 2, "config": {
        "mediaType": IMAGE_DOCKER_CONFIG_MEDIA_TYPE, "digest": digest.as_str(), "size": config.len()
    }, "layers": [] });
    // Only the configuration is not open to all.
    let server = TestServer::start(move |seen| {
        match (seen.target.contains("/blobs/"), seen.header("authorization")) {
            (false, _) => {
                Reply::new(200, &[("content-type", IMAGE_MANIFEST_MEDIA_TYPE)], image.to_string())
            }
            (true, BASIC) => Reply::new(307, &[("location", &location)], ""),
            (true, _) => unauthorized("Basic realm=x"),
        }
    })
    .await;
    let settings = RegistrySettings {
        credentials: Some(Credentials { username: "me".to_owned(), password: Secret::new("pw") }),
        blob_hosts: vec![blobs.authority()],
        ..RegistrySettings::default()
    };
    let registries = with_settings(&server, settings);
    let wanted = Wanted::Tag("t".to_owned());
    let found = registries.manifest(&repository(), &wanted, ready(None), OTHER).await.unwrap();
    assert!(found.with_credentials);
    assert_eq!(blobs.requests()[0].header("authorization"), "");
}

#[tokio::test]
async fn credentials_are_taken_from_the_docker_configuration() {
    let server = TestServer::start(token_registry).await;
    tags_with_login(&server, r#"{"auth":"bWU6cHc="}"#).await;
    assert_eq!(server.requests()[1].header("authorization"), BASIC);
}

/// As Azure's registry wants it: `az acr login` leaves a refresh token.
#[tokio::test]
async fn an_identity_token_is_exchanged_in_a_form() {
    let server = TestServer::start(token_registry).await;
    tags_with_login(&server, r#"{"auth":"MDAwOg==","identitytoken":"refresh&me"}"#).await;
    let request = &server.requests()[1];
    assert_eq!((&*request.target, request.header("authorization")), ("/token?a=b", ""));
    assert_eq!(
        request.body,
        "service=the+service&scope=repository%3Ax%2Fy%3Apull&grant_type=refresh_token&\
         client_id=wintag&refresh_token=refresh%26me"
    );
}

#[tokio::test]
async fn a_project_before_the_repository_is_part_of_its_path_and_scope() {
    let server = TestServer::start(|seen| {
        if seen.target.starts_with("/token") {
            return Reply::ok(r#"{"token":"good"}"#);
        }
        match seen.header("authorization") {
            "Bearer good" => Reply::ok(r#"{"tags":["a"]}"#),
            // Without a scope, as some registries do.
            _ => unauthorized(&format!("Bearer realm=\"http://{}/token\"", seen.header("host"))),
        }
    })
    .await;
    let mirror = Some(format!("http://{}/v2/proxy", server.authority()).parse().unwrap());
    let settings = RegistrySettings { mirror, ..RegistrySettings::default() };
    let registries = Registries::new(RegistriesSettings {
        registries: BTreeMap::from([("a.example".to_owned(), settings)]),
        docker_config: Some("/nowhere/config.json".into()),
    })
    .unwrap();
    for _ in 0..2 {
        assert_eq!(tags(&registries).await.unwrap(), ["a"]);
    }
    let list = "/v2/proxy/x/y/tags/list";
    let token = "/token?scope=repository%3Aproxy%2Fx%2Fy%3Apull";
    assert_eq!(server.targets(), [list, token, list, list]);
    let url = format!("http://{}/v2/proxy", server.authority());
    assert_eq!(registries.server_of("a.example"), format!("the mirror {url} of a.example"));
}

#[tokio::test]
async fn x04_a_foreign_token_service_gets_no_credentials() {
    let foreign = TestServer::start(token_registry).await;
    let realm =
        format!("http://localhost:{}/token", foreign.authority().split_once(':').unwrap().1);
    let challenge = realm.clone();
    let server = TestServer::start(move |seen| match seen.header("authorization") {
        "Bearer good" => Reply::ok(r#"{"tags":["a"]}"#),
        _ => bearer(&challenge),
    })
    .await;
    // It is not even reached, being neither pinned nor public.
    assert!(is_invalid(tags(&with_credentials(&server)).await));
    assert_eq!(foreign.connections(), 0);

    // The operator may name it.
    let settings = RegistrySettings {
        credentials: Some(Credentials { username: "me".to_owned(), password: Secret::new("pw") }),
        token_hosts: vec!["localhost".to_owned()],
        ..RegistrySettings::default()
    };
    assert_eq!(tags(&with_settings(&server, settings)).await.unwrap(), ["a"]);
    assert_eq!(foreign.requests()[0].header("authorization"), BASIC);
}

#[tokio::test]
async fn x04_a_token_service_may_not_redirect() {
    let server = TestServer::start(|seen| match seen.target.starts_with("/token") {
        true => Reply::new(307, &[("location", "/elsewhere")], ""),
        false => bearer(&format!("http://{}/token", seen.header("host"))),
    })
    .await;
    assert!(is_invalid(tags(&with_credentials(&server)).await));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_token_that_is_not_accepted_ends_the_exchange() {
    let server = TestServer::start(|seen| match seen.target.starts_with("/token") {
        true => Reply::ok(r#"{"token":"bad"}"#),
        false => bearer(&format!("http://{}/token", seen.header("host"))),
    })
    .await;
    let registries = registries(&server);
    assert_eq!(tags(&registries).await, Err(RegistryError::Refused { status: 401 }));
    assert_eq!(server.requests().len(), 3);
    // The next one tries the token it has, then one new token.
    assert_eq!(tags(&registries).await, Err(RegistryError::Refused { status: 401 }));
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn wrong_credentials_end_the_exchange() {
    let basic = TestServer::start(|_| unauthorized("Basic realm=x")).await;
    assert_eq!(tags(&with_credentials(&basic)).await, Err(RegistryError::Refused { status: 401 }));
    assert_eq!(basic.requests().len(), 2);
    assert_eq!(tags(&registries(&basic)).await, Err(RegistryError::Refused { status: 401 }));
    assert_eq!(basic.requests().len(), 3);
    for (status, expected) in [
        (401, RegistryError::Refused { status: 401 }),
        (429, RegistryError::RateLimited { retry_after: None }),
        (
            500,
            RegistryError::Unavailable {
                detail: "it answered with status 500".to_owned(),
                retry_after: None,
                is_answer: true,
            },
        ),
    ] {
        let server = TestServer::start(move |seen| match seen.target.starts_with("/token") {
            true => Reply::new(status, &[], ""),
            false => bearer(&format!("http://{}/token", seen.header("host"))),
        })
        .await;
        assert_eq!(tags(&with_credentials(&server)).await, Err(expected));
    }
}

#[tokio::test]
async fn a_wrong_password_is_sent_once_for_each_question() {
    let server = TestServer::start(|_| unauthorized("Basic realm=x")).await;
    let registries = with_credentials(&server);
    for questions in 1..=3 {
        assert_eq!(tags(&registries).await, Err(RegistryError::Refused { status: 401 }));
        let logins = server
            .requests()
            .iter()
            .filter(|request| request.header("authorization") == BASIC)
            .count();
        assert_eq!(logins, questions);
    }
}

#[tokio::test]
async fn a_password_that_was_mended_is_sent() {
    let server = TestServer::start(|seen| match seen.header("authorization") {
        BASIC => Reply::ok(r#"{"tags":["a"]}"#),
        _ => unauthorized("Basic realm=x"),
    })
    .await;
    let file = docker_config("");
    let write = |auth: &str| {
        let config = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, server.authority());
        std::fs::write(file.path(), config).unwrap();
    };
    let registries = with_docker_config(&server, file.path());
    // `me:no`, then `me:pw`.
    write("bWU6bm8=");
    assert_eq!(tags(&registries).await, Err(RegistryError::Refused { status: 401 }));
    write("bWU6cHc=");
    assert_eq!(tags(&registries).await.unwrap(), ["a"]);
}

#[tokio::test]
async fn f13_a_token_that_ends_between_pages_is_replaced() {
    let count = AtomicUsize::new(0);
    let server = TestServer::start(move |seen| {
        let realm = format!("http://{}/token", seen.header("host"));
        match (seen.target.as_str(), seen.header("authorization")) {
            (target, _) if target.starts_with("/token") => Reply::ok(format!(
                r#"{{"token":"t{}","expires_in":300}}"#,
                count.fetch_add(1, Ordering::SeqCst)
            )),
            (LIST, "Bearer t0") => {
                Reply::new(200, &[("link", "<?last=a>; rel=next")], r#"{"tags":["a"]}"#)
            }
            ("/v2/x/y/tags/list?last=a", "Bearer t1") => Reply::ok(r#"{"tags":["b"]}"#),
            _ => bearer(&realm),
        }
    })
    .await;
    assert_eq!(tags(&registries(&server)).await.unwrap(), ["a", "b"]);
}
