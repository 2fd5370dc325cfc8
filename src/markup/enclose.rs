//! Long tables and long code go along as files: a message shows the beginning, the file has the
//! whole. A table in lines is hard to read beyond some rows, and code loses its exact blanks in the
//! portal (b24: messenger §16). Pure: a text in, a shorter one and files out. Called by `outbound`
//! where files can be sent.

use std::ops::Range;

use pulldown_cmark::CodeBlockKind;
use pulldown_cmark::Event;
use pulldown_cmark::Tag;
use pulldown_cmark::TagEnd;

use crate::limits;
use crate::markup::cleaned;
use crate::markup::parse;
use crate::markup::too_deep;

/// A file made from a part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enclosure {
    /// As people see it.
    pub name: String,
    /// Its content.
    pub content: String,
}

/// A text with its long parts taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enclosed {
    /// Markdown, with the beginning of each such part and its file's name behind it.
    pub text: String,
    /// The whole of each, in order.
    pub files: Vec<Enclosure>,
}

/// File endings of languages as fences name them.
const ENDINGS: &[(&str, &str)] = &[
    ("bash", "sh"),
    ("c", "c"),
    ("c#", "cs"),
    ("c++", "cpp"),
    ("cpp", "cpp"),
    ("csharp", "cs"),
    ("css", "css"),
    ("csv", "csv"),
    ("diff", "diff"),
    ("go", "go"),
    ("html", "html"),
    ("ini", "ini"),
    ("java", "java"),
    ("javascript", "js"),
    ("js", "js"),
    ("json", "json"),
    ("kotlin", "kt"),
    ("lua", "lua"),
    ("markdown", "md"),
    ("md", "md"),
    ("patch", "patch"),
    ("php", "php"),
    ("powershell", "ps1"),
    ("py", "py"),
    ("python", "py"),
    ("r", "r"),
    ("rb", "rb"),
    ("rs", "rs"),
    ("ruby", "rb"),
    ("rust", "rs"),
    ("sh", "sh"),
    ("shell", "sh"),
    ("sql", "sql"),
    ("swift", "swift"),
    ("tex", "tex"),
    ("toml", "toml"),
    ("ts", "ts"),
    ("typescript", "ts"),
    ("xml", "xml"),
    ("yaml", "yaml"),
    ("yml", "yaml"),
];

/// Begins a CSV file, so that spreadsheets read it as UTF-8.
const BOM: char = '\u{feff}';

/// Takes out what is long, for at most so many files; `None` when nothing is, or may be.
pub fn enclose(text: &str, files_max: usize) -> Option<Enclosed> {
    let least = limits::ENCLOSE_TABLE_ROWS.min(limits::ENCLOSE_CODE_LINES);
    let short = text.len() <= limits::ENCLOSE_CODE_BYTES && text.lines().count() <= least;
    if short || files_max == 0 || too_deep(text) {
        return None;
    }
    let text = cleaned(text);
    let mut found = Finder::default();
    for (event, range) in parse::events(&text).into_offset_iter() {
        if found.cuts.len() == files_max {
            break;
        }
        found.take(event, range);
    }
    if found.cuts.is_empty() {
        return None;
    }
    let (mut shorter, mut files, mut from) = (String::new(), Vec::new(), 0);
    for Cut { range, shown, file } in found.cuts {
        shorter.push_str(&text[from..range.start]);
        let shown = match shown {
            Shown::Source(end) => &text[range.start..end],
            Shown::Text(ref shown) => shown,
        };
        shorter.push_str(shown.trim_end_matches('\n'));
        shorter.push_str(&format!("\n\n📎 `{}`\n\n", file.name));
        from = range.end;
        files.push(file);
    }
    shorter.push_str(&text[from..]);
    Some(Enclosed { text: shorter, files })
}

/// A part that is taken out.
struct Cut {
    range: Range<usize>,
    shown: Shown,
    file: Enclosure,
}

/// What stays of it.
enum Shown {
    /// The source up to here.
    Source(usize),
    /// Another text.
    Text(String),
}

/// What the events have told so far.
#[derive(Default)]
struct Finder {
    /// Lists, quotes and the like around: there a line has more than itself, and is left alone.
    depth: usize,
    table: Option<Table>,
    code: Option<Code>,
    tables: usize,
    codes: usize,
    cuts: Vec<Cut>,
}

struct Table {
    range: Range<usize>,
    rows: Vec<Vec<String>>,
    /// Where the source of the last row that is shown ends.
    shown: usize,
}

