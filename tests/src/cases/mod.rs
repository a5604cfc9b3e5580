//! The cases, a file a group.

mod basics;
mod compression;
mod cut;
mod decoding;
mod disconnect;
mod drain;
mod eligibility;
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
mod opening;
mod pipelining;
mod publish;
mod resumption;
mod resumption_ids;
mod retention;
mod slow_readers;
mod stats;
mod topics;

use crate::Case;

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
        retention::cases(),
        lag::cases(),
        drain::cases(),
        limits::cases(),
        compression::cases(),
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

    #[test]
    fn every_case_says_what_is_promised_and_by_whom() {
        let cases = super::all();
        let who = ["WHATWG HTML ", "RFC 9", "CONFORMANCE", "DESIGN ", "reliability ", "HyperExpress"];
        for case in &cases {
            assert!(!case.promise.is_empty(), "{case:?}");
            assert!(case.source.split("; ").any(|source| who.iter().any(|who| source.starts_with(who))), "{case:?}");
        }
        let names: HashSet<_> = cases.iter().map(|case| (case.group, &case.name)).collect();
        assert_eq!(names.len(), cases.len(), "a name belongs to one case of a group");
    }

    #[test]
    fn every_group_has_cases() {
        for group in Group::ALL {
            assert!(super::all().iter().any(|case| case.group == group), "{group:?}");
        }
    }
}
