//! Statuses and broken transport: what each is taken for.

use super::*;

#[tokio::test]
async fn f10_only_status_200_is_read() {
    let body = r#"{"tags":["a"]}"#;
    let check = async |status: u16, headers: &'static [(&str, &str)], expected: RegistryError| {
        let server = TestServer::start(move |_| Reply::new(status, headers, body)).await;
        let found = tags(&registries(&server)).await.unwrap_err();
        assert_eq!(std::mem::discriminant(&found), std::mem::discriminant(&expected), "{status}");
        let says = matches!(
            expected,
            RegistryError::Invalid { .. } | RegistryError::Unavailable { retry_after: None, .. }
        );
        assert!(says || found == expected, "{status} {found:?}");
        // F07: a registry in trouble that does not say for how long is asked three times.
        let attempts = if matches!(expected, RegistryError::Unavailable { retry_after: None, .. }) {
            3
        } else {
            1
        };
        assert_eq!(server.requests().len(), attempts, "{status}");
    };
    let invalid = || RegistryError::invalid("");
    for status in [203, 206, 302, 307, 400, 418] {
        check(status, &[], invalid()).await;
    }
    check(302, &[("location", "/v2/x/y/tags/list?again")], invalid()).await;
    check(401, &[], RegistryError::Refused { status: 401 }).await;
    check(403, &[], RegistryError::Refused { status: 403 }).await;
    check(404, &[], RegistryError::NotFound { what: Missing::Repository }).await;
    check(429, &[], RegistryError::RateLimited { retry_after: None }).await;
    let seven = Some(Duration::from_secs(7));
    check(429, &[("retry-after", "7")], RegistryError::RateLimited { retry_after: seven }).await;
    for status in [500, 504] {
        check(status, &[], RegistryError::unavailable("")).await;
    }
    let detail = "it answered with status 503".to_owned();
    let unavailable = RegistryError::Unavailable { detail, retry_after: seven, is_answer: true };
    check(503, &[("retry-after", "7")], unavailable).await;
}

#[tokio::test]
async fn h07_names_that_a_mirror_answers_with_500_stop_no_other_name() {
    let server = TestServer::start(|seen| match seen.target.contains("/broken/") {
        true => Reply::new(500, &[], "no such name"),
        false => Reply::ok(r#"{"tags":["a"]}"#),
    })
    .await;
    let registries = registries(&server);
    let list = async |name: &str| {
        let repository = Repository::parse(&format!("a.example/{name}")).unwrap();
        registries.list_tags(&repository, OTHER).await.map(|tags| tags.value.names)
    };
    list("x/y").await.unwrap();
    for number in 0..20 {
        let error = list(&format!("broken/{number}")).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unavailable { is_answer: true, .. }), "{error}");
    }
    assert_eq!(registries.circuits().collect::<Vec<_>>(), [("a.example", false)]);
    list("x/z").await.unwrap();
    // The fifth failure in a row stops the requests for that name.
    let error = loop {
        let error = list("broken/0").await.unwrap_err();
        if matches!(error, RegistryError::Suspended { .. }) {
            break error;
        }
    };
    assert!(error.to_string().contains("this repository"), "{error}");
    let asked = |target: &str| server.targets().iter().filter(|seen| seen.contains(target)).count();
    assert_eq!(asked("/broken/0/"), 5);
}

#[tokio::test]
async fn f06_errors_never_repeat_what_was_received() {
    for (status, headers) in [(429, "text/plain"), (503, "text/html"), (200, "text/html")] {
        let server = TestServer::start(move |_| {
            Reply::new(status, &[("content-type", headers)], "Ref A: canary\x1b[31m")
        })
        .await;
        let registries = registries(&server);
        for error in
            [tags(&registries).await.unwrap_err(), manifest(&registries).await.unwrap_err()]
        {
            let text = format!("{error} {error:?}");
            assert!(!text.contains("Ref A") && !text.contains('\x1b'), "{text}");
        }
    }
}

