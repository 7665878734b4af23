//! One line that is put into a source file.

/// A line and where it goes.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    /// File within the checkout.
    pub(super) file: &'static str,
    /// The line.
    pub(super) line: String,
    /// What modules are declared with.
    pub(super) public: &'static str,
    at: At,
}

#[derive(Clone, Copy, Debug)]
enum At {
    /// Among the declarations of modules, in order.
    Modules,
    /// At the end of the list that opens with this, whose length is counted up.
    List(&'static str),
    /// Above this line.
    Above(&'static str),
}

impl Edit {
    pub(super) fn module(file: &'static str, module: &str) -> Self {
        Edit { file, line: format!("mod {module};"), public: "pub mod ", at: At::Modules }
    }

    pub(super) fn private_module(file: &'static str, module: &str) -> Self {
        Edit { public: "mod ", ..Self::module(file, module) }
    }

    pub(super) fn item(file: &'static str, opens: &'static str, line: String) -> Self {
        Edit { file, line, public: "", at: At::List(opens) }
    }

    pub(super) fn before(file: &'static str, above: &'static str, line: String) -> Self {
        Edit { file, line, public: "", at: At::Above(above) }
    }

    /// Where it goes, in words.
    pub(super) fn place(&self) -> String {
        match self.at {
            At::Modules => "among the modules".to_owned(),
            At::List(opens) => format!("at the end of `{opens}` (and one more in its length)"),
            At::Above(line) => format!("above `{}`", line.trim()),
        }
    }

    /// The text with the line in it; nothing if it has no such place.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        match self.at {
            At::Modules => {
                let line = format!("{}{}", self.public, self.line.trim_start_matches("mod "));
                // The first run of declarations: those of tests stand apart.
                let first = lines.iter().position(|l| l.starts_with(self.public) && l.ends_with(';'))?;
                let run = lines[first..]
                    .iter()
                    .take_while(|l| l.ends_with(';') && (l.starts_with("pub mod ") || l.starts_with("mod ")));
                let end = first + run.count();
                let name = |l: &str| l.trim_start_matches("pub ").trim_start_matches("mod ").to_owned();
                let at = (first..end).find(|&i| name(&lines[i]) > name(&line)).unwrap_or(end);
                lines.insert(at, line);
            }
            At::List(opens) => {
                let first = lines.iter().position(|l| l.starts_with(opens))?;
                let end = first + lines[first..].iter().position(|l| l == "];")?;
                lines[first] = counted_up(&lines[first]);
                lines.insert(end, self.line.clone());
            }
            At::Above(above) => {
                let at = lines.iter().position(|l| l == above)?;
                lines.insert(at, self.line.clone());
            }
        }
        Some(lines.join("\n") + "\n")
    }
}

/// `[T; 13]` as `[T; 14]`; a slice stays as it is.
fn counted_up(line: &str) -> String {
    let Some((head, rest)) = line.split_once("; ") else { return line.to_owned() };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    match digits.parse::<usize>() {
        Ok(n) => format!("{head}; {}{}", n + 1, &rest[digits.len()..]),
        Err(_) => line.to_owned(),
    }
}
