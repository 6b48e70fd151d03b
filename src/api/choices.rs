//! Parameters that several operations share: their schemas and words.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, Object, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::params::Params;
use crate::images::{Architecture, MAX_TAG_BYTES};
use crate::platforms::formats::TextFormat;
use crate::windows::{Isolation, Platform};

/// The grammar of an image without tag or digest (distribution, reference.go).
const IMAGE_PATTERN: &str = "^([A-Za-z0-9]+(-+[A-Za-z0-9]+)*(\\.[A-Za-z0-9]+(-+[A-Za-z0-9]+)*)*\
                             (:[0-9]+)?/)?[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*\
                             (/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*$";
/// The longest image of that grammar in bytes: a registry of 109 and a path of 127 bytes.
const MAX_IMAGE_BYTES: usize = 237;
/// The grammar of a tag.
const TAG_PATTERN: &str = "(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$";

/// A family or a repository.
pub struct ImageName(pub String);

impl PartialSchema for ImageName {
    fn schema() -> RefOr<Schema> {
        image_schema(
            "A family of base images, or a repository, also by its old Docker Hub name.",
            IMAGE_PATTERN.to_owned(),
            MAX_IMAGE_BYTES,
        )
    }
}

impl ToSchema for ImageName {}

/// A family or a repository, and a tag.
pub struct TaggedImage(pub String);

impl PartialSchema for TaggedImage {
    fn schema() -> RefOr<Schema> {
        image_schema(
            "A family of base images, or a repository, also with a tag.",
            format!("{}{TAG_PATTERN}", IMAGE_PATTERN.trim_end_matches('$')),
            MAX_IMAGE_BYTES + 1 + MAX_TAG_BYTES,
        )
    }
}

impl ToSchema for TaggedImage {}

fn image_schema(description: &str, pattern: String, max_bytes: usize) -> RefOr<Schema> {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .min_length(Some(1))
        .max_length(Some(max_bytes))
        .pattern(Some(pattern));
    RefOr::T(Schema::Object(schema.build()))
}

/// Where the container runs, or the platform in the command of an engine.
pub struct PlatformChoice(pub String);

impl PartialSchema for PlatformChoice {
    fn schema() -> RefOr<Schema> {
        let architectures = Architecture::WORDS.join("|");
        let of_command = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("The platform in the command of an engine."))
            .pattern(Some(format!("^windows(\\(10\\.0\\.[0-9]{{1,5}}\\))?/({architectures})$")));
        let either = AnyOfBuilder::new().item(Platform::schema()).item(of_command);
        RefOr::T(Schema::AnyOf(either.build()))
    }
}

impl ToSchema for PlatformChoice {}

/// The acceptable isolation modes: any, or one.
pub struct IsolationChoice(pub Option<Isolation>);

impl IsolationChoice {
    /// Process isolation where it works, else Hyper-V isolation.
    const ANY: &'static str = "any";

    fn all() -> impl Iterator<Item = (&'static str, Option<Isolation>)> {
        let modes = Isolation::ALL.map(|isolation| (isolation.as_str(), Some(isolation)));
        std::iter::once((Self::ANY, None)).chain(modes)
    }

    /// The words of the parameter.
    pub fn words() -> Vec<&'static str> {
        Self::all().map(|(word, _)| word).collect()
    }

    /// Reads the parameter `isolation`; `None` if any mode is acceptable.
    pub fn read(params: &mut Params) -> Option<Isolation> {
        params.choice("isolation", &Self::all().collect::<Vec<_>>()).flatten()
    }
}

impl PartialSchema for IsolationChoice {
    fn schema() -> RefOr<Schema> {
        schema_of("Acceptable isolation modes.", Self::words())
    }
}

impl ToSchema for IsolationChoice {}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The whole answer.
    Json,
    /// Text for a tool.
    Text(TextFormat),
}

impl Format {
    /// The default of clients that accept text.
    pub const TAG: Self = Self::Text(TextFormat::Tag);

    /// Every form.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Json).chain(TextFormat::ALL.map(Self::Text))
    }

    /// The words of the parameter.
    pub fn words() -> Vec<&'static str> {
        Self::all().map(Self::as_str).collect()
    }

    /// The word of the parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text(format) => format.as_str(),
        }
    }

    /// The platform that the form is for, if it is for one only.
    pub(super) const fn platform(self) -> Option<Platform> {
        match self {
            Self::Json => None,
            Self::Text(format) => format.platform(),
        }
    }

    /// Reads the parameter `format`.
    pub(super) fn read(params: &mut Params) -> Option<Self> {
        let all: Vec<_> = Self::all().map(|format| (format.as_str(), format)).collect();
        params.choice("format", &all)
    }
}

impl PartialSchema for Format {
    fn schema() -> RefOr<Schema> {
        schema_of("Form of an answer.", Self::words())
    }
}

impl ToSchema for Format {}

fn schema_of(description: &str, words: Vec<&'static str>) -> RefOr<Schema> {
    let schema: Object = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .enum_values(Some(words))
        .build();
    RefOr::T(Schema::Object(schema))
}
