//! F13, X04, X05, X17, H12: which hosts get a token or a password, and over which connection.

use std::os::unix::fs::PermissionsExt as _;

use futures_util::future::join_all;

use super::bed::{Bed, CANARY, case_of, check_of, resolve_of, service_with_mirror, tags_of};
use crate::support::misbehaving_registry::behaviour::{Behaviour, Response};
use crate::support::misbehaving_registry::holdings::{Holdings, tag_list};
use crate::support::misbehaving_registry::tls::Authority;
use crate::support::misbehaving_registry::{Asked, MisbehavingRegistry};
use crate::support::service::Service;

/// The header that shows user and password: the base64 of `reader:s3cret-canary`.
const BASIC: &str = "Basic cmVhZGVyOnMzY3JldC1jYW5hcnk=";

fn challenge(realm: &str) -> Behaviour {
    Behaviour::unauthorized(&format!(r#"Bearer realm="{realm}",service="x""#))
}

#[tokio::test]
async fn f13_a_token_of_any_stated_life_serves_its_exchange() {
    let lives = [
        "",
        r#","expires_in":0"#,
        r#","expires_in":9223372036854775808"#,
        r#","expires_in":-1"#,
        r#","expires_in":60,"issued_at":"2016-01-01T00:00:00Z""#,
        r#","expires_in":60,"issued_at":"2036-01-01T00:00:00Z""#,
    ];
    let bed = Bed::start(move |asked| {
        let token = asked
            .parameter("scope")
            .and_then(|scope| scope.split(['/', ':']).nth(2)?.parse::<usize>().ok());
        match (asked.path(), token) {
            ("/token", Some(case)) => {
                Behaviour::json(format!(r#"{{"token":"good"{}}}"#, lives[case]))
            }
            _ if asked.header("authorization") == "Bearer good" => tag_list(&["ltsc2022"]).into(),
            _ => challenge(&format!("http://{}/token", asked.header("host"))),
        }
    })
    .await;
    for (case, life) in lives.iter().enumerate() {
        assert_eq!(bed.service.json(&tags_of(case)).await["total"], 1, "{life}");
    }
}

#[tokio::test]
async fn x04_a_token_service_elsewhere_is_given_nothing() {
    let token = Behaviour::json(r#"{"token":"evil"}"#);
    let traps = [
        MisbehavingRegistry::trap("127.0.0.1", token.clone()).await,
        MisbehavingRegistry::trap("127.0.0.2", token).await,
    ];
    let realms = [
        format!("http://127.0.0.1:{}/token", traps[0].port()),
        format!("http://localhost:{}/token", traps[0].port()),
        format!("http://127.0.0.2:{}/token", traps[1].port()),
        format!("http://[::ffff:127.0.0.2]:{}/token", traps[1].port()),
        format!("http://2130706434:{}/token", traps[1].port()),
    ];
    let count = realms.len();
    let bed =
        Bed::start_with_credentials(move |asked| challenge(&realms[case_of(asked).unwrap_or(0)]))
            .await;
    // Every question that leads to the registry.
    for question in [tags_of, check_of, resolve_of] {
        for case in 0..count {
            let answer = bed.get(&question(case)).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["code"]),
                (502, &"upstream-invalid".into()),
                "{case}"
            );
            assert!(!answer.text.contains(CANARY));
        }
    }
    assert_eq!(traps.map(|trap| trap.connections()), [0, 0]);
}

#[tokio::test]
async fn x04_the_registrys_own_token_service_is_given_the_password_and_nobody_else() {
    let holdings = Holdings::usual();
    let bed = Bed::start_with_credentials(move |asked| {
        match (asked.path(), asked.header("authorization")) {
            ("/token", BASIC) => Behaviour::json(r#"{"token":"good"}"#),
            (_, "Bearer good") => holdings.answer(asked),
            _ => challenge(&format!("http://{}/token", asked.header("host"))),
        }
    })
    .await;
    bed.service.json(&resolve_of(0)).await;
    let shown: Vec<(String, String)> = bed
        .registry
        .requests()
        .iter()
        .map(|asked| (asked.path().to_owned(), asked.header("authorization").to_owned()))
        .collect();
    let with_password =
        shown.iter().filter(|(_, shown)| shown == BASIC).map(|(path, _)| path.as_str());
    assert_eq!(with_password.collect::<Vec<_>>(), ["/token"], "{shown:?}");
}

#[tokio::test]
async fn x04_a_token_service_may_not_send_the_password_on() {
    let trap = MisbehavingRegistry::trap("127.0.0.1", Behaviour::json(r#"{"token":"evil"}"#)).await;
    let target = format!("http://{}/token", trap.authority());
    let bed = Bed::start_with_credentials(move |asked| match asked.path() {
        "/token" => Behaviour::redirect(&target),
        _ => challenge(&format!("http://{}/token", asked.header("host"))),
    })
    .await;
    assert_eq!(bed.get(&tags_of(0)).await.status.as_u16(), 502);
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn x05_what_a_challenge_says_stays_in_its_place() {
    let bed = Bed::start(|asked| match asked.path() {
        "/token" => Behaviour::json(r#"{"token":"good"}"#),
        _ if asked.header("authorization") == "Bearer good" => tag_list(&["ltsc2022"]).into(),
        _ => {
            let realm = format!("http://{}/token#fragment", asked.header("host"));
            let bearer =
                format!(r#"Bearer realm="{realm}",service="a&scope=b#c",scope="d&account=e""#);
            Response::new(401, "")
                .header("www-authenticate", "Negotiate abc==")
                .header("www-authenticate", "Basic realm=\"x\"")
                .header("www-authenticate", bearer)
                .into()
        }
    })
    .await;
    bed.service.json(&tags_of(0)).await;
    let targets = bed.registry.targets();
    assert_eq!(targets[1], "/token?service=a%26scope%3Db%23c&scope=d%26account%3De", "{targets:?}");
}

/// A registry over TLS with a certificate for `name`, and a service that trusts `trusted`, if
/// it is given.
async fn over_tls(
    name: &str,
    trusted: Option<&Authority>,
    signed_by: &Authority,
    script: impl Fn(&Asked) -> Behaviour + Send + Sync + 'static,
) -> (MisbehavingRegistry, crate::support::service::Answer) {
    let registry = MisbehavingRegistry::start_tls(signed_by.server_for(name), script).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ca.pem");
    let settings = trusted.map_or_else(String::new, |authority| {
        std::fs::write(&file, authority.pem()).expect("it is writable");
        format!("ca_file = {file:?}\n")
    });
    let (service, _folder) =
        service_with_mirror(&format!("https://{}", registry.authority()), &settings, &[]);
    let answer = service.get(&tags_of(0)).await;
    (registry, answer)
}

#[tokio::test]
async fn x17_only_the_right_certificate_is_accepted() {
    let (ours, other) = (Authority::new(), Authority::new());
    let list = |_: &Asked| Behaviour::from(tag_list(&["ltsc2022"]));
    let (_, answer) = over_tls("127.0.0.1", Some(&ours), &ours, list).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    for (name, trusted) in
        [("127.0.0.1", None), ("127.0.0.1", Some(&other)), ("127.0.0.9", Some(&ours))]
    {
        let (registry, answer) = over_tls(name, trusted, &ours, list).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (503, &"upstream-unavailable".into()),
            "{name}"
        );
        assert_eq!(registry.requests().len(), 0);
    }
}

#[tokio::test]
async fn f14_a_certificate_out_of_its_time_is_an_outage() {
    let ours = Authority::new();
    let registry = MisbehavingRegistry::start_tls(ours.expired_server_for("127.0.0.1"), |_| {
        Behaviour::status(200)
    })
    .await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, ours.pem()).expect("it is writable");
    let settings = format!("ca_file = {file:?}\n");
    let (service, _folder) =
        service_with_mirror(&format!("https://{}", registry.authority()), &settings, &[]);
    assert_eq!(service.get(&tags_of(0)).await.status.as_u16(), 503);
    assert_eq!(service.get("/readyz").await.status.as_u16(), 200);
    assert_eq!(registry.requests().len(), 0);
}

#[tokio::test]
async fn x05_a_registry_over_tls_may_not_step_down() {
    let ours = Authority::new();
    let trap = MisbehavingRegistry::trap("127.0.0.1", Behaviour::json(r#"{"token":"evil"}"#)).await;
    let realm = format!("http://{}/token", trap.authority());
    let (_, answer) = over_tls("127.0.0.1", Some(&ours), &ours, move |_| challenge(&realm)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (502, &"upstream-invalid".into()));
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn h12_a_helper_that_hangs_costs_only_its_registry() {
    let start = || {
        MisbehavingRegistry::start(|asked| match (asked.path(), asked.header("authorization")) {
            ("/token", _) => Behaviour::json(r#"{"token":"good"}"#),
            (_, "Bearer good") => tag_list(&["ltsc2022"]).into(),
            _ => challenge(&format!("http://{}/token", asked.header("host"))),
        })
    };
    let (hanging, well) = (start().await, start().await);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it is writable");
        path.to_str().expect("the path is text").to_owned()
    };
    let helper = write("docker-credential-hang", "#!/bin/sh\nexec sleep 20\n".to_owned());
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(helper, executable).expect("it is ours");
    let helpers = format!(r#"{{"credHelpers":{{"{}":"hang"}}}}"#, hanging.authority());
    let helpers = write("config.json", helpers);
    let mirror = |case: usize, registry: &MisbehavingRegistry| {
        format!("[registries.\"c{case}.example\"]\nmirror = \"http://{}\"\n", registry.authority())
    };
    let config = write("wintag.toml", mirror(0, &hanging) + &mirror(1, &well));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", folder.path().display());
    let options = ["--config", &config, "--docker-config", &helpers];
    let service = Service::start_in(&options, &[("PATH", &path)]);
    let stuck =
        (0..4).map(async |name| service.get(&format!("/tags?image=c0.example/case/{name}")).await);
    let others = async {
        for name in 0..3 {
            let question = format!("/tags?image=c1.example/case/{name}");
            assert_eq!(service.json(&question).await["total"], 1);
        }
    };
    tokio::select! {
        answers = join_all(stuck) => panic!("the helper answered: {}", answers.len()),
        () = others => {}
    }
}
