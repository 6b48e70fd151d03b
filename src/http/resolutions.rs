//! Resolves questions for a tag, and counts their outcomes.

use crate::answers::{
    self, Context, Freshness, Provenance, Resolution, ResolveQuestion, ResolveRefusal,
};
use crate::api::problem::{Problem, ProblemKind};
use crate::telemetry::{AnswerSource, Metrics, ResolutionOutcome};

/// Answers the question, and counts the outcome.
pub async fn resolve(
    context: &Context,
    metrics: &Metrics,
    question: &ResolveQuestion,
) -> Result<Resolution, Problem> {
    match answers::resolve(context, question).await {
        Ok(resolution) => {
            metrics.count_resolution(ResolutionOutcome::Ok, source(resolution.freshness));
            Ok(resolution)
        }
        Err(refusal) => {
            let mirror = context.catalogue.mirror_of(&question.image.repository);
            let problem = Problem::of_refusal(&refusal, question).asked_of(mirror);
            let source = match &refusal {
                ResolveRefusal::Shortfall(_, freshness) => source(*freshness),
                ResolveRefusal::Miss(_) => AnswerSource::Nothing,
            };
            metrics.count_resolution(outcome(problem.kind()), source);
            Err(problem)
        }
    }
}

/// The freshness of an answer as metrics name it.
pub fn source(freshness: Freshness) -> AnswerSource {
    match (freshness.provenance, freshness.stale) {
        (Provenance::Registry, _) => AnswerSource::Registry,
        (Provenance::Cache, false) => AnswerSource::Cache,
        (Provenance::Cache, true) => AnswerSource::StaleCache,
        (Provenance::Snapshot, false) => AnswerSource::Snapshot,
        (Provenance::Snapshot, true) => AnswerSource::StaleSnapshot,
        (Provenance::Embedded, _) => AnswerSource::Embedded,
        (Provenance::History, _) => AnswerSource::History,
    }
}

fn outcome(kind: ProblemKind) -> ResolutionOutcome {
    match kind {
        ProblemKind::NoCompatibleTag => ResolutionOutcome::NoCompatibleTag,
        ProblemKind::KbNotFound => ResolutionOutcome::KbNotFound,
        ProblemKind::UnknownImage => ResolutionOutcome::UnknownImage,
        ProblemKind::RegistryNotAllowed => ResolutionOutcome::NotAllowed,
        _ => ResolutionOutcome::Unavailable,
    }
}
