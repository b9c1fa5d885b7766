//! Tests of the frame codec.

use super::*;

fn frame(kind: Kind, task_id: u64, body: &[u8]) -> Vec<u8> {
    let header = Header { kind, flags: 0, task_id, aux: 7 };
    let mut out = header.encode(body.len()).unwrap().to_vec();
    out.extend_from_slice(body);
    out
}

/// Feeds `bytes` in pieces of at most `step` and returns all frames.
fn decode(decoder: &mut Decoder, mut bytes: &[u8], step: usize) -> Result<Vec<Frame>, FrameError> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (buffer, welcome) = decoder.buffer();
        let (now, later) = bytes.split_at(welcome.min(step).min(bytes.len()));
        assert!(welcome > 0);
        assert!(buffer.capacity() - buffer.len() >= welcome);
        buffer.extend_from_slice(now);
        bytes = later;
        while let Some(frame) = decoder.next()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

#[test]
fn frames_survive_every_way_of_being_cut() {
    let large = vec![9; 3 * INBOX_BYTES + 5];
    let mut bytes = frame(Kind::Task, 1, b"");
    bytes.extend(frame(Kind::Result, 2, b"abc"));
    bytes.extend(frame(Kind::Task, 3, &large));
    bytes.extend(frame(Kind::Error, 4, &large[..INBOX_BYTES - HEADER_BYTES]));
    bytes.extend(frame(Kind::Error, 5, &large[..INBOX_BYTES - HEADER_BYTES + 1]));

    for step in [1, 2, 23, 24, 25, 1000, INBOX_BYTES, usize::MAX] {
        let mut decoder = Decoder::new(DEFAULT_MAX_FRAME_BYTES);
        let frames = decode(&mut decoder, &bytes, step).unwrap();

        let ids: Vec<u64> = frames.iter().map(|frame| frame.header.task_id).collect();
        assert_eq!(ids, [1, 2, 3, 4, 5], "step {step}");
        assert_eq!(frames[1].body, b"abc");
        assert_eq!(frames[2].body, large);
        assert_eq!(frames[2].header.aux, 7);
        assert!(decoder.finish().is_ok());
    }
}

#[test]
fn a_claimed_length_over_the_limit_is_refused_before_anything_is_allocated() {
    let mut bytes = frame(Kind::Result, 1, b"");
    bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut decoder = Decoder::new(1000);

    let error = decode(&mut decoder, &bytes, usize::MAX).unwrap_err();

    assert_eq!(error, FrameError::TooLong { bytes: u32::MAX.into(), limit: 1000 });
    assert!(decoder.large.is_none());
}

#[test]
fn a_claimed_length_within_the_limit_costs_no_more_than_one_step() {
    let mut bytes = frame(Kind::Result, 1, b"");
    bytes[..4].copy_from_slice(&(200_u32 << 20).to_le_bytes());
    let mut decoder = Decoder::new(DEFAULT_MAX_FRAME_BYTES);

    decode(&mut decoder, &bytes, usize::MAX).unwrap();

    assert!(decoder.large.as_ref().unwrap().0.body.capacity() <= GROWTH_BYTES);
    assert_eq!(decoder.finish(), Err(FrameError::Truncated));
}

/// Where `realloc` copies, as it does unless an allocator says otherwise, steps of equal size cost time by the square of
/// the length.
#[test]
fn a_large_body_is_moved_no_more_than_twice_and_claims_no_more_than_twice_what_has_come() {
    let bytes = frame(Kind::Result, 1, &vec![9; 40 << 20]);
    let mut decoder = Decoder::new(DEFAULT_MAX_FRAME_BYTES);
    let (mut capacity, mut moved) = (0, 0);

    let mut frames = 0;
    for piece in bytes.chunks(INBOX_BYTES) {
        frames += decode(&mut decoder, piece, INBOX_BYTES).unwrap().len();
        let Some((frame, _)) = &decoder.large else { continue };
        let body = &frame.body;
        if body.capacity() > capacity {
            moved += capacity;
            capacity = body.capacity();
        }
        assert!(capacity <= 2 * body.len() + GROWTH_BYTES, "{capacity} for {}", body.len());
    }

    assert_eq!((frames, capacity), (1, 40 << 20));
    assert!(moved <= 2 * capacity, "{moved} bytes were moved for {capacity}");
}

#[test]
fn a_garbled_header_is_named() {
    let good = frame(Kind::Result, 1, b"");
    for (at, value) in [(4, 0x7f), (5, 2), (6, 0)] {
        let mut bytes = good.clone();
        bytes[at] = value;

        let error = decode(&mut Decoder::new(10), &bytes, usize::MAX).unwrap_err();

        match at {
            4 => assert_eq!(error, FrameError::UnknownKind(0x7f)),
            5 => assert_eq!(error, FrameError::UnknownFlags(2)),
            _ => assert!(matches!(error, FrameError::BadMagic(_))),
        }
    }
}

#[test]
fn flags_and_bodies_where_there_are_none_are_refused() {
    for kind in [Kind::Hello, Kind::Ready, Kind::Result, Kind::Panic, Kind::Task, Kind::Call] {
        let head = Header { flags: PANICKED, ..Header::new(kind) }.encode(0).unwrap();

        let error = decode(&mut Decoder::new(10), &head, usize::MAX).unwrap_err();

        assert_eq!(error, FrameError::UnknownFlags(PANICKED), "{kind:?}");
    }
    for kind in [Kind::Ready, Kind::Bye, Kind::Close] {
        let error = decode(&mut Decoder::new(10), &frame(kind, 0, b"x"), usize::MAX).unwrap_err();

        assert_eq!(error, FrameError::UnwantedBody(kind));
    }
    for kind in [Kind::InitErr, Kind::FinErr] {
        let head = Header { flags: PANICKED, ..Header::new(kind) }.encode(0).unwrap();

        assert_eq!(decode(&mut Decoder::new(10), &head, usize::MAX).unwrap().len(), 1, "{kind:?}");
    }
}

#[test]
fn a_stream_that_ends_inside_a_header_is_truncated() {
    let mut decoder = Decoder::new(10);

    decode(&mut decoder, &frame(Kind::Bye, 0, b"")[..HEADER_BYTES - 1], 5).unwrap();

    assert_eq!(decoder.finish(), Err(FrameError::Truncated));
}

/// A launcher that prompts (`Password:`) and waits would look like a slow one for as long as the handshake may take.
#[test]
fn eight_bytes_tell_that_a_stream_is_no_frame() {
    let mut decoder = Decoder::new(DEFAULT_MAX_FRAME_BYTES);

    assert_eq!(decode(&mut decoder, b"Welcome", 1), Ok(vec![]));
    let magic = u16::from_le_bytes(*b"e ");
    assert_eq!(decode(&mut decoder, b" ", 1), Err(FrameError::BadMagic(magic)));
    assert_eq!(decoder.pending(), b"Welcome ");
}

/// With words of 32 bits the length of the whole frame was more than a word holds.
#[test]
fn the_longest_frame_of_all_overflows_no_word() {
    let mut decoder = Decoder::new(MIN_FRAME_LIMIT);
    decoder.set_limit(usize::MAX);
    let mut head = Header::new(Kind::Result).encode(0).unwrap();
    head[..4].copy_from_slice(&u32::MAX.to_le_bytes());

    let decoded = decode(&mut decoder, &head, usize::MAX);

    let expected = match usize::BITS {
        32 => Err(FrameError::TooLong { bytes: u32::MAX.into(), limit: isize::MAX as u64 }),
        _ => Ok(vec![]),
    };
    assert_eq!(decoded, expected);
}
