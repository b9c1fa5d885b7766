use super::*;
use crate::comparison::{self, Kind, Plot, SUITES};
use crate::threads;

const fn column(label: &'static str) -> Column {
    let measure = comparison::Measure::Threads(threads::Measure::IdleRoundTrip);
    Column { label, measure }
}

const JOB: Job = Job {
    name: "job",
    title: "Title",
    unit: "ns",
    side_by_side: false,
    columns: &[column("few"), column("many")],
    plot: Plot::None,
};

fn row(name: &'static str, kind: Kind, medians: [f64; 2]) -> Row {
    Row::of_samples(name, kind, medians.map(|median| vec![Sample::Value(median)]).to_vec())
}

fn ours(medians: [f64; 2]) -> Row {
    row("ours", Kind::Ours, medians)
}

fn lines(claim: Claim, rows: &[Row]) -> Vec<String> {
    let target = Target { job: "job", of: OURS, claim };
    evaluate(&[target], &[(&JOB, rows)]).iter().map(Finding::line).collect()
}

const HALF_OF_THE_BEST_PEER: Claim = Claim::Bounded {
    columns: &["few", "many"],
    by: &[Bound { at_most: 0.5, times: Beside::BestPeer }],
};

const FEW_OR: Claim = Claim::Bounded {
    columns: &["few"],
    by: &[
        Bound { at_most: 0.5, times: Beside::BestPeer },
        Bound { at_most: 1.3, times: Beside::Floor("bare") },
    ],
};

#[test]
fn each_column_is_held_against_its_best_peer() {
    let slow = row("slow", Kind::Peer, [40.0, 20.0]);
    let fast = row("fast", Kind::Peer, [30.0, 30.0]);

    let lines = lines(HALF_OF_THE_BEST_PEER, &[ours([15.0, 15.0]), slow, fast]);

    let target = "≤ 0.5 × the best peer";
    assert_eq!(
        lines,
        [
            format!("| job: Title [ns] | few | 15.0 | 30.0 (fast) | 0.50 | {target} | met |\n"),
            format!(
                "| job: Title [ns] | many | 15.0 | 20.0 (slow) | 0.75 | {target} | **missed** |\n"
            ),
        ]
    );
}

#[test]
fn one_bound_of_several_is_enough_and_is_the_one_that_is_shown() {
    let rows = |ours_takes| {
        let peer = row("peer", Kind::Peer, [20.0, 20.0]);
        [ours([ours_takes; 2]), peer, row("bare", Kind::Bare, [10.0, 10.0])]
    };

    let target = "≤ 0.5 × the best peer, or ≤ 1.3 × bare";
    assert_eq!(
        lines(FEW_OR, &rows(12.0)),
        [format!("| job: Title [ns] | few | 12.0 | 10.0 (bare) | 1.20 | {target} | met |\n")]
    );
    assert_eq!(
        lines(FEW_OR, &rows(15.0)),
        [format!(
            "| job: Title [ns] | few | 15.0 | 10.0 (bare) | 1.50 | {target} | **missed** |\n"
        )]
    );
}

#[test]
fn a_bound_that_could_not_be_evaluated_may_be_met() {
    let mut absent = row("bare", Kind::Bare, [10.0, 10.0]);
    absent.is_installed = false;
    let peer = || row("peer", Kind::Peer, [20.0, 20.0]);

    let [line] = &lines(FEW_OR, &[ours([15.0, 15.0]), peer(), absent])[..] else { panic!() };
    assert!(line.ends_with("| not evaluated: bare is not installed |\n"), "{line}");
    let [line] = &lines(FEW_OR, &[ours([10.0, 10.0]), peer()])[..] else { panic!() };
    assert!(line.ends_with("| met |\n"), "{line}");
    let [line] = &lines(FEW_OR, &[ours([15.0, 15.0])])[..] else { panic!() };
    assert!(line.ends_with("| not evaluated: no peer took part |\n"), "{line}");
}

