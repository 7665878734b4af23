//! Names of channels and what people call them.

use crate::{Error, Result};

/// The channels of a store in their order, each with the spellings that mean it.
///
/// Spellings match without regard to case and with or without the prefix `Orig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels {
    names: Vec<String>,
    aliases: Vec<Vec<String>>,
}

impl Channels {
    /// DNA, AGP, ER, Mito, RNA: the order of JUMP.
    pub fn jump() -> Self {
        let table: [(&str, &[&str]); 5] = [
            ("DNA", &["hoechst", "dapi", "nuclei", "nucleus"]),
            ("AGP", &["actin", "phalloidin", "golgi"]),
            ("ER", &["concanavalin", "cona"]),
            ("Mito", &["mitochondria", "mitotracker"]),
            ("RNA", &["syto14", "syto"]),
        ];
        let names = table.iter().map(|(name, _)| (*name).to_owned()).collect();
        let aliases = table.iter().map(|(_, others)| others.iter().map(|&o| o.to_owned()).collect()).collect();
        Self { names, aliases }
    }

    /// Channels of other names, each with its aliases. Two channels must not share a spelling.
    pub fn new(named: &[(String, Vec<String>)]) -> Result<Self> {
        let mut seen = Vec::new();
        if named.is_empty() {
            return Err(Error::setting("channels", "is an empty list"));
        }
        for (name, others) in named {
            for spelling in std::iter::once(name).chain(others) {
                let key = canonical(spelling);
                if key.is_empty() || seen.contains(&key) {
                    return Err(Error::setting("channels", format!("names `{spelling}` twice, or not at all")));
                }
                seen.push(key);
            }
        }
        let names = named.iter().map(|(name, _)| name.clone()).collect();
        let aliases = named.iter().map(|(_, others)| others.iter().map(|o| canonical(o)).collect()).collect();
        Ok(Self { names, aliases })
    }

    /// The names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Never true: a list of channels is not empty.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Position of the channel that `spelling` means.
    pub fn find(&self, spelling: &str) -> Option<usize> {
        let key = canonical(spelling);
        (0..self.len()).find(|&i| canonical(&self.names[i]) == key || self.aliases[i].contains(&key))
    }
}

impl Default for Channels {
    fn default() -> Self {
        Self::jump()
    }
}

fn canonical(spelling: &str) -> String {
    let lower = spelling.trim().to_lowercase();
    lower.strip_prefix("orig").map_or(lower.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_find_their_channel() {
        let channels = Channels::jump();
        for (spelling, at) in [("DNA", 0), ("OrigDNA", 0), ("origagp", 1), ("er", 2), ("MITO", 3), ("OrigRNA", 4)] {
            assert_eq!(channels.find(spelling), Some(at), "{spelling}");
        }
        assert_eq!(channels.find("Brightfield"), None);
        let twice = [("A".to_owned(), vec![]), ("B".to_owned(), vec!["origa".to_owned()])];
        assert!(Channels::new(&twice).is_err());
    }
}