struct Code {
    range: Range<usize>,
    language: String,
    text: String,
}

impl Finder {
    fn take(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(Tag::List(_) | Tag::BlockQuote(_) | Tag::FootnoteDefinition(_)) => {
                self.depth += 1;
            }
            Event::End(TagEnd::List(_) | TagEnd::BlockQuote(_) | TagEnd::FootnoteDefinition) => {
                self.depth = self.depth.saturating_sub(1);
            }
            _ if self.depth > 0 => {}
            Event::Start(Tag::Table(_)) => {
                let shown = range.end;
                self.table = Some(Table { range, rows: Vec::new(), shown });
            }
            Event::End(TagEnd::Table) => self.end_table(),
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => info.split([' ', ',', '{']).next(),
                    CodeBlockKind::Indented => None,
                };
                let language = language.unwrap_or_default().to_owned();
                self.code = Some(Code { range, language, text: String::new() });
            }
            Event::End(TagEnd::CodeBlock) => self.end_code(),
            event => match (&mut self.table, &mut self.code) {
                (Some(table), _) => table.take(&event, &range),
                (None, Some(code)) => {
                    if let Event::Text(text) = event {
                        code.text.push_str(&text);
                    }
                }
                (None, None) => {}
            },
        }
    }

    fn end_table(&mut self) {
        let Some(table) = self.table.take() else { return };
        // The head is a row as well.
        if table.rows.len() <= limits::ENCLOSE_TABLE_ROWS + 1 {
            return;
        }
        self.tables += 1;
        let name = format!("table-{}.csv", self.tables);
        let content = csv(&table.rows);
        let shown = Shown::Source(table.shown);
        self.cuts.push(Cut { range: table.range, shown, file: Enclosure { name, content } });
    }

    fn end_code(&mut self) {
        let Some(code) = self.code.take() else { return };
        let lines = code.text.lines().count();
        if lines <= limits::ENCLOSE_CODE_LINES && code.text.len() <= limits::ENCLOSE_CODE_BYTES {
            return;
        }
        self.codes += 1;
        let language = code.language.to_ascii_lowercase();
        let known = ENDINGS.iter().find(|(name, _)| *name == language);
        let name = format!("code-{}.{}", self.codes, known.map_or("txt", |(_, ending)| ending));
        let shown = Shown::Text(code.beginning());
        self.cuts.push(Cut {
            range: code.range,
            shown,
            file: Enclosure { name, content: code.text },
        });
    }
}

impl Table {
    fn take(&mut self, event: &Event<'_>, range: &Range<usize>) {
        match event {
            Event::Start(Tag::TableHead | Tag::TableRow) => {
                if self.rows.len() == limits::ENCLOSE_ROWS_SHOWN + 1 {
                    self.shown = range.start;
                }
                self.rows.push(Vec::new());
            }
            Event::Start(Tag::TableCell) => {
                if let Some(row) = self.rows.last_mut() {
                    row.push(String::new());
                }
            }
            Event::Text(text) | Event::Code(text) => self.add(text),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.add(text),
            Event::InlineHtml(tag) if tag.to_ascii_lowercase().starts_with("<br") => self.add("\n"),
            Event::SoftBreak | Event::HardBreak => self.add(" "),
            _ => {}
        }
    }

    fn add(&mut self, text: &str) {
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.last_mut()) {
            cell.push_str(text);
        }
    }
}

impl Code {
    /// A fence around the first lines.
    fn beginning(&self) -> String {
        let mut shown = String::new();
        for line in self.text.split_inclusive('\n').take(limits::ENCLOSE_LINES_SHOWN) {
            let room = limits::ENCLOSE_SHOWN_BYTES.saturating_sub(shown.len());
            if line.len() > room {
                let fits = |(at, c): &(usize, char)| at + c.len_utf8() <= room;
                shown.extend(line.char_indices().take_while(fits).map(|(_, c)| c));
                break;
            }
            shown.push_str(line);
        }
        let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        let shown = shown.trim_end_matches('\n');
        format!("{fence}{}\n{shown}\n{fence}", self.language.replace('`', ""))
    }
}

/// A table as RFC 4180 has it.
fn csv(rows: &[Vec<String>]) -> String {
    let mut csv = String::from(BOM);
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| quoted(cell.trim())).collect();
        csv.push_str(&cells.join(","));
        csv.push_str("\r\n");
    }
    csv
}

