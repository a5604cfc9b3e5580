//! The cases, one file per group.

mod basics;
mod compressed_once;
mod compression;
mod cut;
mod decoding;
mod disconnect;
mod drain;
mod eligibility;
mod ended_topics;
mod framing;
mod head;
mod head_method;
mod http10;
mod http11;
mod http2;
mod injection;
mod keep_alive;
mod lag;
mod lifecycle;
mod limits;
mod nodes;
mod pace;
mod pipelining;
mod publish;
mod resumption;
mod resumption_ids;
mod retention;
mod slow_readers;
mod state;
mod stats;
mod topics;

use crate::Case;
pub(crate) use head::{is_stream, list};

/// All cases, in the order of a report.
#[must_use]
pub fn all() -> Vec<Case> {
    [
        basics::cases(),
        head::cases(),
        eligibility::cases(),
        framing::cases(),
        injection::cases(),
        decoding::cases(),
        lifecycle::cases(),
        keep_alive::cases(),
        disconnect::cases(),
        resumption::cases(),
        resumption_ids::cases(),
        cut::cases(),
        publish::cases(),
        ended_topics::cases(),
        retention::cases(),
        lag::cases(),
        pace::cases(),
        state::cases(),
        drain::cases(),
        limits::cases(),
        compression::cases(),
        compressed_once::cases(),
        http10::cases(),
        http11::cases(),
        http2::cases(),
        pipelining::cases(),
        slow_readers::cases(),
        head_method::cases(),
        stats::cases(),
        nodes::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use crate::Group;
    use std::collections::HashSet;

    /// Text without line breaks, so that a wrapped sentence is found.
    fn flat(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_case_cites_a_sentence_of_the_contract() {
        let contract = flat(include_str!("../../CONFORMANCE.md"));
        let cases = super::all();
        let unknown: Vec<_> = cases.iter().filter(|case| !contract.contains(&flat(case.source))).collect();
        assert!(
            unknown.is_empty(),
            "not in tests/CONFORMANCE.md: {:#?}",
            unknown.iter().map(|case| (&case.name, case.source)).collect::<Vec<_>>()
        );
        assert!(cases.iter().all(|case| !case.promise.is_empty() && case.source.len() > 10));
    }

    #[test]
    fn a_name_belongs_to_one_case_of_a_group() {
        let cases = super::all();
        let names: HashSet<_> = cases.iter().map(|case| (case.group, &case.name)).collect();
        assert_eq!(names.len(), cases.len());
    }

    #[test]
    fn every_group_has_cases() {
        for group in Group::ALL {
            assert!(super::all().iter().any(|case| case.group == group), "{group:?}");
        }
    }
}
