//! Parameters of a request: all that is invalid is found, and reported together.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use utoipa::IntoParams;

use super::problem::{ErrorObject, NOT_ALLOWED, Problem, ProblemKind, UNKNOWN_PARAMETER, is_name};
use crate::windows::MAX_HOST_TEXT_BYTES;
use crate::words::UnknownWord;

/// The longest value: as long as the longest text of a host, which a body can carry. A query is
/// limited together with the path.
const MAX_VALUE_BYTES: usize = MAX_HOST_TEXT_BYTES;

/// How many problems of a request are reported, which is more than there are parameters: a short
/// request must not make a long answer.
const MAX_PROBLEMS: usize = 12;

/// The parameters of a request, and their problems.
pub struct Params {
    values: BTreeMap<String, Value>,
    /// The names that the operation documents. Listing them costs more than the rest of a request,
    /// so that it is done only to refuse a parameter.
    documented: LazyCell<Vec<String>>,
    problems: Vec<(ProblemKind, ErrorObject)>,
    /// How many problems there are beyond the limit.
    more_problems: usize,
}

struct Value {
    text: String,
    /// Whether the operation has looked at it.
    is_read: bool,
}

/// The parameters of an operation without any.
#[derive(IntoParams)]
pub struct NoParams {}

impl Params {
    /// The parameters of an operation, which allows the names that it documents.
    pub fn new<P: IntoParams>(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let names = || P::into_params(|| None).into_iter().map(|each| each.name).collect();
        let mut params = Self {
            values: BTreeMap::new(),
            documented: LazyCell::new(names),
            problems: Vec::new(),
            more_problems: 0,
        };
        for (name, value) in pairs {
            let too_long = value.len() > MAX_VALUE_BYTES;
            let repeated = params.values.contains_key(&name);
            if !(too_long || repeated) {
                params.values.insert(name, Value { text: value, is_read: false });
            } else if !params.documented.contains(&name) {
                params.refuse_unknown(&name);
            } else if too_long {
                let message = format!("must have at most {MAX_VALUE_BYTES} bytes");
                params.refuse(&name, "too-long", message);
            } else {
                params.refuse(&name, "repeated-parameter", "must be given only once".to_owned());
            }
        }
        params
    }

    fn refuse_unknown(&mut self, name: &str) {
        let allowed: Vec<String> = LazyCell::force(&self.documented).clone();
        // The name is the caller's text, and shown only if it could be a name.
        let shown = if is_name(name) { name } else { "(unprintable)" };
        let message = match allowed.as_slice() {
            [] => "unknown parameter; this call takes none".to_owned(),
            names => format!("unknown parameter; must be one of {}", names.join(", ")),
        };
        self.refuse_among(shown, UNKNOWN_PARAMETER, message, allowed);
    }

