//! Closed sets of words: enumerations whose values have one spelling each, which is the same in
//! parameters, answers, tables, metrics and logs. And the characters that no text of others may
//! bring into what people read.

/// Why a text is none of the words of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    /// The words of the set.
    pub allowed: &'static [&'static str],
}

impl std::fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "must be one of {}", self.allowed.join(", "))
    }
}

impl std::error::Error for UnknownWord {}

/// Control characters, line and paragraph separators, and direction marks (Unicode, UAX #9).
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// The text with a replacement for each character that [`is_unsafe`], for terminals and logs.
pub fn visible(text: &str) -> String {
    text.chars().map(|c| if is_unsafe(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Declares an enumeration and, for each value, its only spelling.
///
/// From the spelling come `ALL` and `WORDS` (in the order of declaration, which is also the order
/// of `as usize`), `as_str`, `Display`, `FromStr` (exact, case-sensitive), the JSON form, and the
/// schema in the OpenAPI document. Attributes are passed on, so that `#[derive(Default)]` and
/// `#[default]` work as usual. A spelling is taken as a token, because utoipa does not see through
/// a literal fragment and would put the names of the variants into the schema.
macro_rules! words {
    ($(
        $(#[$meta:meta])*
        $vis:vis enum $name:ident { $($(#[$value_meta:meta])* $value:ident = $word:tt,)+ }
    )+) => {$(
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize,
            utoipa::ToSchema,
        )]
        $vis enum $name {
            $($(#[$value_meta])* #[serde(rename = $word)] $value,)+
        }

        impl $name {
            /// The spelling of every value, in the order of declaration.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            /// Every value, in the order of declaration.
            pub const ALL: [Self; Self::WORDS.len()] = [$(Self::$value),+];

            /// The spelling of this value.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::words::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$value),)+
                    _ => Err($crate::words::UnknownWord { allowed: Self::WORDS }),
                }
            }
        }
    )+};
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    words! {
        /// The points of a compass, two of them.
        #[derive(Default)]
        enum Point {
            /// Up on most maps.
            #[default]
            North = "north",
            /// Down on most maps.
            SouthPole = "south-pole",
        }
    }

    #[test]
    fn a_word_is_spelt_the_same_everywhere() {
        for (at, point) in Point::ALL.into_iter().enumerate() {
            assert_eq!(point as usize, at);
            assert_eq!(point.to_string(), Point::WORDS[at]);
            assert_eq!(point.as_str().parse(), Ok(point));
            assert_eq!(serde_json::json!(point), Point::WORDS[at]);
        }
        assert_eq!(Point::default(), Point::North);
        let schema = serde_json::json!(<Point as utoipa::PartialSchema>::schema());
        assert_eq!(schema["enum"], serde_json::json!(Point::WORDS));
        let error = "South-Pole".parse::<Point>().expect_err("words are case-sensitive");
        assert_eq!(error.to_string(), "must be one of north, south-pole");
    }
}
