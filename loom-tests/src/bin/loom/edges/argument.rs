//! What the comment above an ordering says, and how the ordering can be weakened.

/// How far above its operation a comment may be; as in `.ci/sources`.
const REACH: usize = 20;

const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

pub(crate) fn is_ordering(name: &str) -> bool {
    ORDERINGS.contains(&name)
}

/// A weaker ordering, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// `None` removes the fence.
    to: Option<&'static str>,
    /// The orderings for which the comment must argue.
    pub(crate) loses: &'static [&'static str],
}

const RELAXED_ACQUIRE: Change = Change { to: Some("Relaxed"), loses: &["Acquire"] };
const RELAXED_RELEASE: Change = Change { to: Some("Relaxed"), loses: &["Release"] };
const RELAXED: Change = Change { to: Some("Relaxed"), loses: &["Release", "Acquire"] };
const WITHOUT_RELEASE: Change = Change { to: Some("Acquire"), loses: &["Release"] };
const WITHOUT_ACQUIRE: Change = Change { to: Some("Release"), loses: &["Acquire"] };
const NOT_TOTAL: Change = Change { to: Some("AcqRel"), loses: &["SeqCst"] };

/// Every weakening of an ordering.
pub(crate) fn changes(ordering: &str, of_fence: bool) -> Result<Vec<Change>, String> {
    let removed = |loses| Change { to: None, loses };
    Ok(match (ordering, of_fence) {
        ("Relaxed", _) => vec![],
        ("Acquire", false) => vec![RELAXED_ACQUIRE],
        ("Release", false) => vec![RELAXED_RELEASE],
        ("AcqRel", false) => vec![WITHOUT_RELEASE, WITHOUT_ACQUIRE, RELAXED],
        ("Acquire", true) => vec![removed(&["Acquire"])],
        ("Release", true) => vec![removed(&["Release"])],
        ("AcqRel", true) => {
            vec![WITHOUT_RELEASE, WITHOUT_ACQUIRE, removed(&["Release", "Acquire"])]
        }
        ("SeqCst", true) => vec![NOT_TOTAL, removed(&["SeqCst"])],
        _ => return Err(format!("{ordering} on an access: the checker takes it for AcqRel")),
    })
}

impl Change {
    pub(crate) fn removes(self) -> bool {
        self.to.is_none()
    }

    /// What stands in place of the ordering's name, or of the fence.
    pub(crate) fn instead(self) -> &'static str {
        self.to.unwrap_or("()")
    }

    pub(crate) fn name(self, from: &str) -> String {
        self.to.map_or_else(|| format!("{from}, removed"), |to| format!("{from} → {to}"))
    }
}

/// The text of the nearest `// ORDERING:` comment above `line` in the same function, which starts
/// at `first`; lines count from 1.
pub(crate) fn comment_above(text: &str, line: usize, first: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let lowest = first.max(line.saturating_sub(REACH));
    let start = (lowest..=line).rev().find(|&at| lines[at - 1].contains("// ORDERING:"))?;
    let (_, opening) = lines[start - 1].split_once("// ORDERING:")?;
    let rest = lines[start..].iter().map_while(|line| line.strip_prefix("//"));
    Some([opening].into_iter().chain(rest).map(str::trim).collect::<Vec<_>>().join(" "))
}

/// The edges that a comment names for these orderings, in its order: what stands between the name
/// of an ordering and the next one. `AcqRel` speaks for both halves.
pub(crate) fn edges(comment: &str, orderings: &[&str]) -> Result<String, String> {
    let mut named = Vec::new();
    for ordering in orderings {
        let mut heard = false;
        let mut listening = false;
        for word in comment.split(|c: char| !c.is_ascii_alphanumeric()) {
            if is_ordering(word) {
                let both = word == "AcqRel" && matches!(*ordering, "Acquire" | "Release");
                listening = word == *ordering || both;
                heard |= listening;
            } else if listening && is_edge(word) && !named.contains(&word) {
                named.push(word);
            }
        }
        if !heard {
            return Err(format!("the ORDERING comment does not speak of {ordering}"));
        }
    }
    if named.is_empty() {
        return Err(format!("the ORDERING comment names no edge for {}", orderings.join(", ")));
    }
    Ok(named.join(", "))
}

/// A capital and a number.
fn is_edge(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|first| first.is_ascii_uppercase())
        && word.len() > 1
        && letters.all(|letter| letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_half_of_an_acqrel_is_weakened_alone_and_both_together() {
        let names: Vec<_> =
            changes("AcqRel", false).unwrap().iter().map(|change| change.name("AcqRel")).collect();

        assert_eq!(names, ["AcqRel → Acquire", "AcqRel → Release", "AcqRel → Relaxed"]);
    }

    #[test]
    fn a_sequentially_consistent_access_is_refused() {
        assert!(changes("SeqCst", false).unwrap_err().contains("on an access"));
    }

    #[test]
    fn the_nearest_comment_of_the_same_function_counts_and_all_its_lines() {
        let text =
            "fn f() {\n    // ORDERING: far.\n    // ORDERING: near,\n    // Q1.\n    x();\n}";

        assert_eq!(comment_above(text, 5, 1).as_deref(), Some("near, Q1."));
        assert_eq!(comment_above(text, 5, 5), None);
    }

    #[test]
    fn an_ordering_has_the_edges_that_are_named_after_it() {
        let comment = "Release on success, Q3: made (I1). Acquire on failure, Q1: the item.";

        assert_eq!(edges(comment, &["Release"]).unwrap(), "Q3, I1");
        assert_eq!(edges(comment, &["Acquire"]).unwrap(), "Q1");
        assert_eq!(edges("AcqRel, E3.", &["Release", "Acquire"]).unwrap(), "E3");
        assert!(edges("Release: said.", &["Release"]).unwrap_err().contains("names no edge"));
        assert!(edges("Release, E1.", &["Acquire"]).unwrap_err().contains("does not speak"));
    }
}
