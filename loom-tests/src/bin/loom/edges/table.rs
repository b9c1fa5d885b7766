//! `EDGES.md`: what the source gives, and what people write.
//!
//! A row is known by its [`Key`]. The columns *edge*, *function*, *operation* and *weakened* are the
//! source's; the others are kept as they were written.

use super::source::{Key, Weakening};
use crate::Result;
use core::fmt::Write;

const COLUMNS: [&str; 7] = [
    "edge",
    "function",
    "operation",
    "weakened",
    "what becomes visible",
    "models that fail",
    "why none fails",
];
/// The rows whose ordering is gone, until somebody has seen to what was written there.
const LOST: &str = "Rows without an ordering";
const FILE: &str = "## `";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) edge: String,
    pub(crate) key: Key,
    pub(crate) visible: String,
    /// `file::test`, to be tried in this order.
    pub(crate) models: Vec<String>,
    /// Why no model fails, if none does.
    pub(crate) reason: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// What stands before the first file.
    introduction: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) lost: Vec<Row>,
}

impl Table {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut table = Self { introduction: String::new(), rows: Vec::new(), lost: Vec::new() };
        let mut file = None;
        let mut lost = false;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix(FILE) {
                file = Some(name.trim_end_matches('`').to_owned());
            } else if line.strip_prefix("# ") == Some(LOST) {
                lost = true;
            } else if let Some(file) = &file {
                if line.starts_with("| ") && !line.starts_with(&format!("| {} |", COLUMNS[0])) {
                    let row = Row::parse(file, line).ok_or_else(|| format!("no row: {line}"))?;
                    if lost { &mut table.lost } else { &mut table.rows }.push(row);
                }
            } else {
                table.introduction += line;
                table.introduction.push('\n');
            }
        }
        Ok(table)
    }

    /// The table of this source, with what people wrote in this one. What has no place any more is
    /// moved to the ordering that it most likely belongs to, or kept among the lost rows.
    pub(crate) fn regenerate(&self, source: &[Weakening]) -> Self {
        self.rekeyed(source.iter().map(Row::new).collect())
    }

    fn rekeyed(&self, mut rows: Vec<Row>) -> Self {
        let mut old: Vec<_> = self.rows.iter().chain(&self.lost).map(Some).collect();
        let mut open: Vec<usize> = (0..rows.len()).collect();

        // From the exact key to looser ones, each only where it leaves no choice.
        type Likeness = fn(&Row, &Row) -> bool;
        let likenesses: [Likeness; 5] = [
            |a, b| a.key == b.key,
            |a, b| a.of() == b.of() && a.operation() == b.operation() && a.file() == b.file(),
            |a, b| a.of() == b.of() && a.operation() == b.operation(),
            |a, b| a.of() == b.of() && a.key.function == b.key.function,
            |a, b| a.of() == b.of() && a.file() == b.file(),
        ];
        for like in likenesses {
            let left = open.clone();
            open.retain(|&at| {
                let mut alike = (0..old.len())
                    .filter(|&other| old[other].is_some_and(|other| like(other, &rows[at])));
                let (first, second) = (alike.next(), alike.next());
                let Some(only) = first.filter(|_| second.is_none()) else { return true };
                let wanted =
                    left.iter().filter(|&&at| old[only].is_some_and(|old| like(old, &rows[at])));
                if wanted.count() != 1 {
                    return true;
                }
                if let Some(old) = old[only].take() {
                    rows[at].take_over(old);
                }
                false
            });
        }
        let lost = old.into_iter().flatten().filter(|row| row.has_text()).cloned().collect();
        Self { introduction: self.introduction.clone(), rows, lost }
    }

    /// How many rows there are, and of which kind.
    pub(crate) fn count(&self) -> String {
        let explained = self.rows.iter().filter(|row| row.is_explained()).count();
        let shown = self.rows.len() - explained;
        format!("{} rows, {shown} with a model that fails, {explained} explained", self.rows.len())
    }
}

impl core::fmt::Display for Table {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}\n\n", self.introduction.trim_end())?;
        writeln!(f, "{}{}.", sections(&self.rows), self.count())?;
        if !self.lost.is_empty() {
            write!(f, "\n# {LOST}\n\n{}", sections(&self.lost))?;
        }
        Ok(())
    }
}

fn sections(rows: &[Row]) -> String {
    let mut text = String::new();
    for rows in rows.chunk_by(|a, b| a.file() == b.file()) {
        let rule = ["---"; COLUMNS.len()].join("|");
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "{FILE}{}`\n\n| {} |\n|{rule}|", rows[0].file(), COLUMNS.join(" | "));
        for row in rows {
            let _ = writeln!(text, "{}", row.line());
        }
        text.push('\n');
    }
    text
}

impl core::fmt::Display for Row {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.key.fmt(f)
    }
}

impl Row {
    fn new(weakening: &Weakening) -> Self {
        let Weakening { key, edge, .. } = weakening;
        let (visible, models, reason) = Default::default();
        Self { edge: edge.clone(), key: key.clone(), visible, models, reason }
    }

