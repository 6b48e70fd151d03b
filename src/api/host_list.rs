//! Parameters that are lists: the hosts of a fleet, the hosts and images of the matrix.

use super::params::Params;
use super::problem::NOT_ALLOWED;
use super::reading::{self, Reading, Refused};
use crate::answers::AskedHost;
use crate::windows::MAX_FLEET_HOSTS;

/// The most items of a list.
const MAX_LIST: usize = MAX_FLEET_HOSTS;
/// An example for error texts.
const EXAMPLE_HOSTS: &str = "ltsc2019,ltsc2022";

/// The parameter `hosts` or `fleet`, one of which is required.
pub fn read_hosts_or_fleet(params: &mut Params, reading: Reading<'_>) -> Option<Vec<AskedHost>> {
    let hosts = read_hosts(params, reading);
    if hosts.is_none() && !params.is_refused("fleet") {
        // Notes it if there are none.
        params.required("hosts", EXAMPLE_HOSTS);
    }
    hosts
}

/// The parameter `hosts` or `fleet`, if one is given.
pub fn read_hosts(params: &mut Params, reading: Reading<'_>) -> Option<Vec<AskedHost>> {
    let hosts = read_list(params, "hosts", |text| {
        reading::decided("hosts", reading.read_host("hosts", text, None)?)
    });
    let Some(name) = params.optional("fleet") else { return hosts };
    if hosts.is_some() {
        let message = "names hosts too; give hosts or fleet, not both";
        params.refuse("fleet", NOT_ALLOWED, message.to_owned());
        return None;
    }
    let fleet = reading.fleets.get(&name);
    if fleet.is_none() {
        let known: Vec<String> = reading.fleets.keys().cloned().collect();
        let message = match known.as_slice() {
            [] => "the configuration file has no fleets; add [fleets.NAME] with hosts, or give \
                   hosts"
                .to_owned(),
            known => format!("the fleets of the configuration file are {}", known.join(", ")),
        };
        params.refuse_among("fleet", NOT_ALLOWED, message, known);
    }
    fleet.map(|hosts| hosts.iter().map(|host| AskedHost::new(host.clone(), Vec::new())).collect())
}

/// The items of a list. A problem names its item by number, because texts are not repeated.
pub fn read_list<T>(
    params: &mut Params,
    name: &str,
    read: impl Fn(&str) -> Result<T, Refused>,
) -> Option<Vec<T>> {
    let list = params.optional(name)?;
    let texts = split_list(&list);
    if texts.is_empty() {
        params.refuse(
            name,
            "empty",
            "the list is empty; give at least one item or leave it out".to_owned(),
        );
    }
    if texts.len() > MAX_LIST {
        params.refuse(name, "too-many", format!("at most {MAX_LIST} items are allowed"));
        return None;
    }
    let mut items = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        match read(text) {
            Ok(item) => items.push(item),
            Err((kind, mut error)) => {
                if texts.len() > 1 {
                    error.message = format!("item {}: {}", at + 1, error.message);
                }
                params.refuse_with((kind, error));
            }
        }
    }
    Some(items)
}

/// The items of a list. A comma followed by a space belongs to a name (`Windows Server, version
/// 1709`).
fn split_list(list: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut rest = list;
    let mut from = 0;
    while let Some(found) = rest.get(from..).and_then(|tail| tail.find([',', ';'])) {
        let at = from + found;
        let in_a_name = rest[at..].starts_with(", version") || rest[at..].starts_with(", Version");
        if in_a_name {
            from = at + 1;
            continue;
        }
        items.push(rest[..at].trim());
        rest = &rest[at + 1..];
        from = 0;
    }
    items.push(rest.trim());
    items.retain(|item| !item.is_empty());
    items
}

#[cfg(test)]
mod tests {
    use super::split_list;

    #[test]
    fn a_comma_in_a_name_does_not_split_it() {
        assert_eq!(split_list("1709, ltsc2019;20348,"), ["1709", "ltsc2019", "20348"]);
        assert_eq!(
            split_list("Windows Server, version 1709,1803"),
            ["Windows Server, version 1709", "1803"]
        );
        assert!(split_list(" , ").is_empty());
    }
}
