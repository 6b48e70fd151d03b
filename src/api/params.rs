//! Reading parameters: every problem of a request is found and reported together.

use std::collections::HashMap;

use utoipa::IntoParams;

use super::problem::{ErrorObject, Problem, ProblemKind, UNKNOWN_PARAMETER, is_name};

/// A value longer than this is not looked at: the longest that makes sense is a line that a machine
/// prints about itself.
const MAX_VALUE_BYTES: usize = 4096;

/// So many problems of a request are told, which is more than there are parameters: a request is
/// short, and what is said of all that may be wrong with it is not.
const MAX_PROBLEMS: usize = 12;

/// Parameters of a request, and what is wrong with them.
pub struct Params {
    values: HashMap<String, String>,
    problems: Vec<(ProblemKind, ErrorObject)>,
    /// How many more problems there are than are told.
    more_problems: usize,
}

/// The parameters of an operation that has none.
#[derive(IntoParams)]
pub struct NoParams {}

impl Params {
    /// Takes the parameters of an operation. The names that it documents are the ones it allows.
    pub fn new<P: IntoParams>(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let allowed: Vec<String> =
            P::into_params(|| None).into_iter().map(|parameter| parameter.name).collect();
        let mut params = Self { values: HashMap::new(), problems: Vec::new(), more_problems: 0 };
        for (name, value) in pairs {
            if !allowed.contains(&name) {
                // The name is the caller's text: it is named only if it could be a parameter at
                // all.
                let shown = if is_name(&name) { name.as_str() } else { "(unprintable)" };
                let message = match allowed.as_slice() {
                    [] => "there is no such parameter; this call takes none".to_owned(),
                    names => format!("there is no such parameter; there are {}", names.join(", ")),
                };
                params.refuse_among(shown, UNKNOWN_PARAMETER, message, allowed.clone());
            } else if value.len() > MAX_VALUE_BYTES {
                params.refuse(
                    &name,
                    "too-long",
                    format!("a value has at most {MAX_VALUE_BYTES} bytes"),
                );
            } else if params.values.insert(name.clone(), value).is_some() {
                params.refuse(&name, "repeated-parameter", "give it once".to_owned());
            }
        }
        params
    }

    /// The value of a parameter, if it is given. An empty one is refused: it is more likely a
    /// variable that was not set than meant as none, and would quietly ask another question.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        let value = self.values.get(name)?.trim().to_owned();
        if value.is_empty() {
            self.values.remove(name);
            self.refuse(name, "empty", "it is empty; give it a value or leave it out".to_owned());
            return None;
        }
        Some(value)
    }

    /// The value of a parameter that must be given.
    pub fn required(&mut self, name: &str, example: &str) -> Option<String> {
        let value = self.optional(name);
        let already_refused =
            self.problems.iter().any(|(_, problem)| problem.parameter.as_deref() == Some(name));
        if value.is_none() && !already_refused {
            self.refuse(
                name,
                "missing-parameter",
                format!("it is needed, for example {name}={example}"),
            );
        }
        value
    }

    /// A value out of a list.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.optional(name)?;
        let chosen = choices.iter().find(|(word, _)| *word == value).map(|(_, chosen)| *chosen);
        if chosen.is_none() {
            let words: Vec<String> = choices.iter().map(|(word, _)| (*word).to_owned()).collect();
            self.refuse_among(
                name,
                "not-allowed",
                format!("it is one of {}", words.join(", ")),
                words,
            );
        }
        chosen
    }

    /// A value that is parsed; its error text says what is wanted.
    pub fn parsed<T: std::str::FromStr>(&mut self, name: &str) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        let value = self.optional(name)?;
        self.parse_with(name, &value, |text| text.parse::<T>().map_err(|error| error.to_string()))
    }

    /// A whole number between the bounds.
    pub fn number(&mut self, name: &str, least: usize, most: usize) -> Option<usize> {
        let value = self.optional(name)?;
        let number = value.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.refuse(
                name,
                "not-allowed",
                format!("it is a whole number from {least} to {most}"),
            );
        }
        number
    }

    /// Reads a value with a function whose error text says what is wanted.
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

    /// Notes a problem with a parameter that takes one of a few values.
    pub fn refuse_among(&mut self, name: &str, code: &str, message: String, allowed: Vec<String>) {
        self.refuse_as(ProblemKind::InvalidParameter, name, code, message, allowed);
    }

    /// Notes a problem of another kind, such as an image that nobody knows.
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

    /// Ends the reading.
    ///
    /// # Errors
    /// When anything was refused. Problems that are all of one kind keep it; several kinds make an
    /// `invalid-parameter` that lists them all, also where one of them is a registry that is not
    /// allowed: the request has to be written anew in any case, and no single status would tell
    /// of the others.
    pub fn finish(self) -> Result<(), Problem> {
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
