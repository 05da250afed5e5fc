//! The register of transfers: which names were used, kept for ever as claims; what a transfer was, kept for the newest
//! and read out of the log for all others, for hardly any is ever asked for again.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

use domain::account::event::AccountEvent;
use domain::event::Event;
use domain::ids::{Position, TransferId};
use domain::transfer::Transfer;
use event_store::log::Log;
use event_store::log::frame::{FrameAddress, FramePlace};
use event_store::lsm::{Damaged, Store};

use super::claims::{Claim, Claims, Leaving};
use super::digest::{ByDigest, Digest, Digester, Kind};
use super::tables;

/// Twice so many transfers at most are kept whole.
const RECENT: usize = 4_096;

/// Where a transfer was sent or reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    frame: FrameAddress,
    last_position: Position,
}

/// The name that an event claims, if any.
pub(super) fn claimed(digester: &Digester, event: &Event) -> Option<Digest> {
    match event {
        Event::Account(AccountEvent::TransferSent(e)) => {
            Some(digester.name(Kind::TransferSent, e.transfer_id.as_str()))
        }
        Event::Account(AccountEvent::TransferReversed(e)) => {
            Some(digester.name(Kind::TransferReversed, e.transfer_id.as_str()))
        }
        _ => None,
    }
}

impl Claim for Moved {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.frame.to_bits().to_le_bytes());
        bytes.extend_from_slice(&self.last_position.0.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (frame, rest) = bytes.split_first_chunk()?;
        let frame = FrameAddress::from_bits(u64::from_le_bytes(*frame));
        Some(Self { frame, last_position: Position(u64::from_le_bytes(rest.try_into().ok()?)) })
    }
}

impl From<FramePlace> for Moved {
    fn from(place: FramePlace) -> Self {
        Self { frame: place.address(), last_position: place.last_position }
    }
}

type Known = HashMap<Digest, Transfer, ByDigest>;

/// What is known of a transfer.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// It is at hand.
    Here(&'a Transfer),
    /// It may exist; its name is this one.
    Elsewhere(Digest),
    /// It was never sent.
    Nowhere,
}

/// All transfers.
#[derive(Debug)]
pub(super) struct Register {
    claims: Claims<Moved>,
    digester: Digester,
    /// The newest, in two generations: when the younger is full, the older is forgotten.
    young: Known,
    old: Known,
    /// What was read out of the log for the command at hand.
    fetched: Known,
    /// Names in the order in which they are going to be asked for; the first was asked for last, if any was.
    asked: RefCell<VecDeque<(TransferId, Digest)>>,
}

impl Register {
    pub(super) fn new(digester: Digester, room: usize) -> Self {
        let young = Known::with_capacity_and_hasher(RECENT, ByDigest::default());
        Self {
            claims: Claims::new(tables::TRANSFERS, room),
            digester,
            young,
            old: Known::default(),
            fetched: Known::default(),
            asked: RefCell::default(),
        }
    }

