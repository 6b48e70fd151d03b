//! The parameters of `/matrix`.

use jiff::civil::Date;
use utoipa::IntoParams;

use super::params::Params;
use super::problem::Problem;
use super::reading::{self, Reading, Refused};
use crate::answers::{HostDescription, Matrix, MatrixHost, all_hosts, all_images, matrix};
use crate::windows::Platform;

/// The most hosts, and the most images, that are compared: twice as many as the tables hold.
const MAX_LIST: usize = 64;

/// The parameters of `/matrix`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MatrixParams {
    /// The hosts, separated by commas or semicolons, each as in `/resolve`; all known builds by
    /// default. At most 64.
    #[param(example = "ltsc2019,10.0.26100.4061", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub hosts: Option<String>,
    /// The images, separated by commas or semicolons: builds, versions or release words; all
    /// builds with base images by default. At most 64.
    #[param(example = "ltsc2022,10.0.26100.4061", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub images: Option<String>,
    /// Where the containers run; `docker` by default.
    #[param(inline)]
    pub platform: Option<Platform>,
}

/// Reads the parameters of `/matrix` and answers.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_matrix(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
    today: Date,
) -> Result<Matrix, Problem> {
    let tables = reading.tables;
    let mut params = Params::new::<MatrixParams>(pairs);
    let platform = params.word("platform").unwrap_or_default();
    let hosts = read_list(&mut params, "hosts", |text| {
        let host = reading::decided("hosts", reading.read_host("hosts", text, None)?)?;
        Ok(MatrixHost::of(&host, tables, today))
    });
    let images = read_list(&mut params, "images", |text| {
        let host = reading::decided("images", reading.read_version("images", text)?)?;
        Ok(HostDescription::of(&host, tables, today))
    });
    params.finish()?;
    let hosts = hosts.unwrap_or_else(|| all_hosts(tables, today));
    let images = images.unwrap_or_else(|| all_images(tables, today));
    Ok(matrix(hosts, images, platform))
}

/// The items of a list. A problem names its item by number, because texts are not repeated.
fn read_list<T>(
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