    /// A model was named, and yet it is said why none fails; or only the latter.
    pub(crate) fn is_explained(&self) -> bool {
        !self.reason.is_empty()
    }

    /// Whether the row or a model's name contains the text.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.to_string().contains(text) || self.line().contains(text)
    }

    fn has_text(&self) -> bool {
        !(self.visible.is_empty() && self.models.is_empty() && self.reason.is_empty())
    }

    fn take_over(&mut self, old: &Self) {
        self.visible.clone_from(&old.visible);
        self.models.clone_from(&old.models);
        self.reason.clone_from(&old.reason);
    }

    fn file(&self) -> &str {
        &self.key.file
    }

    fn operation(&self) -> &str {
        &self.key.operation
    }

    /// What a likeness always asks for: the same weakening of the same edge.
    fn of(&self) -> (&str, &str) {
        (&self.edge, &self.key.change)
    }

    fn parse(file: &str, line: &str) -> Option<Self> {
        // A bar that does not end a cell is escaped.
        let line = line.trim().strip_prefix('|')?.strip_suffix('|')?.replace("\\|", "\0");
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().replace('\0', "|")).collect();
        let [edge, function, operation, change, visible, models, reason] =
            <[String; 7]>::try_from(cells).ok()?;
        let code = |cell: &str| cell.trim_matches('`').to_owned();
        let models = models.split(',').map(|name| code(name.trim()));
        Some(Self {
            edge,
            key: Key {
                file: file.to_owned(),
                function: code(&function),
                operation: code(&operation),
                change,
            },
            visible,
            models: models.filter(|name| !name.is_empty()).collect(),
            reason,
        })
    }

    fn line(&self) -> String {
        let code = |text: &String| format!("`{text}`");
        let cells = [
            self.edge.clone(),
            code(&self.key.function),
            code(&self.key.operation),
            self.key.change.clone(),
            self.visible.clone(),
            self.models.iter().map(code).collect::<Vec<_>>().join(", "),
            self.reason.clone(),
        ];
        format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Title

Introduction.

## `core/src/a.rs`

| edge | function | operation | weakened | what becomes visible | models that fail | why none fails |
|---|---|---|---|---|---|---|
| Q1 | `f` | `x.load` | Acquire → Relaxed | the item | `queue::one`, `queue::two` |  |
| Q2 | `f` | `a\\|b.swap` | AcqRel → Release | the block |  | because |

2 rows, 1 with a model that fails, 1 explained.
";

    fn key(file: &str, function: &str, operation: &str, change: &str) -> Key {
        let [file, function, operation, change] =
            [file, function, operation, change].map(Into::into);
        Key { file, function, operation, change }
    }

    fn row(edge: &str, key: Key, visible: &str) -> Row {
        let (models, reason) = Default::default();
        Row { edge: edge.into(), key, visible: visible.into(), models, reason }
    }

    fn table(rows: Vec<Row>) -> Table {
        Table { introduction: String::new(), rows, lost: Vec::new() }
    }

    #[test]
    fn a_table_is_written_as_it_was_read() {
        let table = Table::parse(TEXT).unwrap();

        assert_eq!(table.to_string(), TEXT);
        assert_eq!(table.rows[0].models, ["queue::one", "queue::two"]);
        assert_eq!(table.rows[1].key.operation, "a|b.swap");
        assert!(table.rows[1].is_explained());
    }

    #[test]
    fn a_broken_row_is_told() {
        let error = Table::parse(&TEXT.replace("| because |", "|")).unwrap_err();

        assert!(error.to_string().starts_with("no row: | Q2"), "{error}");
    }

    #[test]
    fn what_people_wrote_follows_its_ordering_to_another_function_and_file() {
        let old = table(vec![
            row("Q1", key("a", "f", "x.load", "Acquire → Relaxed"), "the item"),
            row("Q2", key("a", "g", "x.load", "Acquire → Relaxed"), "the block"),
        ]);
        let fresh = vec![
            row("Q1", key("a", "f2", "x.load", "Acquire → Relaxed"), ""),
            row("Q2", key("b", "g2", "x.load", "Acquire → Relaxed"), ""),
        ];

        let new = old.rekeyed(fresh);

        assert_eq!(
            new.rows.iter().map(|row| &*row.visible).collect::<Vec<_>>(),
            ["the item", "the block"]
        );
        assert_eq!(new.lost, []);
    }

    #[test]
    fn what_has_two_places_to_go_stays_among_the_lost() {
        let old = table(vec![row("Q1", key("a", "f", "x.load", "Acquire → Relaxed"), "the item")]);
        let fresh = ["g", "h"].map(|f| row("Q1", key("a", f, "x.load", "Acquire → Relaxed"), ""));

        let new = old.rekeyed(fresh.to_vec());

        assert!(new.rows.iter().all(|row| row.visible.is_empty()));
        assert_eq!(new.lost, old.rows);
        assert_eq!(Table::parse(&new.to_string()).unwrap().lost, old.rows);
    }
}