    /// What is known of a transfer; asks memory only, and errs only towards [`Found::Elsewhere`].
    pub(super) fn find(&self, store: &Store, id: &TransferId) -> Found<'_> {
        let name = self.sent(id);
        // First, for nearly every name that is asked for is new.
        if !self.claims.may_have(store, name) {
            return Found::Nowhere;
        }
        let known = self.young.get(&name).or_else(|| self.old.get(&name)).or_else(|| self.fetched.get(&name));
        known.map_or(Found::Elsewhere(name), Found::Here)
    }

    /// Claims the name of a transfer that was sent at a place, or notes its reversal there.
    pub(super) fn note(
        &mut self,
        store: &mut Store,
        id: &TransferId,
        transfer: Transfer,
        place: FramePlace,
    ) -> Result<(), Damaged> {
        let sent = self.sent(id);
        if transfer.reversed {
            self.claims.insert(self.digester.name(Kind::TransferReversed, id.as_str()), place.into());
        }
        // What is reversed was sent before, or by the same batch.
        if !transfer.reversed || self.claims.get(store, sent)?.is_none() {
            self.claims.insert(sent, place.into());
        }
        self.keep(sent, transfer);
        Ok(())
    }

    /// Notes the name that an event in the log claims: only that, for what a transfer was is read there.
    pub(super) fn claim(&mut self, name: Digest, place: FramePlace) {
        self.claims.insert(name, place.into());
    }

    /// Keeps a transfer whole for a while.
    fn keep(&mut self, name: Digest, transfer: Transfer) {
        if self.young.len() >= RECENT {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(name, transfer);
    }

    /// Reads a transfer out of the log and has it at hand until [`Register::forget_fetched`]. `settle` is called when
    /// the log must be durable first. Answers whether there is such a transfer.
    pub(super) fn fetch(
        &mut self,
        store: &mut Store,
        log: &Log,
        id: &TransferId,
        settle: impl FnOnce(),
    ) -> Result<bool, Unreadable> {
        let name = self.sent(id);
        let Some(moved) = self.claims.get(store, name)? else { return Ok(false) };
        if moved.last_position > log.durable() {
            settle();
        }
        let transfer = self.read(store, log, id, moved)?;
        self.fetched.insert(name, transfer);
        Ok(true)
    }

    /// What was fetched for one command is not needed for the next.
    pub(super) fn forget_fetched(&mut self) {
        if !self.fetched.is_empty() {
            self.fetched = Known::default();
        }
    }

    fn read(&self, store: &mut Store, log: &Log, id: &TransferId, moved: Moved) -> Result<Transfer, Unreadable> {
        let reversed = self.claims.get(store, self.digester.name(Kind::TransferReversed, id.as_str()))?.is_some();
        let unreadable = |reason: String| Unreadable::Log { transfer_id: id.clone(), reason };
        let frame = log.read_frame(moved.frame).map_err(|e| unreadable(e.to_string()))?;
        for entry in frame.frame().entries() {
            for record in entry.events().filter(|record| record.event_type == "transfer_sent") {
                let event = record.decode_event().map_err(|e| unreadable(e.to_string()))?;
                if let Event::Account(AccountEvent::TransferSent(sent)) = event
                    && sent.transfer_id == *id
                {
                    let (from, to, amount) = (sent.account_id, sent.to, sent.amount);
                    return Ok(Transfer { from, to, amount, reversed });
                }
            }
        }
        Err(unreadable("the log has no such transfer where it should be".to_owned()))
    }

    /// How many names wait for the next checkpoint.
    pub(super) fn waiting(&self) -> usize {
        self.claims.waiting()
    }

    /// Sets the newest names aside for a checkpoint.
    pub(super) fn leave(&mut self) -> Leaving<Moved> {
        self.claims.leave()
    }

    /// The names that were set aside are in the store.
    pub(super) fn left(&mut self) {
        self.claims.left();
    }

    fn sent(&self, id: &TransferId) -> Digest {
        let mut asked = self.asked.borrow_mut();
        if asked.get(1).is_some_and(|(next, _)| next == id) {
            asked.pop_front();
        }
        if let Some((first, name)) = asked.front()
            && first == id
        {
            return *name;
        }
        let name = self.digester.name(Kind::TransferSent, id.as_str());
        asked.clear();
        asked.push_front((id.clone(), name));
        name
    }

    /// Looks a transfer up that is going to be asked for after all that were before it. Answers whether it may exist.
    pub(super) fn warm(&mut self, store: &Store, id: &TransferId) -> bool {
        let name = self.digester.name(Kind::TransferSent, id.as_str());
        self.asked.get_mut().push_back((id.clone(), name));
        self.claims.may_have(store, name)
    }

    /// Forgets which are going to be asked for.
    pub(super) fn forget_asked(&mut self) {
        self.asked.get_mut().clear();
    }
}

/// Why a transfer that must exist could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Store(#[from] Damaged),
    #[error("transfer {transfer_id} could not be read out of the log: {reason}")]
    Log { transfer_id: TransferId, reason: String },
}
