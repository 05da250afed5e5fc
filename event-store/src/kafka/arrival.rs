//! What a reader of a partition does with a record: the rule by which nothing is lost, doubled or taken out of order.
//! Pure, without IO.

use domain::ids::Position;

/// What a record is to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It comes next: to be applied, and the reader has come to its position.
    Next,
    /// The reader has it: to be skipped.
    Seen,
    /// Something before it is missing: the reader must stop.
    Gap,
}

/// What the record at `position`, whose forerunner in the partition was at `previous`, is to a reader that has come to
/// `last`. A reader may know more than its partition ever told it, because it followed the log itself before.
#[must_use]
pub fn arrival(last: Position, previous: Position, position: Position) -> Arrival {
    if position <= last {
        Arrival::Seen
    } else if previous > last {
        Arrival::Gap
    } else {
        Arrival::Next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_next_seen_or_after_a_gap() {
        // The reader's last, the record's previous and position.
        let table = [
            ((0, 0, 1), Arrival::Next),
            ((0, 0, 900), Arrival::Next),
            ((5, 5, 6), Arrival::Next),
            ((5, 2, 6), Arrival::Next),
            ((5, 4, 5), Arrival::Seen),
            ((5, 0, 1), Arrival::Seen),
            ((5, 6, 7), Arrival::Gap),
            ((0, 1, 2), Arrival::Gap),
        ];
        for ((last, previous, position), expected) in table {
            assert_eq!(arrival(Position(last), Position(previous), Position(position)), expected);
        }
    }
}
