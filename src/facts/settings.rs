//! Which sources are read, and where they are.

use std::str::FromStr;

use url::Url;

use super::claim::Source;

/// A value of `--facts-from`: a source, perhaps at another place, or `none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactsFrom {
    /// No source is read.
    None,
    /// This source, at this place if it is not the usual one.
    At(Source, Option<Url>),
}

impl FromStr for FactsFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        let (name, url) = match text.split_once('=') {
            Some((name, url)) => (name, Some(url)),
            None => (text, None),
        };
        let source: Source = name
            .parse()
            .map_err(|_| format!("write none, or some of {}", Source::WORDS.join(", ")))?;
        let url = match url {
            Some(_) if source == Source::Registry => {
                return Err("registries are where --mirror says".to_owned());
            }
            Some(url) => {
                let url = format!("{}/", url.trim_end_matches('/'));
                let url =
                    Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
                Some(url.ok_or("write a URL that begins with https:// or http://")?)
            }
            None => None,
        };
        Ok(Self::At(source, url))
    }
}

/// The sources that are read, and the URL below which their documents are; registries have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactsSettings {
    pub(super) sources: Vec<(Source, Url)>,
    /// Whether registries are asked for tags that no question was about.
    pub asks_registries: bool,
}

impl FactsSettings {
    /// The settings for these values; without any, all sources are read at their usual places.
    ///
    /// # Errors
    /// When `none` is not the only value, or a source is named twice.
    pub fn of(values: &[FactsFrom]) -> Result<Option<Self>, String> {
        let all = Source::ALL.map(|source| FactsFrom::At(source, None));
        let values = if values.is_empty() { &all } else { values };
        if values == [FactsFrom::None] {
            return Ok(None);
        }
        let mut settings = Self { sources: Vec::new(), asks_registries: false };
        for value in values {
            let FactsFrom::At(source, url) = value else {
                return Err("none goes with no other value".to_owned());
            };
            if settings.url(*source).is_some() {
                return Err(format!("{source} is there twice"));
            }
            match source {
                Source::Registry => settings.asks_registries = true,
                _ => {
                    settings.sources.push((*source, url.clone().unwrap_or_else(|| usual(*source))))
                }
            }
        }
        Ok(Some(settings))
    }

    pub(super) fn url(&self, source: Source) -> Option<&Url> {
        self.sources.iter().find(|(of, _)| *of == source).map(|(_, url)| url)
    }
}

/// Where a source is. These hosts and no others are asked unless the settings name others.
fn usual(source: Source) -> Url {
    let url = match source {
        Source::ReleaseInformation => "https://learn.microsoft.com/en-us/windows/release-health/",
        Source::Msrc => "https://api.msrc.microsoft.com/cvrf/v3.0/",
        Source::Registry | Source::Cve => {
            "https://raw.githubusercontent.com/CVEProject/cvelistV5/main/cves/"
        }
    };
    Url::parse(url).expect("a test reads it")
}