/// Two threads that spin need two processors: without them a ping-pong took a hundred times as long as a peer, and
/// a bound of 1.3 times that was met by anybody.
#[test]
fn a_floor_that_a_peer_outdoes_is_no_measure() {
    let peer = row("peer", Kind::Peer, [9.0, 9.0]);
    let disturbed = row("bare", Kind::Bare, [500.0, 500.0]);

    let [line] = &lines(FEW_OR, &[ours([8.0, 8.0]), peer, disturbed])[..] else { panic!() };

    assert!(line.ends_with("| not evaluated: bare was disturbed, peer is faster |\n"), "{line}");
}

#[test]
fn a_failed_sample_is_no_result() {
    let mut failing = ours([1.0, 1.0]);
    failing.samples[1].push(Sample::Failed);
    let peer = row("peer", Kind::Peer, [20.0, 20.0]);

    let lines = lines(HALF_OF_THE_BEST_PEER, &[failing, peer]);

    assert!(lines[0].ends_with("| met |\n"), "{}", lines[0]);
    assert!(lines[1].ends_with("| not evaluated: ours failed |\n"), "{}", lines[1]);
}

#[test]
fn a_fixed_bound_needs_nobody_beside_ours_and_an_ideal_is_a_number() {
    let by = |bound: &'static [Bound]| Claim::Bounded { columns: &["few"], by: bound };
    let fixed = by(&[Bound { at_most: 96.0, times: Beside::Unit }]);
    let ideal = by(&[Bound { at_most: 1.05, times: Beside::Ideal(640.0) }]);

    assert_eq!(
        lines(fixed, &[ours([96.0, 0.0])]),
        ["| job: Title [ns] | few | 96.0 | – | – | ≤ 96 | met |\n"]
    );
    assert_eq!(
        lines(ideal, &[ours([704.0, 0.0])]),
        [
            "| job: Title [ns] | few | 704 | 640 (ideal) | 1.10 | ≤ 1.05 × the ideal | **missed** |\n"
        ]
    );
}

#[test]
fn what_never_ends_meets_nothing() {
    let fixed =
        Claim::Bounded { columns: &["few"], by: &[Bound { at_most: 5.0, times: Beside::Unit }] };

    let lines = lines(fixed, &[ours([f64::INFINITY, 0.0])]);

    assert_eq!(lines, ["| job: Title [ns] | few | ∞ | – | – | ≤ 5 | **missed** |\n"]);
}

#[test]
fn the_dearest_column_is_held_against_the_cheapest() {
    let flat = || Claim::Flat { at_most: 1.5 };
    let target = "dearest ≤ 1.5 × cheapest";

    assert_eq!(
        lines(flat(), &[ours([20.0, 10.0])]),
        [format!(
            "| job: Title [ns] | all | 20.0 (few) | 10.0 (many) | 2.00 | {target} | **missed** |\n"
        )]
    );
    let mut quick = ours([20.0, 10.0]);
    quick.samples[1] = vec![Sample::NotApplicable];
    let [line] = &lines(flat(), &[quick])[..] else { panic!() };
    assert!(line.ends_with("| not evaluated: only one column was measured |\n"), "{line}");
}

#[test]
fn a_job_that_was_not_run_or_not_by_us_is_left_out() {
    let peer = row("peer", Kind::Peer, [20.0, 20.0]);

    assert!(lines(HALF_OF_THE_BEST_PEER, &[peer]).is_empty());
    assert!(evaluate(&list::TARGETS, &[(&JOB, &[ours([1.0, 1.0])])]).is_empty());
}

#[test]
fn targets_name_jobs_columns_and_contenders_that_there_are() {
    for target in &list::TARGETS {
        let of_suite = |suite: &'static comparison::Suite| {
            let job = suite.jobs.iter().find(|job| job.name == target.job)?;
            Some((job, (suite.contenders)()))
        };
        let found = SUITES.iter().find_map(of_suite);
        let (job, contenders) = found.unwrap_or_else(|| panic!("no job {}", target.job));
        let Claim::Bounded { columns, by } = target.claim else { continue };
        for label in columns {
            assert!(column_of(job, label).is_some(), "{}: no column {label}", job.name);
        }
        for bound in by {
            let (Beside::Row(name) | Beside::Floor(name)) = bound.times else { continue };
            assert!(contenders.iter().any(|one| one.name == name), "{}: no {name}", job.name);
        }
    }
}
