//! Names of streams as the index knows them: a keyed digest of 128 bits, the same in every process that has this log.

use siphasher::sip128::SipHasher13;

use crate::log::LogId;

/// Makes digests of the names of streams of one log. The key comes from the log's id, so that nobody who does not know
/// the log can prepare two names that fall together; what is read is checked against the name all the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamDigest(SipHasher13);

impl StreamDigest {
    pub(crate) fn of_log(log_id: LogId) -> Self {
        let half = |at: usize| log_id.0[at..].first_chunk::<8>().map_or(0, |half| u64::from_le_bytes(*half));
        let key = SipHasher13::new_with_keys(half(0), half(8)).hash(b"bursar stream index 1");
        Self(SipHasher13::new_with_keys(key.h1, key.h2))
    }

    /// The digest of a stream's name.
    pub(crate) fn of(&self, stream: &[u8]) -> u128 {
        let digest = self.0.hash(stream);
        u128::from(digest.h2) << 64 | u128::from(digest.h1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_stay_what_they_are_for_ever() {
        let digest = StreamDigest::of_log(LogId([7; 16]));
        assert_eq!(digest.of(b"account-alice"), DIGEST, "{:#x}", digest.of(b"account-alice"));
        assert_ne!(StreamDigest::of_log(LogId([8; 16])).of(b"account-alice"), DIGEST);
    }

    const DIGEST: u128 = 0x9309_e1a6_f222_d0fd_2b98_1a9a_948b_b71d;
}
