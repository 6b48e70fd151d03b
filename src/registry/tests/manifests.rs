//! Manifests, configurations, and the redirects that lead to these.

use super::*;

fn index() -> String {
    let entry = |hex: char, rest: &str| {
        let hex = hex.to_string().repeat(64);
        format!(
            r#"{{"mediaType":"{}","size":1,"digest":"sha256:{hex}"{rest}}}"#,
            IMAGE_MANIFEST_MEDIA_TYPE
        )
    };
    let windows = entry(
        '1',
        r#","platform":{"os":"windows","architecture":"amd64","os.version":"10.0.20348.1"}"#,
    );
    let attestation = entry('2', r#","platform":{"os":"unknown","architecture":"unknown"}"#);
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{windows},{attestation}]}}"#,
        IMAGE_MANIFEST_LIST_MEDIA_TYPE
    )
}

#[tokio::test]
async fn an_index_is_read_from_one_answer() {
    let server = TestServer::start(|_| {
        Reply::new(
            200,
            &[("docker-content-digest", Digest::of(index().as_bytes()).as_str())],
            index(),
        )
    })
    .await;
    let registries = registries(&server);
    let manifest = manifest(&registries).await.unwrap();
    assert_eq!(
        (manifest.digest.clone(), manifest.is_index),
        (Digest::of(index().as_bytes()), true)
    );
    let roles: Vec<_> = manifest.entries.iter().map(|entry| entry.role).collect();
    assert_eq!(roles, [EntryRole::Image, EntryRole::Attestation]);
    assert_eq!(manifest.entries[0].os_version.as_deref(), Some("10.0.20348.1"));
    assert_eq!(server.targets(), ["/v2/x/y/manifests/t"]);
    let accept = server.requests().remove(0).header("accept").to_owned();
    assert_eq!(accept.split(", ").count(), 4, "{accept}");

    let wanted = Wanted::Digest(manifest.digest.clone());
    assert_eq!(manifest_of(&registries, wanted, None).await, Ok(manifest));
}

#[tokio::test]
async fn x09_another_digest_is_refused() {
    let other = Digest::of(b"other");
    let announces = TestServer::start(move |_| {
        Reply::new(200, &[("docker-content-digest", Digest::of(b"other").as_str())], index())
    })
    .await;
    assert!(is_invalid(manifest(&registries(&announces)).await));
    let sends = TestServer::start(|_| Reply::ok(index())).await;
    assert!(is_invalid(manifest_of(&registries(&sends), Wanted::Digest(other), None).await));
}

#[tokio::test]
async fn tags_that_cannot_be_are_not_asked_for() {
    let server = TestServer::start(|_| Reply::ok(index())).await;
    let registries = registries(&server);
    for tag in ["", "../../_catalog", "a/b", "a?b", "-a", &"x".repeat(129)] {
        let found = manifest_of(&registries, Wanted::Tag(tag.to_owned()), None).await;
        assert_eq!(found, Err(RegistryError::NotFound { what: Missing::Manifest }), "{tag}");
    }
    assert_eq!(server.connections(), 0);
}

const CONFIG: &str = concat!(
    r#"{"os":"windows","architecture":"amd64","os.version":"10.0.17763.1","#,
    r#""os.features":["win32k"],"history":[{}]}"#,
);

fn image() -> String {
    let (digest, size) = (Digest::of(CONFIG.as_bytes()), CONFIG.len());
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE_MANIFEST_MEDIA_TYPE}","layers":[],
            "config":{{"mediaType":"{IMAGE_DOCKER_CONFIG_MEDIA_TYPE}","size":{size},
                "digest":"{digest}"}}}}"#
    )
}

/// Serves the image to `me:pw`; `blob` says what happens to its configuration.
async fn image_server(blob: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> TestServer {
    TestServer::start(move |seen| match seen.target.as_str() {
        "/v2/x/y/manifests/t" if seen.header("authorization") != BASIC => {
            unauthorized("Basic realm=x")
        }
        "/v2/x/y/manifests/t" => Reply::ok(image()),
        _ => blob(seen),
    })
    .await
}

#[tokio::test]
async fn a_single_image_is_read_with_its_configuration() {
    let server = image_server(|_| Reply::ok(CONFIG)).await;
    let manifest = manifest(&with_credentials(&server)).await.unwrap();
    assert_eq!(
        (manifest.digest.clone(), manifest.is_index),
        (Digest::of(image().as_bytes()), false)
    );
    let [entry] = manifest.entries.as_slice() else { panic!("{manifest:?}") };
    assert_eq!((&entry.digest, entry.role), (&manifest.digest, EntryRole::Image));
    assert_eq!(entry.os_version.as_deref(), Some("10.0.17763.1"));
    assert_eq!(entry.os_features, ["win32k"]);
    // User and password, once asked for, go with the requests that follow.
    let authorizations: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.header("authorization").to_owned())
        .collect();
    assert_eq!(authorizations, ["", BASIC, BASIC]);
}

