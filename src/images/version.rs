//! Versions of software, as tags have them: their order, their shape, and their day.

use jiff::civil::Date;

/// The numbers and words of a version, in the order of versions: `1.10` comes after `1.9`.
pub fn version_key(stem: &str) -> Vec<(Option<u64>, String)> {
    let key = |part: &str| {
        part.parse()
            .map_or_else(|_| (None, part.to_owned()), |number| (Some(number), String::new()))
    };
    stem.split(['.', '-', '_', '+']).map(key).collect()
}

/// A version with `#` for each of its numbers, and `date` for a day: `4.8-20250513` is
/// `#.#-date`. Versions of one shape can be compared.
pub fn version_shape(stem: &str) -> String {
    let mut shape = String::new();
    for part in stem.split_inclusive(|character: char| !character.is_ascii_digit()) {
        let digits = part.trim_end_matches(|character: char| !character.is_ascii_digit());
        shape.push_str(match digits.len() {
            0 => "",
            DATE_DIGITS => "date",
            _ => "#",
        });
        shape.push_str(part.strip_prefix(digits).unwrap_or_default());
    }
    shape
}

/// The day in a version: of `4.8-20250513` it is 2025-05-13.
pub fn day_of_version(stem: &str) -> Option<Date> {
    let is_day =
        |part: &&str| part.len() == DATE_DIGITS && part.bytes().all(|byte| byte.is_ascii_digit());
    stem.split('-').filter(is_day).find_map(|day| Date::strptime("%Y%m%d", day).ok())
}

/// The version without its days: of `4.8-20250513` it is `4.8`.
pub fn without_days(stem: &str) -> String {
    let parts: Vec<&str> = stem.split('-').filter(|part| day_of_version(part).is_none()).collect();
    parts.join("-")
}

/// A day in a version: `20250513`.
const DATE_DIGITS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_an_order_and_a_shape() {
        assert!(version_key("1.10") > version_key("1.9"));
        for (stem, shape) in [
            ("4.8-20250513", "#.#-date"),
            ("8.0.22", "#.#.#"),
            ("jdk21", "jdk#"),
            ("3355.v388858a_47b_33-5-jdk17", "#.v#a_#b_#-#-jdk#"),
            ("lts", "lts"),
            ("11.0.0-preview.6", "#.#.#-preview.#"),
        ] {
            assert_eq!(version_shape(stem), shape);
        }
        let day = |stem| day_of_version(stem).map(|day| day.to_string());
        assert_eq!(day("4.8-20250513").as_deref(), Some("2025-05-13"));
        assert_eq!((day("4.8-20251350"), day("4.8"), day("x20250513")), (None, None, None));
    }
}
