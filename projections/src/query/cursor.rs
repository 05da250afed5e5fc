//! Cursors: where the next page begins. A cursor names the query that gave it, and is of no use for another.

/// Writes a cursor for the page after the row with this key.
pub(super) fn write(scope: &str, key: &[String]) -> String {
    let json = serde_json::to_vec(&(scope, key)).expect("strings can be written as JSON");
    json.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the key out of a cursor that this query gave.
pub(super) fn read(scope: &str, cursor: &str) -> Option<Vec<String>> {
    let digits = cursor.as_bytes().chunks(2).map(|two| {
        let two = std::str::from_utf8(two).ok().filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        u8::from_str_radix(two, 16).ok()
    });
    let json: Vec<u8> = digits.collect::<Option<_>>()?;
    let (given_by, key): (String, Vec<String>) = serde_json::from_slice(&json).ok()?;
    // Nobody signs a cursor, so anything can stand in one. What PostgreSQL has no text for was in none that we gave.
    let is_text = key.iter().all(|part| !part.contains('\0'));
    (given_by == scope && is_text).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_key_that_is_no_text_of_postgresql_is_not_read() {
        let cursor = write("/v1/accounts?", &["a\0b".to_owned()]);
        assert_eq!(read("/v1/accounts?", &cursor), None);
    }

    #[test]
    fn a_cursor_reads_back_for_its_own_query_only() {
        let cursor = write("/v1/accounts?status=open", &["acct-1".to_owned(), "ü".to_owned()]);
        assert_eq!(read("/v1/accounts?status=open", &cursor), Some(vec!["acct-1".to_owned(), "ü".to_owned()]));
        assert_eq!(read("/v1/accounts?status=closed", &cursor), None);
        for broken in ["", "5", "zz", "ü1", &cursor[2..], &cursor[..cursor.len() - 2], "+1+1"] {
            assert_eq!(read("/v1/accounts?status=open", broken), None, "{broken}");
        }
    }
}
