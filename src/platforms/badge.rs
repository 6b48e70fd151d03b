//! Badges: a label and a message, for shields.io and as a picture.

use std::fmt;

use super::xml::Escaped;
use crate::words::words;

/// A badge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Badge {
    /// The subject, on the left.
    pub label: String,
    /// The answer, on the right.
    pub message: String,
    /// The colour of the message.
    pub colour: Colour,
}

words! {
    /// The colour of the message, by its name at shields.io. The message says the same in words,
    /// for readers who do not see colours.
    pub enum Colour {
        /// It runs in process isolation.
        Green = "green",
        /// It runs in Hyper-V isolation.
        Blue = "blue",
        /// It runs, but is out of support or may fail.
        Yellow = "yellow",
        /// No tag runs.
        Red = "red",
        /// Unknown.
        Grey = "lightgrey",
    }
}

impl Colour {
    /// The colour in the picture, dark enough for white text: a contrast of 4.5 and more (WCAG 2.2,
    /// 1.4.3).
    const fn rgb(self) -> &'static str {
        match self {
            Self::Green => "#2e7d32",
            Self::Blue => "#1565c0",
            Self::Yellow => "#7d5f00",
            Self::Red => "#b3261e",
            Self::Grey => "#6b6b6b",
        }
    }
}

/// The height of the picture, in pixels.
const HEIGHT: u32 = 20;
/// The margin on each side of a text, in tenths of a pixel.
const MARGIN: u32 = 55;

impl Badge {
    /// The picture, an SVG document. It has no identifiers, so that several can stand in one page.
    pub fn svg(&self) -> String {
        let (label_width, message_width) = (width_of(&self.label), width_of(&self.message));
        let (left, right) =
            ((label_width + 2 * MARGIN).div_ceil(10), (message_width + 2 * MARGIN).div_ceil(10));
        let (label, message) = (Escaped(&self.label), Escaped(&self.message));
        // The label lies on a plate that is as wide as both.
        let (width, colour) = (left + right, self.colour.rgb());
        let text = |from: u32, width: u32, text_width: u32, text: &Escaped<'_>| {
            let (middle, length) = (Tenths(from * 10 + width * 5), Tenths(text_width));
            format!("<text x=\"{middle}\" y=\"14\" textLength=\"{length}\">{text}</text>")
        };
        let texts =
            text(0, left, label_width, &label) + &text(left, right, message_width, &message);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{HEIGHT}\" \
             role=\"img\" aria-label=\"{label}: {message}\"><title>{label}: \
             {message}</title><rect width=\"{width}\" height=\"{HEIGHT}\" rx=\"3\" \
             fill=\"{colour}\"/><path d=\"M3 0H{left}V{HEIGHT}H3a3 3 0 0 1 -3 -3V3a3 3 0 0 1 3 \
             -3z\" fill=\"#444\"/><g fill=\"#fff\" font-family=\"Verdana,DejaVu \
             Sans,Geneva,sans-serif\" font-size=\"11\" text-anchor=\"middle\">{texts}</g></svg>\n"
        )
    }
}

/// About how wide a text is in Verdana of 11 pixels, in tenths of a pixel. The picture makes the
/// text exactly so wide, in whatever font there is.
fn width_of(text: &str) -> u32 {
    let width = |character: char| match character {
        'i' | 'j' | 'l' => 32,
        ' ' | 'f' | 't' | 'r' | '.' | ',' | ':' | '/' | '-' | '(' | ')' => 45,
        'm' | 'w' | 'M' | 'W' | '@' => 105,
        'A'..='Z' => 78,
        _ => 69,
    };
    text.chars().map(width).sum()
}

/// A number of tenths, as SVG writes numbers.
struct Tenths(u32);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(label: &str, message: &str) -> String {
        Badge { label: label.to_owned(), message: message.to_owned(), colour: Colour::Green }.svg()
    }

    /// The names of all elements and attributes.
    fn names(svg: &str) -> Vec<&str> {
        let tags = svg.split('<').skip(1).filter_map(|tag| tag.split('>').next());
        let of_tag =
            |tag: &'_ str| -> Vec<usize> { tag.match_indices("=\"").map(|(at, _)| at).collect() };
        tags.flat_map(|tag| {
            let attributes = of_tag(tag).into_iter().filter_map(|at| tag[..at].rsplit(' ').next());
            tag.split([' ', '/']).take(1).chain(attributes).collect::<Vec<_>>()
        })
        .collect()
    }

    #[test]
    fn o04_a_text_cannot_leave_its_place() {
        let plain = svg("label", "message");
        for hostile in [
            "<script>alert(1)</script>",
            "</text><image href=\"https://evil.example/x\"/>",
            "\" onload=\"alert(1)",
            "' onload='alert(1)",
            "&lt;![CDATA[ &x; ]]>",
            "]]><!--",
            "\u{0}\u{1b}[31m\n\u{ffff}",
        ] {
            for (label, message) in [(hostile, "message"), ("label", hostile)] {
                let svg = svg(label, message);
                assert_eq!(names(&svg), names(&plain), "{svg}");
                assert!(!svg.trim_end().chars().any(char::is_control), "{svg:?}");
            }
        }
        assert!(svg("a", "<&>\"'").contains("<title>a: &lt;&amp;&gt;&quot;&#39;</title>"));
    }

    #[test]
    fn the_picture_is_as_wide_as_its_texts() {
        let width = |svg: &str| -> u32 {
            let from = svg.split_once(" width=\"").unwrap().1;
            from.split_once('"').unwrap().0.parse().unwrap()
        };
        let short = width(&svg("nanoserver @17763", "1809"));
        let long = width(&svg("nanoserver @17763", "windowsservercore-10.0.14393.1715"));
        assert_eq!(width(&svg("", "")), 22);
        assert!(long > short + 150, "{short} {long}");
    }
}