    /// The value of a parameter, if it is given. An empty value is refused: it is more likely a
    /// variable that is not set than intended, and would silently change the question.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        let value = self.values.get_mut(name)?;
        value.is_read = true;
        let value = value.text.trim().to_owned();
        if value.is_empty() {
            self.values.remove(name);
            self.refuse(
                name,
                "empty",
                "must not be empty; give a value or leave it out".to_owned(),
            );
            return None;
        }
        Some(value)
    }

    /// Whether something is wrong with this parameter.
    pub fn is_refused(&self, name: &str) -> bool {
        self.problems.iter().any(|(_, problem)| problem.parameter.as_deref() == Some(name))
    }

    /// The value of a required parameter.
    pub fn required(&mut self, name: &str, example: &str) -> Option<String> {
        let value = self.optional(name);
        if value.is_none() && !self.is_refused(name) {
            self.refuse(
                name,
                "missing-parameter",
                format!("is required, for example {name}={example}"),
            );
        }
        value
    }

    /// A word of a closed set.
    pub fn word<T: std::str::FromStr<Err = UnknownWord>>(&mut self, name: &str) -> Option<T> {
        self.word_with(name, str::parse)
    }

    /// A word of a closed set, read with a function that knows other spellings too.
    pub fn word_with<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, UnknownWord>,
    ) -> Option<T> {
        let value = self.optional(name)?;
        read(&value)
            .map_err(|unknown: UnknownWord| self.refuse_word(name, unknown.allowed.iter().copied()))
            .ok()
    }

    /// One of these values.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.optional(name)?;
        let chosen = choices.iter().find(|(word, _)| *word == value).map(|(_, chosen)| *chosen);
        if chosen.is_none() {
            self.refuse_word(name, choices.iter().map(|(word, _)| *word));
        }
        chosen
    }

    fn refuse_word<'w>(&mut self, name: &str, words: impl Iterator<Item = &'w str>) {
        let allowed: Vec<String> = words.map(str::to_owned).collect();
        let message = format!("must be one of {}", allowed.join(", "));
        self.refuse_among(name, NOT_ALLOWED, message, allowed);
    }

    /// A parsed value; the error of its parser says what is expected.
    pub fn parsed<T: std::str::FromStr>(&mut self, name: &str) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        let value = self.optional(name)?;
        self.parse_with(name, &value, |text| text.parse::<T>().map_err(|error| error.to_string()))
    }

    /// A whole number between the bounds.
    pub fn number(&mut self, name: &str, min: usize, max: usize) -> Option<usize> {
        let value = self.optional(name)?;
        let number = value.parse().ok().filter(|number| (min..=max).contains(number));
        if number.is_none() {
            self.refuse(name, "not-allowed", format!("must be a whole number from {min} to {max}"));
        }
        number
    }

    /// Reads a value with a function whose error says what is expected.
    pub fn parse_with<T>(
        &mut self,
        name: &str,
        value: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        read(value).map_err(|message| self.refuse(name, "not-allowed", message)).ok()
    }

    /// Notes a problem with a parameter.
    pub fn refuse(&mut self, name: &str, code: &str, message: String) {
        self.refuse_as(ProblemKind::InvalidParameter, name, code, message, Vec::new());
    }

    /// Notes a problem with a parameter that has a list of allowed values.
    pub fn refuse_among(&mut self, name: &str, code: &str, message: String, allowed: Vec<String>) {
        self.refuse_as(ProblemKind::InvalidParameter, name, code, message, allowed);
    }

    /// Notes a problem of another kind, such as an unknown image.
    pub fn refuse_as(
        &mut self,
        kind: ProblemKind,
        name: &str,
        code: &str,
        message: String,
        allowed: Vec<String>,
    ) {
        let error = ErrorObject {
            parameter: Some(name.to_owned()),
            code: code.to_owned(),
            message,
            allowed,
        };
        self.refuse_with((kind, error));
    }

    /// Notes a problem that was found elsewhere.
    pub fn refuse_with(&mut self, refused: (ProblemKind, ErrorObject)) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(refused);
        } else {
            self.more_problems += 1;
        }
    }

    /// The value that was read, or all problems. Every reader notes why it read nothing, so
    /// `None` without a noted problem is a defect.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn finish_with<T>(self, value: Option<T>) -> Result<T, Problem> {
        self.finish()?;
        let detail = "a parameter was not read, and no reason was noted";
        value.ok_or_else(|| Problem::new(ProblemKind::Internal, detail.to_owned()))
    }

    /// Reports all problems.
    ///
    /// # Errors
    /// When there is any. Problems of one kind keep it; several kinds make an `invalid-parameter`
    /// that lists them all, even if one of them is a registry that is not allowed: the request has
    /// to be changed in any case, and no other status would cover all of them.
    pub fn finish(mut self) -> Result<(), Problem> {
        for (name, value) in std::mem::take(&mut self.values) {
            if !(value.is_read || self.documented.contains(&name)) {
                self.refuse_unknown(&name);
            }
        }
        let mut problems = self.problems;
        let kind = match problems.as_slice() {
            [] => return Ok(()),
            [(kind, _), others @ ..] if others.iter().all(|(other, _)| other == kind) => *kind,
            _ => ProblemKind::InvalidParameter,
        };
        problems.sort_by(|a, b| a.1.parameter.cmp(&b.1.parameter));
        let mut detail: Vec<String> = problems
            .iter()
            .map(|(_, error)| {
                format!("{}: {}", error.parameter.as_deref().unwrap_or("request"), error.message)
            })
            .collect();
        if self.more_problems > 0 {
            detail.push(format!("and {} more", self.more_problems));
        }
        let mut problem = Problem::new(kind, detail.join("; "));
        problem.errors = problems.into_iter().map(|(_, error)| error).collect();
        Err(problem)
    }
}

/// The parameters of a query string.
pub fn pairs_of_query(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}
