//! Looks at a whole log and tells what is there: every frame checked, the segments' order and links, the tail judged.
//! Changes nothing; recovery acts on what it says, verification reports it.

use std::path::PathBuf;

use domain::ids::Position;

use super::folder::{Folder, FolderRefused, OpenSegment};
use super::frame::{FRAME_HEADER_BYTES, Frame, FrameFault};
use super::scan::{Link, Scan, Tail, judge_tail, next_frame};
use super::segment::{SEGMENT_HEADER_BYTES, segment_path};
use super::window::Window;
use crate::disk::{Access, read_full_at};

/// Bytes in the log are not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "segment {segment} ({path}) is damaged at byte {offset}: {reason}. Events from position {first_position}{} are \
     affected. Nothing was changed; put the segment back from a copy. Read-only tools still read what is whole",
    .last_position.map(|last| format!(" to {last}")).unwrap_or_default()
)]
pub struct Damage {
    /// The number of the segment.
    pub segment: u32,
    /// Its file.
    pub path: PathBuf,
    /// Where the damage begins, in bytes.
    pub offset: u64,
    /// The first position that may be affected.
    pub first_position: Position,
    /// The last position that may be affected, where the next whole frame tells.
    pub last_position: Option<Position>,
    /// What is wrong.
    pub reason: String,
}

/// Why a survey came to no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SurveyError {
    #[error(transparent)]
    Damaged(#[from] Box<Damage>),
    #[error(transparent)]
    Folder(#[from] FolderRefused),
}

/// What is left of a write that a crash cut through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TornRange {
    pub(crate) segment: u32,
    pub(crate) offset: u64,
    pub(crate) end: u64,
}

/// A log as it was found.
#[derive(Debug)]
pub(crate) struct Survey {
    /// All segments, in order; those after the last that has begun stand ready.
    pub(crate) segments: Vec<Scan>,
    pub(crate) torn: Option<TornRange>,
}

/// What a survey shows on its way.
pub(crate) trait Visitor {
    /// Sees a transaction; may object.
    fn transaction(&mut self, frame: &Frame<'_>) -> Result<(), FrameFault>;
    /// A segment is done; `bytes` were read of it.
    fn segment_done(&mut self, _number: u32, _of: usize, _bytes: u64) {}
}

/// Walks all segments, reading all of them.
pub(crate) fn survey(folder: &Folder, visitor: &mut impl Visitor) -> Result<Survey, SurveyError> {
    survey_unless(folder, visitor, |_, _| None)
}

/// Walks all segments but those that `vouched` answers for: it is given a segment, which is not the last that has
/// begun, and what the segment before leaves to it, and answers what is at its end.
pub(crate) fn survey_unless(
    folder: &Folder,
    visitor: &mut impl Visitor,
    mut vouched: impl FnMut(&OpenSegment, Link) -> Option<Scan>,
) -> Result<Survey, SurveyError> {
    let numbers = folder.segment_numbers()?;
    let mut survey = Survey { segments: Vec::with_capacity(numbers.len()), torn: None };
    let mut before = Link::FIRST;
    for (index, number) in numbers.iter().enumerate() {
        let segment = folder.segment_of(*number, Access::Read)?;
        let mut scan = Scan::new(segment.header, before);
        if let Some(scan) = vouched(&segment, before)
            && (Look { folder, segment: &segment, window: &mut Window::new(segment.file.clone()) })
                .next_has_begun(&scan)?
        {
            before = scan.link();
            survey.segments.push(scan);
            continue;
        }
        match survey_segment(folder, &segment, &mut scan, visitor)? {
            End::Sealed => {
                before = scan.link();
                visitor.segment_done(*number, numbers.len(), scan.offset);
                survey.segments.push(scan);
            }
            End::Open(tail) => {
                if let Tail::Torn { end } = tail {
                    survey.torn = Some(TornRange { segment: *number, offset: scan.offset, end });
                }
                let link = Link { next_position: scan.next_position, ..before };
                visitor.segment_done(*number, numbers.len(), scan.offset);
                survey.segments.push(scan);
                for ready in &numbers[index + 1..] {
                    let header = folder.segment_of(*ready, Access::Read)?.header;
                    survey.segments.push(Scan::new(header, link));
                }
                break;
            }
        }
    }
    Ok(survey)
}

/// Walks a segment that is sealed, from where `scan` is to its end.
pub(crate) fn survey_sealed(
    folder: &Folder,
    segment: &OpenSegment,
    mut scan: Scan,
    visitor: &mut impl Visitor,
) -> Result<Scan, SurveyError> {
    let mut window = Window::new(segment.file.clone());
    let mut look = Look { folder, segment, window: &mut window };
    match look.through(&mut scan, visitor)? {
        End::Sealed => Ok(scan),
        End::Open(_) => Err(look.damage(&scan, "the segment was sealed and is not any more".to_owned(), None).into()),
    }
}

/// The damage at a place where a frame must stand that was durable, in the words of a survey.
pub(crate) fn damage_at(
    folder: &Folder,
    segment: &OpenSegment,
    offset: u64,
    next_position: Position,
    fault: FrameFault,
) -> Result<Box<Damage>, SurveyError> {
    let mut window = Window::new(segment.file.clone());
    let mut look = Look { folder, segment, window: &mut window };
    let scan = Scan::at(segment.header, offset, next_position);
    if fault.may_be_torn() {
        if let Tail::Acknowledged { offset, first_position } = look.judge(&scan)? {
            return Ok(look.acknowledged(&scan, &fault.to_string(), offset, first_position));
        }
        if look.next_has_begun(&scan)? {
            let reason = format!("{fault}, but segment {} has begun", scan.header.number + 1);
            return look.damage_to_next(&scan, reason);
        }
    }
    look.damage_to_next(&scan, fault.to_string())
}

/// How a segment ends.
pub(crate) enum End {
    Sealed,
    Open(Tail),
}

/// Walks one segment, from where `scan` stands.
pub(crate) fn survey_segment(
    folder: &Folder,
    segment: &OpenSegment,
    scan: &mut Scan,
    visitor: &mut impl Visitor,
) -> Result<End, SurveyError> {
    let mut window = Window::new(segment.file.clone());
    Look { folder, segment, window: &mut window }.through(scan, visitor)
}

struct Look<'a> {
    folder: &'a Folder,
    segment: &'a OpenSegment,
    window: &'a mut Window,
}

