//! "Did you mean": the known word nearest to one that is not known.

/// How alike two words must be, from 0 to 1, to be worth proposing. Lower and the proposals turn
/// silly, higher and a word with two slips finds nothing.
const ALIKE: f64 = 0.8;

/// A clause to end a complaint about an unknown word with: `; did you mean "PodName"?`, or
/// nothing where no known word is near.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, known) {
        Some(known) => format!("; did you mean \"{known}\"?"),
        None => String::new(),
    }
}

/// The known word nearest to `word`, if one is near; case counts for nothing.
fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&lower, &known.to_lowercase()), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["PodName", "NamespaceName", "severity", "labels"];

    #[test]
    fn slips_of_the_pen_and_of_case_are_forgiven() {
        assert_eq!(nearest("podname", KNOWN), Some("PodName"));
        assert_eq!(nearest("NamspaceNme", KNOWN), Some("NamespaceName"));
        assert_eq!(did_you_mean("label", KNOWN), "; did you mean \"labels\"?");
    }

    #[test]
    fn nothing_is_proposed_for_a_word_of_another_kind() {
        assert_eq!(nearest("quux", KNOWN), None);
        assert_eq!(did_you_mean("", KNOWN), "");
        assert_eq!(nearest("pod", []), None);
    }
}
