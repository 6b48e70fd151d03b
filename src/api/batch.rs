//! Many questions in one request, on the wire.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::choices::Format;
use super::problem::Problem;
use super::reading::Reading;
use super::resolve::{ResolveParams, ResolveRequest};
use crate::answers::{Resolution, ResolveQuestion};

/// The most questions in a batch. Each may need a registry, and the client waits for all of them; a
/// build matrix has fewer.
pub const MAX_QUESTIONS: usize = 100;

/// Many questions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with a list named requests")]
pub struct BatchRequest {
    /// The questions, each with the parameters of `GET /resolve` except `format`.
    #[schema(value_type = Vec<ResolveParams>, min_items = 1, max_items = 100)]
    pub requests: Vec<Question>,
}

/// One question as it was sent: its members in their order, also one that comes twice; `None` when
/// it is no object.
#[derive(Debug)]
pub struct Question(Option<Vec<(String, Value)>>);

impl<'de> Deserialize<'de> for Question {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuestionReader)
    }
}

struct QuestionReader;

impl<'de> Visitor<'de> for QuestionReader {
    type Value = Question;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the parameters of a question")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Question, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Question(Some(members)))
    }

    // Anything but an object is a problem of this question alone.

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Question, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Question(None))
    }

    fn visit_unit<E>(self) -> Result<Question, E> {
        Ok(Question(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Question, E> {
        Ok(Question(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Question, E> {
        Ok(Question(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Question, E> {
        Ok(Question(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Question, E> {
        Ok(Question(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Question, E> {
        Ok(Question(None))
    }
}

impl BatchRequest {
    /// Reads the questions, each by itself.
    ///
    /// # Errors
    /// When there are none or too many.
    pub fn read(
        self,
        reading: Reading<'_>,
    ) -> Result<Vec<Result<ResolveQuestion, Problem>>, Problem> {
        let count = self.requests.len();
        if count == 0 || count > MAX_QUESTIONS {
            let detail = format!("must have 1 to {MAX_QUESTIONS} questions, and has {count}");
            return Err(Problem::of_parameter("requests", "not-allowed", detail));
        }
        Ok(self.requests.into_iter().map(|question| read_question(question, reading)).collect())
    }
}

fn read_question(question: Question, reading: Reading<'_>) -> Result<ResolveQuestion, Problem> {
    let refuse = |name: &str, detail: &str| {
        Err(Problem::of_parameter(name, "not-allowed", detail.to_owned()))
    };
    let Question(Some(members)) = question else {
        return refuse(
            "requests",
            "each question must be an object, such as {\"image\": \"nanoserver\", \"host\": \
             \"16299\"}",
        );
    };
    let mut pairs = Vec::with_capacity(members.len());
    for (name, value) in members {
        match value {
            Value::String(text) => pairs.push((name, text)),
            // A build may be written as a JSON number. A fraction is refused: the parser drops
            // zeros at its end.
            Value::Number(number) if number.is_u64() => pairs.push((name, number.to_string())),
            Value::Number(_) => {
                return refuse(
                    &name,
                    "must be a text or a whole number; put it in quotes, because as numbers \
                     14393.1770 and 14393.177 are the same",
                );
            }
            Value::Null => {}
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                return refuse(&name, "must be a text or a number");
            }
        }
    }
    let asked = ResolveRequest::read(pairs, reading)?;
    match asked.format {
        None | Some(Format::Json) => Ok(asked.question),
        Some(_) => refuse("format", "the answer to a batch is JSON; leave it out"),
    }
}

/// The answer of `POST /resolve`: to questions in JSON, or to the text of one host.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub enum PostedAnswer {
    /// To questions in JSON.
    Batch(BatchObject),
    /// To a text.
    One(Box<Resolution>),
}

/// The answers of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Batch)]
pub struct BatchObject {
    /// An answer for each question, in the same order.
    pub results: Vec<BatchItemObject>,
}

/// The answer to one question of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchItem)]
pub struct BatchItemObject {
    /// The HTTP status of the same question alone.
    #[schema(example = 200)]
    pub status: u16,
    /// The answer; null if there is a problem.
    pub resolution: Option<Resolution>,
    /// Why there is no answer; null if there is one.
    pub problem: Option<Problem>,
}

impl From<Result<Resolution, Problem>> for BatchItemObject {
    fn from(result: Result<Resolution, Problem>) -> Self {
        match result {
            Ok(resolution) => Self { status: 200, resolution: Some(resolution), problem: None },
            Err(problem) => {
                Self { status: problem.status, resolution: None, problem: Some(problem) }
            }
        }
    }
}
