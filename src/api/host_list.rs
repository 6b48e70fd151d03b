//! Parameters that are lists: the hosts of a fleet, the hosts and images of the matrix.

use super::params::Params;
use super::problem::NOT_ALLOWED;
use super::reading::{self, Reading, Refused};
use crate::answers::AskedHost;
use crate::platforms::node::{SkipReason, Skipped};
use crate::windows::{Host, MAX_FLEET_HOSTS};

/// The most items of a list.
const MAX_LIST: usize = MAX_FLEET_HOSTS;
/// The longest text of a host that is shown as its name. Ours: longer than any name of a release.
const MAX_SHOWN_BYTES: usize = 64;
/// An example for error texts.
const EXAMPLE_HOSTS: &str = "ltsc2019,ltsc2022";

/// The parameter `hosts` or `fleet`, one of which is required.
pub fn read_hosts_or_fleet(params: &mut Params, reading: Reading<'_>) -> Option<Vec<AskedHost>> {
    let hosts = read_hosts(params, reading);
    require(params, hosts)
}

/// As [`read_hosts_or_fleet`], but a host that cannot be read is skipped, unless none can.
pub fn read_hosts_apart(
    params: &mut Params,
    reading: Reading<'_>,
) -> Option<Vec<Result<AskedHost, Skipped>>> {
    let read = |text: &str| reading::decided("hosts", reading.read_host("hosts", text, None)?);
    let hosts = texts_of(params, "hosts").map(|texts| {
        let read: Vec<_> = texts.iter().map(|text| read(text)).collect();
        let all_refused = read.iter().all(Result::is_err);
        let count = texts.len();
        let hosts =
            texts.iter().zip(read).enumerate().filter_map(|(at, (text, host))| match host {
                Ok(host) => Some(Ok(host)),
                Err(refused) if all_refused => {
                    params.refuse_with(item(at, count, refused));
                    None
                }
                Err(refused) => Some(Err(skipped(text, item(at, count, refused)))),
            });
        hosts.collect()
    });
    let hosts = or_fleet(params, reading, hosts, Ok);
    require(params, hosts)
}

/// Notes it if there are no hosts.
fn require<T>(params: &mut Params, hosts: Option<Vec<T>>) -> Option<Vec<T>> {
    if hosts.is_none() && !params.is_refused("fleet") {
        params.required("hosts", EXAMPLE_HOSTS);
    }
    hosts
}

/// The parameter `hosts` or `fleet`, if one is given.
pub fn read_hosts(params: &mut Params, reading: Reading<'_>) -> Option<Vec<AskedHost>> {
    let hosts = read_list(params, "hosts", |text| {
        reading::decided("hosts", reading.read_host("hosts", text, None)?)
    });
    or_fleet(params, reading, hosts, |host| host)
}

/// These hosts, or those of the parameter `fleet`.
fn or_fleet<T>(
    params: &mut Params,
    reading: Reading<'_>,
    hosts: Option<Vec<T>>,
    of_fleet: impl Fn(AskedHost) -> T,
) -> Option<Vec<T>> {
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
    let host = |host: &Host| of_fleet(AskedHost::new(host.clone(), Vec::new()));
    fleet.map(|hosts| hosts.iter().map(host).collect())
}

/// The host that is skipped. Its text is its name, if it can be shown.
fn skipped(text: &str, (_, error): Refused) -> Skipped {
    let is_shown = text.len() <= MAX_SHOWN_BYTES && !text.contains(char::is_control);
    let reason = SkipReason::HostNotRead { code: error.code, message: error.message };
    Skipped { name: is_shown.then(|| text.to_owned()), reason }
}

/// The items of a list. A problem names its item by number, because texts are not repeated.
pub fn read_list<T>(
    params: &mut Params,
    name: &str,
    read: impl Fn(&str) -> Result<T, Refused>,
) -> Option<Vec<T>> {
    let texts = texts_of(params, name)?;
    let mut items = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        match read(text) {
            Ok(found) => items.push(found),
            Err(refused) => params.refuse_with(item(at, texts.len(), refused)),
        }
    }
    Some(items)
}

/// The problem of the item at this position of a list.
fn item(at: usize, count: usize, (kind, mut error): Refused) -> Refused {
    if count > 1 {
        error.message = format!("item {}: {}", at + 1, error.message);
    }
    (kind, error)
}

/// The texts of a list; an empty one, and one that is too long, are noted.
fn texts_of(params: &mut Params, name: &str) -> Option<Vec<String>> {
    let list = params.optional(name)?;
    let texts: Vec<String> = split_list(&list).into_iter().map(str::to_owned).collect();
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
    Some(texts)
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
