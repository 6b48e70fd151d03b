//! The rate limit of a registry: what is reserved, and what one client may use.

use super::*;

#[tokio::test]
async fn h04_a_client_over_its_part_is_refused_and_the_registry_is_not_to_blame() {
    let server = TestServer::start(|_| Reply::ok(r#"{"tags":["a"]}"#)).await;
    // Half of it is reserved, and a tenth of the rest is three requests.
    let settings = RegistrySettings { requests_per_hour: Some(60), ..RegistrySettings::default() };
    let registries = with_settings(&server, settings);
    let ask = async |client: u64, count: usize| {
        for _ in 0..count {
            let purpose = Purpose::Other { client: Some(client) };
            registries.list_tags(&repository(), purpose).await?;
        }
        Ok::<_, RegistryError>(())
    };
    ask(1, 3).await.unwrap();
    let refused = ask(1, 1).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Suspended { is_of_client: true, .. }), "{refused}");
    assert!(refused.retry_after().is_some_and(|wait| wait >= Duration::from_secs(60)));
    assert_eq!((server.requests().len(), registries.failures().count()), (3, 0));
    for client in 2..=10 {
        ask(client, 3).await.unwrap();
    }
    let refused = ask(11, 1).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Suspended { is_of_client: false, .. }), "{refused}");
    registries.list_tags(&repository(), Purpose::Reserved).await.unwrap();
    assert_eq!(server.requests().len(), 31);
}