fn quoted(cell: &str) -> String {
    // A spreadsheet would carry out what begins so; a number it would not.
    let acts = cell.starts_with(['=', '@', '\t'])
        || (cell.starts_with(['+', '-']) && cell.contains(['(', '|', '!', '@']));
    let cell = if acts { format!("'{cell}") } else { cell.to_owned() };
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::enclose;
    use crate::limits;
    use crate::markup::Format;
    use crate::markup::Mentions;
    use crate::markup::render;

    fn table(rows: usize) -> String {
        let mut table = String::from("| Name | Sum |\n|---|---|\n");
        for row in 1..=rows {
            table.push_str(&format!("| **Row** {row} | =1+{row}, \"x\" |\n"));
        }
        table
    }

    #[test]
    fn a_long_table_goes_along_whole_and_shows_its_first_rows() {
        let most = limits::ENCLOSE_TABLE_ROWS;
        assert_eq!(enclose(&table(most), 5), None);
        let text = format!("Before.\n\n{}\nAfter.\n", table(most + 1));
        let enclosed = enclose(&text, 5).expect("too long");
        let [file] = &enclosed.files[..] else { panic!("one file") };
        assert_eq!(file.name, "table-1.csv");
        assert_eq!(file.content.lines().count(), most + 2);
        let second = file.content.lines().nth(1).expect("a row");
        assert_eq!(second, "Row 1,\"'=1+1, \"\"x\"\"\"");
        let parts = render(&enclosed.text, Format::Markdown, &Mentions::default());
        let shown = parts.join("\n");
        let row = |number: usize| format!("[b]Row {number}[/b]");
        let last = limits::ENCLOSE_ROWS_SHOWN;
        assert!(shown.contains(&row(last)) && shown.ends_with("After."), "{shown}");
        assert!(!shown.contains(&row(last + 1)), "{shown}");
        assert!(shown.contains("📎 `table-1.csv`"), "{shown}");
        assert_eq!(enclose(&enclosed.text, 5), None, "once is enough");
        assert_eq!(enclose(&text, 0), None, "where no file can go");
    }

    #[test]
    fn long_code_goes_along_exactly_as_it_was() {
        let code: String = (0..=limits::ENCLOSE_CODE_LINES)
            .map(|line| format!("    line  {line} ``` x\n"))
            .collect();
        let text = format!("See:\n\n~~~~Python title=x\n{code}~~~~\n\nDone.");
        let enclosed = enclose(&text, 1).expect("too long");
        assert_eq!(enclosed.files[0].name, "code-1.py");
        assert_eq!(enclosed.files[0].content, code);
        let shown = render(&enclosed.text, Format::Markdown, &Mentions::default()).join("\n");
        assert!(shown.contains("📎 `code-1.py`") && shown.ends_with("Done."), "{shown}");
        assert_eq!(enclose(&enclosed.text, 1), None, "once is enough");
        let wide = format!("```\n{}\n```", "ы".repeat(limits::ENCLOSE_CODE_BYTES));
        let enclosed = enclose(&wide, 1).expect("too wide");
        assert_eq!(enclosed.files[0].name, "code-1.txt");
        assert!(enclosed.text.len() < limits::ENCLOSE_SHOWN_BYTES + 100);
    }

    #[test]
    fn what_is_unfinished_or_inside_something_is_bounded_and_nothing_is_lost() {
        let most = limits::ENCLOSE_CODE_LINES;
        let code = "x\n".repeat(most + 1);
        for text in
            [format!("```rust\n{code}"), format!("a\n\n    {}", code.replace('\n', "\n    "))]
        {
            let enclosed = enclose(&text, 1).expect("too long");
            assert!(enclosed.files[0].content.lines().count() > most, "{text}");
        }
        let quoted = format!("> ```\n> {}\n", code.trim_end().replace('\n', "\n> "));
        assert_eq!(enclose(&quoted, 1), None, "a quote is left alone");
        let two = format!("{}\n\n{}", table(200), table(100));
        assert_eq!(enclose(&two, 1).expect("too long").files.len(), 1);
        assert_eq!(enclose(&two, 9).expect("too long").files.len(), 2);
        for hostile in ["|".repeat(50_000), "`".repeat(50_000), "> ".repeat(50_000)] {
            assert!(enclose(&hostile, 9).is_none_or(|enclosed| enclosed.files.len() == 1));
        }
    }
}