#[tokio::test]
async fn an_index_spares_the_configuration_of_its_own_image_only() {
    let server = image_server(|_| Reply::ok(CONFIG)).await;
    let registries = with_credentials(&server);
    let described = async |digest: Digest, os_version: Option<&str>| {
        let image = manifest(&registries).await.unwrap().entries.remove(0);
        let os_version = os_version.map(str::to_owned);
        let entry = Entry { digest: digest.clone(), os_version, ..image };
        let index = Manifest { digest, is_index: true, entries: vec![entry] };
        let before = server.requests().len();
        let wanted = Wanted::Tag("t".to_owned());
        let found = manifest_of(&registries, wanted, Some(index)).await;
        let version = found.unwrap().entries.remove(0).os_version;
        (version.unwrap(), server.requests().len() - before)
    };
    let own = Digest::of(image().as_bytes());
    let said = |version: &str, requests: usize| (version.to_owned(), requests);
    assert_eq!(described(own.clone(), Some("10.0.17763.2")).await, said("10.0.17763.2", 1));
    assert_eq!(described(own, None).await, said("10.0.17763.1", 2));
    let other = Digest::of(b"other");
    assert_eq!(described(other, Some("10.0.17763.2")).await, said("10.0.17763.1", 2));
}

#[tokio::test]
async fn x09_another_configuration_is_refused() {
    for body in [
        CONFIG.replace("windows", "windoze"),
        CONFIG[1..].to_owned(),
        format!("{CONFIG} "),
        String::new(),
    ] {
        let server = image_server(move |_| Reply::ok(&body)).await;
        assert!(is_invalid(manifest(&with_credentials(&server)).await));
    }
    let server = image_server(|_| Reply::new(404, &[], "")).await;
    assert!(is_invalid(manifest(&with_credentials(&server)).await));
}

#[tokio::test]
async fn x06_credentials_end_where_a_redirect_leaves_the_server() {
    // Sends back to the host that stands in the query.
    let store = TestServer::start(|seen| {
        let back = format!("http://{}/back", seen.target.trim_start_matches("/?"));
        Reply::new(307, &[("location", &back)], "")
    })
    .await;
    let store_authority = store.authority();
    let server = image_server(move |seen| match seen.target.as_str() {
        "/back" => Reply::ok(CONFIG),
        "/here" => {
            let location = format!("http://{store_authority}/?{}", seen.header("host"));
            Reply::new(302, &[("location", &location)], "")
        }
        _ => Reply::new(307, &[("location", "/here")], ""),
    })
    .await;
    let credentials = Some(Credentials { username: "me".to_owned(), password: Secret::new("pw") });
    let blob_hosts = vec![store.authority()];
    let registries = with_settings(
        &server,
        RegistrySettings { credentials, blob_hosts, ..RegistrySettings::default() },
    );
    manifest(&registries).await.unwrap();
    let sent_to = |server: &TestServer, target: &str| {
        let request =
            server.requests().into_iter().find(|request| request.target == target).unwrap();
        request.header("authorization").to_owned()
    };
    assert_eq!(sent_to(&server, "/here"), BASIC);
    assert_eq!(sent_to(&store, &format!("/?{}", server.authority())), "");
    // They do not come back, even where the last redirect does.
    assert_eq!(sent_to(&server, "/back"), "");
}

#[tokio::test]
async fn x02_redirects_into_the_network_are_not_followed() {
    let inside = TestServer::start(|_| Reply::ok(CONFIG)).await;
    let port = inside.authority().split_once(':').unwrap().1.to_owned();
    for location in [
        // A name for what the literal address of the registry's own host could reach.
        format!("http://localhost:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://127.0.0.2:{port}/"),
        format!("http://127.0.0.1:{port}/"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let server = image_server(move |_| Reply::new(307, &[("location", &location)], "")).await;
        assert!(is_invalid(manifest(&with_credentials(&server)).await));
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn x02_redirects_end_after_three() {
    let server =
        image_server(|seen| Reply::new(307, &[("location", &format!("{}x", seen.target))], ""))
            .await;
    assert!(is_invalid(manifest(&with_credentials(&server)).await));
    // Two for the manifest, four for the configuration.
    assert_eq!(server.requests().len(), 6);
}

/// As registry.k8s.io, and only that one, does.
#[tokio::test]
async fn a_registry_may_redirect_lists_to_its_own_host_or_to_public_ones() {
    let server = TestServer::start(|seen| match &*seen.target {
        "/moved" => Reply::ok(r#"{"tags":["a"]}"#),
        "/v2/within/tags/list" => Reply::new(307, &[("location", "http://10.0.0.1/x")], ""),
        _ => Reply::new(307, &[("location", "/moved")], ""),
    })
    .await;
    let mirror: Option<url::Url> = Some(format!("http://{}", server.authority()).parse().unwrap());
    let settings = RegistrySettings { mirror, ..RegistrySettings::default() };
    let names = ["registry.k8s.io", "a.example"];
    let registries = Registries::new(RegistriesSettings {
        registries: names.map(|name| (name.to_owned(), settings.clone())).into(),
        docker_config: Some("/nowhere/config.json".into()),
    })
    .unwrap();
    let list =
        async |name: &str| registries.list_tags(&Repository::parse(name).unwrap(), OTHER).await;
    assert_eq!(list("registry.k8s.io/pause").await.unwrap().value.names, ["a"]);
    assert!(is_invalid(list("registry.k8s.io/within").await));
    assert!(is_invalid(list("a.example/x/y").await));
    assert_eq!(server.connections(), 4);
}
