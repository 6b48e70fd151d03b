//! Lists of tags: pages and their bounds.

use super::*;

#[tokio::test]
async fn all_pages_are_read() {
    let server = TestServer::start(|seen| match seen.target.as_str() {
        LIST => Reply::new(
            200,
            &[("link", r#"</v2/x/y/tags/list?last=b&n=2>; rel="next""#)],
            r#"{"tags":["c","b"]}"#,
        ),
        "/v2/x/y/tags/list?last=b&n=2" => {
            let link = format!(r#"<http://{}{LIST}?last=a>; rel="next""#, seen.header("host"));
            Reply::new(200, &[("link", &link)], r#"{"tags":["b","a"]}"#)
        }
        _ => Reply::ok(r#"{"tags":null}"#),
    })
    .await;
    assert_eq!(tags(&registries(&server)).await.unwrap(), ["c", "b", "a"]);
    assert_eq!(
        server.targets(),
        [LIST, "/v2/x/y/tags/list?last=b&n=2", "/v2/x/y/tags/list?last=a"]
    );
    let first = server.requests().remove(0);
    assert_eq!(first.header("user-agent"), concat!("wintag/", env!("CARGO_PKG_VERSION")));
    assert_eq!(first.header("accept-encoding"), "identity");
    assert_eq!((first.header("authorization"), first.header("traceparent")), ("", ""));
}

#[tokio::test]
async fn a_mirror_may_have_a_path() {
    let server = TestServer::start(|_| Reply::ok(r#"{"tags":["a"]}"#)).await;
    let mirror = Some(format!("http://{}/some/where", server.authority()).parse().unwrap());
    let settings = RegistrySettings { mirror, ..RegistrySettings::default() };
    let registries = Registries::new(RegistriesSettings {
        registries: BTreeMap::from([("a.example".to_owned(), settings)]),
        docker_config: None,
    });
    assert_eq!(tags(&registries.unwrap()).await.unwrap(), ["a"]);
    assert_eq!(server.targets(), [format!("/some/where{LIST}")]);
}

#[tokio::test]
async fn x07_the_next_page_is_not_sought_at_another_host() {
    let other = TestServer::start(|_| Reply::ok(r#"{"tags":["evil"]}"#)).await;
    let link = format!(r#"<http://{}{LIST}>; rel="next""#, other.authority());
    let server =
        TestServer::start(move |_| Reply::new(200, &[("link", &link)], r#"{"tags":["a"]}"#)).await;
    assert!(is_invalid(tags(&registries(&server)).await));
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn s06_paging_ends() {
    // The same page again; a page with nothing new; pages without end.
    let again =
        TestServer::start(|_| Reply::new(200, &[("link", "<?n=1>; rel=next")], r#"{"tags":[]}"#))
            .await;
    assert!(is_invalid(tags(&registries(&again)).await));
    assert_eq!(again.requests().len(), 1);

    let looping = AtomicUsize::new(0);
    let looping = TestServer::start(move |_| {
        let number = looping.fetch_add(1, Ordering::SeqCst);
        Reply::new(200, &[("link", "<?n=1>; rel=next")], format!(r#"{{"tags":["{number}"]}}"#))
    })
    .await;
    assert!(is_invalid(tags(&registries(&looping)).await));
    assert_eq!(looping.requests().len(), 2);

    let endless = AtomicUsize::new(0);
    let endless = TestServer::start(move |_| {
        let number = endless.fetch_add(1, Ordering::SeqCst);
        let link = format!("<?last={number}>; rel=next");
        Reply::new(200, &[("link", &link)], format!(r#"{{"tags":["{number}"]}}"#))
    })
    .await;
    assert!(is_invalid(tags(&registries(&endless)).await));
    assert_eq!(endless.requests().len(), 100);
}
