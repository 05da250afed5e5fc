//! Which partition a stream is in: murmur2 as Kafka's Java clients have it, so that every client of whatever make finds
//! the same partition for the same key.

/// The partition of a key among `partitions`, which is not 0: that of Java's default partitioner.
#[must_use]
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    debug_assert!(partitions > 0, "a topic has at least one partition");
    // Java clears the sign bit instead of taking the absolute value.
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// MurmurHash2 by Austin Appleby, 32 bits, with the seed that Kafka chose (`org.apache.kafka.common.utils.Utils`).
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let (words, rest) = data.as_chunks::<4>();
    // Java has lengths below 2^31 only, and so has Kafka.
    let mut hash = SEED ^ data.len() as u32;
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ k >> R).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(M);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        // From the tests of Kafka's own Utils.murmur2, as Java's signed integers.
        let golden: &[(&str, i32)] = &[
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, hash) in golden {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), *hash, "{key}");
        }
    }

    #[test]
    fn partitions_are_those_of_java() {
        // Each line: key, then its partition among 1, 2, 3, 12, 50 and 1000, written by Kafka's Java client.
        let golden = include_str!("../../tests/golden/kafka/partitions.txt");
        let mut lines = 0;
        for line in golden.lines().filter(|line| !line.starts_with('#')) {
            let (key, expected) = line.split_once('\t').unwrap();
            let found = [1, 2, 3, 12, 50, 1000].map(|partitions| partition_of(key.as_bytes(), partitions).to_string());
            assert_eq!(found.join(" "), expected, "{key}");
            lines += 1;
        }
        assert!(lines > 200);
    }
}
