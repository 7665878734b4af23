//! "Did you mean": the closest valid name to a mistyped one.

/// The candidate closest to `given`, if it is close enough to be meant.
pub fn closest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = given.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count().min(given.chars().count()) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_typo_finds_its_word_and_nonsense_finds_none() {
        let splits = ["random", "not-same-source", "not-same-batch"];
        assert_eq!(closest("not-same-sorce", splits), Some("not-same-source"));
        assert_eq!(closest("Metadata_plate", ["Metadata_Plate", "Metadata_Well"]), Some("Metadata_Plate"));
        assert_eq!(closest("zzzzzzzz", splits), None);
    }
}
