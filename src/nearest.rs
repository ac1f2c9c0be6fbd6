//! Which known word is probably meant by one that is not known.

/// As similar as two words must be to be taken for each other; 1 is equal.
const SIMILAR: f64 = 0.82;

/// The most similar of the known words, if it is similar enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let similarity = |known: &str| {
        // The ends of long names matter as much as their beginnings.
        let by_letters = strsim::normalized_damerau_levenshtein(&word, &known.to_ascii_lowercase());
        let by_beginning = strsim::jaro_winkler(&word, &known.to_ascii_lowercase());
        f64::midpoint(by_letters, by_beginning)
    };
    let rated = known.into_iter().map(|known| (similarity(known), known));
    let best = rated.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(similarity, _)| *similarity >= SIMILAR).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_something_else_is_not() {
        let known = ["amqp_listen", "data_dir", "default_user", "default_pass"];
        assert_eq!(nearest("amqp_lisen", known), Some("amqp_listen"));
        assert_eq!(nearest("DEFAULT_USERS", known), Some("default_user"));
        assert_eq!(nearest("defualt_pass", known), Some("default_pass"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }
}