#[tokio::test]
async fn f04_a_slow_body_ends_at_the_time_for_the_exchange() {
    let Reply::Bytes(bytes) = Reply::ok(r#"{"tags":["a"]}"#) else { unreachable!() };
    let server = TestServer::start(move |_| Reply::Trickle(bytes.clone())).await;
    let registries = with_timeout(&server, RegistrySettings::default(), Duration::from_millis(300));
    let started_at = Instant::now();
    assert_eq!(tags(&registries).await, Err(RegistryError::TimedOut));
    assert!(started_at.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn h23_a_flood_of_interim_responses_ends_with_the_request() {
    let ended = Arc::new(Notify::new());
    let notified = ended.clone();
    let hint = b"HTTP/1.1 103 Early Hints\r\n\r\n";
    let server = TestServer::start(move |_| Reply::Flood(hint, notified.clone())).await;
    let registries = with_timeout(&server, RegistrySettings::default(), Duration::from_millis(300));
    assert_eq!(tags(&registries).await, Err(RegistryError::TimedOut));
    tokio::time::timeout(Duration::from_secs(5), ended.notified()).await.expect("it is closed");
}

#[tokio::test]
async fn f03_a_broken_connection_is_tried_once_more() {
    let count = AtomicUsize::new(0);
    let recovering = TestServer::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::HangUp,
        _ => Reply::ok(r#"{"tags":["a"]}"#),
    })
    .await;
    assert_eq!(tags(&registries(&recovering)).await.unwrap(), ["a"]);

    let dead = TestServer::start(|_| Reply::HangUp).await;
    assert!(matches!(tags(&registries(&dead)).await, Err(RegistryError::Unavailable { .. })));
    assert_eq!(dead.requests().len(), 2);

    // Cut within the header, and within the body.
    for cut in [10, 90] {
        let cut = TestServer::start(move |_| {
            let Reply::Bytes(bytes) = Reply::ok(r#"{"tags":["a"]}     "#.repeat(5)) else {
                unreachable!()
            };
            Reply::Bytes(bytes[..cut].to_vec())
        })
        .await;
        assert!(matches!(tags(&registries(&cut)).await, Err(RegistryError::Unavailable { .. })));
        assert_eq!(cut.requests().len(), 2);
    }
}

#[tokio::test]
async fn f08_malformed_headers_and_closed_ports_are_an_outage() {
    let server =
        TestServer::start(|_| Reply::Bytes(b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n{}".to_vec()))
            .await;
    assert!(matches!(tags(&registries(&server)).await, Err(RegistryError::Unavailable { .. })));

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = RegistrySettings {
        mirror: Some(format!("http://127.0.0.1:{port}").parse().unwrap()),
        ..RegistrySettings::default()
    };
    let registries = Registries::new(RegistriesSettings {
        registries: BTreeMap::from([("a.example".to_owned(), settings)]),
        docker_config: None,
    });
    let error = tags(&registries.unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "the registry is unavailable: the connection was refused");
}

#[tokio::test]
async fn s07_bodies_are_cut_off_at_the_cap() {
    const CAP: usize = 4 << 20;
    // Announced and true; announced and false; not announced.
    let announced = TestServer::start(|_| Reply::ok(vec![b' '; CAP + 1])).await;
    assert!(is_invalid(manifest(&registries(&announced)).await));
    let claimed = TestServer::start(|_| {
        Reply::Bytes(
            b"HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: 99999999999\r\n\r\n{}"
                .to_vec(),
        )
    })
    .await;
    assert!(is_invalid(tags(&registries(&claimed)).await));
    let unannounced = TestServer::start(|_| {
        let mut bytes = b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n".to_vec();
        bytes.resize(bytes.len() + CAP + 1, b' ');
        Reply::Bytes(bytes)
    })
    .await;
    assert!(is_invalid(tags(&registries(&unannounced)).await));
    assert_eq!(unannounced.requests().len(), 1);
    let packed = TestServer::start(|_| Reply::new(200, &[("content-encoding", "gzip")], "x")).await;
    assert!(is_invalid(tags(&registries(&packed)).await));
}
