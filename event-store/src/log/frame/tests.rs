//! Any bytes are a frame or a fault; every flipped bit is found.

#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const HEADER: FrameHeader = FrameHeader {
    kind: FrameKind::Mark,
    body_bytes: 0,
    event_count: 0,
    first_position: Position(5),
    stamp: 77,
    run_start: 4096,
    frame_number: 3,
    body_crc: 0,
};

fn sealed(header: &FrameHeader, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; FRAME_HEADER_BYTES];
    header.put(&mut frame);
    frame.extend_from_slice(body);
    frame.resize(FRAME_HEADER_BYTES + padded(body.len()), 0);
    seal(&mut frame);
    frame
}

#[test]
fn a_header_with_impossible_fields_is_named_though_its_checksum_is_right() {
    let decode = |change: fn(&mut FrameHeader)| {
        let mut header = HEADER;
        change(&mut header);
        FrameHeader::decode(&sealed(&header, b""), 77).unwrap_err()
    };
    assert_eq!(decode(|header| header.stamp = 78), FrameFault::Stamp);
    let positions = FrameFault::Header("its positions are impossible");
    assert_eq!(decode(|header| header.first_position = Position(0)), positions);
    let beyond = decode(|header| (header.first_position, header.event_count) = (Position(u64::MAX), 1));
    assert_eq!(beyond, positions);
    let long = FrameFault::Header("its body is longer than a frame may be");
    assert_eq!(decode(|header| header.body_bytes = u32::MAX), long);
    let mut frame = sealed(&HEADER, b"");
    frame[4] = 2;
    seal(&mut frame);
    assert_eq!(FrameHeader::decode(&frame, 77), Err(FrameFault::Version(2)));
    assert_eq!(FrameHeader::decode(&[0; 48], 77), Err(FrameFault::Blank));
    assert_eq!(FrameHeader::decode(&[0; 47], 77), Err(FrameFault::CutShort));
}

#[test]
fn the_chain_depends_on_every_header() {
    let frames = [1, 2, 3].map(|number| sealed(&FrameHeader { frame_number: number, ..HEADER }, b""));
    let chain = |order: [usize; 2]| order.iter().fold(0, |chain, index| chain_on(chain, &frames[*index][..48]));
    let chains = [[0, 1], [0, 2], [1, 2], [2, 1], [1, 0]].map(chain);
    for (index, one) in chains.iter().enumerate() {
        assert!(!chains[..index].contains(one), "{chains:x?}");
    }
}

#[test]
fn every_flipped_bit_of_a_frame_is_found() {
    let body = b"a body that has to be padded";
    let frame = sealed(&FrameHeader { body_bytes: body.len() as u32, ..HEADER }, body);
    let check = |frame: &[u8]| FrameHeader::decode(frame, 77).and_then(|header| check_crc(&header, frame));
    assert_eq!(check(&frame), Ok(()));
    for bit in 0..frame.len() * 8 {
        let mut flipped = frame.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&flipped).is_err(), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_frame_or_a_fault(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(header) = FrameHeader::decode(&bytes, 77) {
            let _ = check_crc(&header, &bytes);
        }
    }

    #[test]
    fn any_body_with_the_right_checksums_is_a_transaction_or_a_fault(
        body in vec(any::<u8>(), 0..200), event_count in 0_u32..4, kind in 1_u8..5
    ) {
        let kinds = [FrameKind::Opening, FrameKind::Transaction, FrameKind::Footer, FrameKind::Mark];
        let kind = kinds[usize::from(kind) - 1];
        let frame = sealed(&FrameHeader { kind, body_bytes: body.len() as u32, event_count, ..HEADER }, &body);
        let header = FrameHeader::decode(&frame, 77).unwrap();
        prop_assert_eq!(check_crc(&header, &frame), Ok(()));
        if Frame::check(&header, &frame).is_ok() {
            prop_assert_eq!(Frame::checked(header, &frame, 1, 0).events().count(), event_count as usize);
        }
        let _ = (Opening::decode(&header, &frame), Footer::decode(&header, &frame));
    }
}
