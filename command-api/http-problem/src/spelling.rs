//! Which word was meant: the nearest of those that there are.

/// Words longer than this are not compared.
const COMPARED_BYTES_MAX: usize = 64;

/// The word that differs least from the one written, if it differs by little: a letter in three at most.
pub fn nearest<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = words.into_iter().filter(|word| is_near(word, written));
    near.min_by_key(|word| distance(word.as_bytes(), written.as_bytes()))
}

/// Whether two words differ by little.
pub(crate) fn is_near(a: &str, b: &str) -> bool {
    let (longer, shorter) = (a.len().max(b.len()), a.len().min(b.len()));
    longer <= COMPARED_BYTES_MAX && shorter > 1 && distance(a.as_bytes(), b.as_bytes()) <= longer.div_ceil(3).min(3)
}

/// How many letters have to be inserted, left out or replaced (Levenshtein).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let fields = ["amount", "currency", "reference", "to"];
        for (written, meant) in [
            ("ammount", Some("amount")),
            ("curency", Some("currency")),
            ("ref", None),
            ("Amount", Some("amount")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, fields), meant, "{written}");
        }
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!([distance(b"kitten", b"sitting"), distance(b"", b"abc"), distance(b"same", b"same")], [3, 3, 0]);
    }
}
