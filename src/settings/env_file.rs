//! Reads an environment file in the syntax of systemd's EnvironmentFile=: `NAME=value` lines,
//! comments with `#` or `;`, single and double quotes, backslash escapes, lines continued with a
//! trailing backslash. Knows no setting names.

/// What is wrong with a file: the line (from 1) and the problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Line number from 1.
    pub line: usize,
    /// What is wrong and what to write instead.
    pub problem: &'static str,
}

/// The assignments of a file in order; a later one of the same name wins.
///
/// # Errors
/// The first line that is neither blank, comment nor assignment, or a quote that never closes.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, Malformed> {
    let mut assignments = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let at = |problem| Malformed { line: index + 1, problem };
        let Some((name, first)) = line.split_once('=') else {
            return Err(at("write NAME=value"));
        };
        let name = name.trim_end();
        let name = name.strip_prefix("export ").map_or(name, str::trim_start);
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(word) {
            return Err(at("a name has letters, digits and underscores only"));
        }
        let mut value = Value::default();
        value.feed(first.trim_start());
        while value.wants_more() {
            let Some((_, next)) = lines.next() else {
                if value.quote.is_some() {
                    return Err(at("a quote is opened and never closed"));
                }
                break;
            };
            value.feed(next);
        }
        assignments.push((name.to_owned(), value.finish()));
    }
    Ok(assignments)
}

/// A value being read, possibly over several lines.
#[derive(Default)]
struct Value {
    text: String,
    /// Length of `text` up to which trailing blanks belong to the value.
    solid: usize,
    quote: Option<char>,
    continued: bool,
}

impl Value {
    fn feed(&mut self, line: &str) {
        if self.quote.is_some() && !self.continued && !self.text.is_empty() {
            self.text.push('\n');
        }
        self.continued = false;
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match (self.quote, c) {
                (Some('\''), '\'') | (Some('"'), '"') => {
                    self.quote = None;
                    self.solid = self.text.len();
                }
                (None, '\'' | '"') => self.quote = Some(c),
                (None | Some('"'), '\\') => match chars.next() {
                    // In double quotes a backslash escapes only what needs it.
                    Some(next) => {
                        if self.quote.is_some() && !matches!(next, '"' | '\\' | '$' | '`') {
                            self.text.push('\\');
                        }
                        self.text.push(next);
                        self.solid = self.text.len();
                    }
                    None => self.continued = true,
                },
                _ => {
                    self.text.push(c);
                    if self.quote.is_some() || !c.is_whitespace() {
                        self.solid = self.text.len();
                    }
                }
            }
        }
    }

    fn wants_more(&self) -> bool {
        self.quote.is_some() || self.continued
    }

    fn finish(mut self) -> String {
        self.text.truncate(self.solid);
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::Malformed;
    use super::parse;

    fn one(text: &str) -> String {
        let assignments = parse(text).expect("parses");
        assert_eq!(assignments.len(), 1, "{text:?}");
        assignments[0].1.clone()
    }

    #[test]
    fn reads_what_systemd_reads() {
        assert_eq!(one("A=b"), "b");
        assert_eq!(one("A = b c  "), "b c");
        assert_eq!(one("A=\"b  \""), "b  ");
        assert_eq!(one("A='b \\ \" c'"), "b \\ \" c");
        assert_eq!(one("A=\"b\\\"c\\\\d\\e\""), "b\"c\\d\\e");
        assert_eq!(one("A=b\\ c"), "b c");
        assert_eq!(one("A=b\\\nc"), "bc");
        assert_eq!(one("A=\"b\nc\""), "b\nc");
        assert_eq!(one("A=\"b\"c"), "bc");
        assert_eq!(one("A="), "");
        assert_eq!(one("# comment\n; another\n\nexport A=x#y"), "x#y");
        assert_eq!(one("A=x=y"), "x=y");
        assert_eq!(parse("A=1\r\nB=2\n").expect("parses")[0].1, "1");
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        let no_assignment = Malformed { line: 2, problem: "write NAME=value" };
        assert_eq!(parse("A=1\nnonsense\n"), Err(no_assignment));
        assert_eq!(parse("A-B=1").expect_err("bad name").line, 1);
        assert_eq!(parse("A=1\nB=\"open\nC=3").expect_err("open quote").line, 2);
    }
}