impl Look<'_> {
    fn through(&mut self, scan: &mut Scan, visitor: &mut impl Visitor) -> Result<End, SurveyError> {
        loop {
            let Some(fault) = self.walk(scan, visitor)? else {
                self.window.forget();
                return match self.judge(scan)? {
                    Tail::Clean => Ok(End::Sealed),
                    _ => Err(self.damage(scan, "bytes follow the footer".to_owned(), None).into()),
                };
            };
            if !fault.may_be_torn() {
                return Err(self.damaged(scan, fault.to_string())?);
            }
            let tail = self.judge(scan)?;
            let next_has_begun = self.next_has_begun(scan)?;
            if tail == Tail::Clean && !next_has_begun {
                return Ok(End::Open(tail));
            }
            // A writer may be at work while this only reads: what looked torn may be whole by now. What proves damage
            // was seen before this second look, so whatever it proves durable must show now.
            let stood = scan.offset;
            self.window.forget();
            let fault = self.walk(scan, visitor)?;
            if scan.offset != stood {
                continue;
            }
            let fault = fault.map_or_else(String::new, |fault| fault.to_string());
            return match tail {
                Tail::Acknowledged { offset, first_position } => {
                    Err(self.acknowledged(scan, &fault, offset, first_position).into())
                }
                _ if next_has_begun => {
                    let reason = format!("{fault}, but segment {} has begun", scan.header.number + 1);
                    Err(self.damaged(scan, reason)?)
                }
                tail => Ok(End::Open(tail)),
            };
        }
    }

    fn walk(&mut self, scan: &mut Scan, visitor: &mut impl Visitor) -> Result<Option<FrameFault>, SurveyError> {
        let walked = scan.walk(self.window, |frame| visitor.transaction(frame));
        walked.map_err(|source| self.unreadable(source))
    }

    fn judge(&mut self, scan: &Scan) -> Result<Tail, SurveyError> {
        judge_tail(self.window, &scan.header, scan.offset).map_err(|source| self.unreadable(source))
    }

    fn next_has_begun(&self, scan: &Scan) -> Result<bool, SurveyError> {
        let Some(next) = self.folder.segment(scan.header.number + 1, Access::Read)? else { return Ok(false) };
        let mut first = [0; FRAME_HEADER_BYTES];
        read_full_at(next.file.as_ref(), &mut first, SEGMENT_HEADER_BYTES).map_err(|source| self.unreadable(source))?;
        Ok(first != [0; FRAME_HEADER_BYTES])
    }

    fn damaged(&mut self, scan: &Scan, reason: String) -> Result<SurveyError, SurveyError> {
        Ok(self.damage_to_next(scan, reason)?.into())
    }

    /// Damage that reaches to the next whole frame.
    fn damage_to_next(&mut self, scan: &Scan, reason: String) -> Result<Box<Damage>, SurveyError> {
        let next = next_frame(self.window, &scan.header, scan.offset).map_err(|source| self.unreadable(source))?;
        let last = next.map(|next| Position(next.first_position.0.saturating_sub(1)));
        Ok(self.damage(scan, reason, last))
    }

    /// Damage that the frame at `offset` proves: it was written when the place of the walk was durable.
    fn acknowledged(&self, scan: &Scan, fault: &str, offset: u64, first_position: Position) -> Box<Damage> {
        let last = Position(first_position.0.saturating_sub(1));
        let reason = format!("{fault}, but the frame at byte {offset} was written when this was durable");
        self.damage(scan, reason, Some(last))
    }

    fn damage(&self, scan: &Scan, reason: String, last: Option<Position>) -> Box<Damage> {
        Box::new(Damage {
            segment: scan.header.number,
            path: segment_path(&self.folder.path, scan.header.number),
            offset: scan.offset,
            first_position: scan.next_position,
            last_position: last.filter(|last| *last >= scan.next_position),
            reason,
        })
    }

    fn unreadable(&self, source: std::io::Error) -> SurveyError {
        let path = segment_path(&self.folder.path, self.segment.header.number);
        FolderRefused::Io { doing: "reading", path, source }.into()
    }
}
