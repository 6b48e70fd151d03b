//! The base image that an image is built on, as far as its name tells.

use std::sync::Arc;

use crate::answers::context::Context;
use crate::images::NamedImage;

/// The image itself if it is a base image, else its base by its name, else Server Core, on which
/// most images are built.
pub(super) fn base_of(
    context: &Context,
    written: Option<&str>,
    image: Option<&NamedImage>,
) -> Arc<NamedImage> {
    if let Some(image) = image.filter(|image| image.family.is_some()) {
        return Arc::new(image.clone());
    }
    let is_nano = written.is_some_and(|written| written.contains("nanoserver"));
    base_named(context, if is_nano { "nanoserver" } else { "servercore" })
}

/// A family of base images.
pub(super) fn base_named(context: &Context, name: &str) -> Arc<NamedImage> {
    let base = context
        .families
        .read(name)
        .expect("the two bases are families; a test reads the embedded table");
    Arc::new(base)
}
