//! Ids for what a client left unnamed.

use std::str::FromStr;

use uuid::Uuid;

/// A new id: the prefix and a UUIDv7, so that ids sort by the time they were made.
pub(super) fn generated_id<T: FromStr>(prefix: &'static str) -> T {
    let mut text = String::with_capacity(prefix.len() + uuid::fmt::Simple::LENGTH);
    text.push_str(prefix);
    text.push_str(Uuid::now_v7().simple().encode_lower(&mut Uuid::encode_buffer()));
    text.parse().unwrap_or_else(|_| unreachable!("a short prefix and hexadecimal digits are an id: {text}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use domain::ids::TransferId;

    use super::*;

    #[test]
    fn a_generated_id_is_its_prefix_and_a_uuid_of_version_7() {
        let id: TransferId = generated_id("tr_");
        let uuid = Uuid::parse_str(id.as_str().strip_prefix("tr_").unwrap()).unwrap();
        assert_eq!(uuid.get_version_num(), 7);
        assert_ne!(id, generated_id("tr_"));
    }
}
