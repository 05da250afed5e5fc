//! Cutting the body of a batch into commands, as it arrives: one per line, or one per element of an array. Nothing is
//! parsed here and nothing is held beyond the piece that is not complete yet.

/// A piece of the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// The text of one command.
    Command {
        /// The line it begins on, counted from 1.
        line: u64,
        /// The text, without white space around it.
        text: &'a [u8],
    },
    /// Something that cannot be a command.
    Wrong {
        /// The line it begins on, counted from 1.
        line: u64,
        /// What is wrong.
        wrong: Wrong,
    },
}

/// Why a piece cannot be a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is longer than a command may be.
    TooLong,
    /// There is nothing between two commas of the array, or after the last one.
    Empty,
    /// There is text after the end of the array.
    AfterEnd,
    /// The array does not end.
    NoEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Nothing but white space has been seen.
    Unknown,
    Lines,
    Array,
    /// The array has ended.
    Ended,
    /// The array has ended and more has followed.
    EndedBadly,
}

/// Cuts a body into pieces.
#[derive(Debug)]
pub(super) struct Splitter {
    buffer: Vec<u8>,
    /// Where the piece begins that is not given out yet.
    start: usize,
    /// How far it has been looked at.
    scanned: usize,
    form: Form,
    /// The line of `start`.
    line: u64,
    piece_bytes_max: usize,
    /// Whether the rest of a piece that is too long is being passed over.
    passing_over: bool,
    complete: bool,
    /// Within an array: how deep in objects and arrays `scanned` is, and whether in a string, after a backslash.
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// Whether an element must follow: after the comma.
    after_comma: bool,
}

impl Splitter {
    pub(super) fn new(piece_bytes_max: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            form: Form::Unknown,
            line: 1,
            piece_bytes_max,
            passing_over: false,
            complete: false,
            depth: 0,
            in_string: false,
            escaped: false,
            after_comma: false,
        }
    }

    /// Adds what has arrived.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Nothing more will arrive.
    pub(super) fn finish(&mut self) {
        self.complete = true;
    }

    /// Whether there will be a piece. To be asked before the first is taken.
    pub(super) fn has_begun(&mut self) -> bool {
        self.begin();
        if self.form == Form::Array {
            self.begin_element();
            if self.buffer.get(self.start) == Some(&b']') {
                self.advance(self.start + 1);
                self.form = Form::Ended;
            }
        }
        if self.form == Form::Ended {
            self.begin_element();
        }
        let is_unfinished_array = self.form == Form::Array && self.complete;
        self.form != Form::Unknown && self.start < self.buffer.len() || is_unfinished_array
    }

    /// The line of the next piece, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The next piece; `None` until more arrives, and for ever once all has arrived and is given out.
    pub(super) fn next_piece(&mut self) -> Option<Piece<'_>> {
        self.begin();
        match self.form {
            Form::Unknown | Form::EndedBadly => None,
            Form::Lines => self.next_line(),
            Form::Array => self.next_element(),
            Form::Ended => self.after_end(),
        }
    }

    /// Finds out how the batch is written, once anything but white space has arrived.
    fn begin(&mut self) {
        if self.form != Form::Unknown {
            return;
        }
        // What is passed over is not looked at again, however much of it there is.
        self.begin_element();
        if let Some(byte) = self.buffer.get(self.start) {
            let is_array = *byte == b'[';
            self.form = if is_array { Form::Array } else { Form::Lines };
            self.advance(self.start + usize::from(is_array));
        }
    }

    /// Gives up everything before `to`, counting its lines.
    fn advance(&mut self, to: usize) {
        self.line += memchr::memchr_iter(b'\n', &self.buffer[self.start..to]).count() as u64;
        self.start = to;
        self.scanned = self.scanned.max(to);
    }

    fn next_line(&mut self) -> Option<Piece<'_>> {
        loop {
            let line = self.line;
            let found = memchr::memchr(b'\n', &self.buffer[self.scanned..]).map(|at| self.scanned + at);
            let end = match found {
                Some(end) => end,
                None if self.complete && self.start < self.buffer.len() => self.buffer.len(),
                None => {
                    self.scanned = self.buffer.len();
                    return self.pass_over(line);
                }
            };
            let from = self.start;
            self.advance(found.map_or(end, |end| end + 1));
            if std::mem::take(&mut self.passing_over) {
                continue;
            }
            if end - from > self.piece_bytes_max {
                return Some(Piece::Wrong { line, wrong: Wrong::TooLong });
            }
            if !self.buffer[from..end].trim_ascii().is_empty() {
                return Some(Piece::Command { line, text: self.buffer[from..end].trim_ascii() });
            }
        }
    }

    /// Drops an incomplete piece that is too long already, and says so once.
    fn pass_over(&mut self, line: u64) -> Option<Piece<'_>> {
        if self.passing_over {
            self.advance(self.buffer.len());
            return None;
        }
        if self.buffer.len() - self.start <= self.piece_bytes_max {
            return None;
        }
        self.passing_over = true;
        self.advance(self.buffer.len());
        Some(Piece::Wrong { line, wrong: Wrong::TooLong })
    }

    fn next_element(&mut self) -> Option<Piece<'_>> {
        loop {
            let Some(end) = self.element_end() else {
                if self.complete {
                    self.form = Form::EndedBadly;
                    return Some(Piece::Wrong { line: self.line, wrong: Wrong::NoEnd });
                }
                let line = self.begin_element();
                return self.pass_over(line);
            };
            let line = self.begin_element();
            let from = self.start;
            let ends_array = self.buffer[end] == b']';
            self.advance(end + 1);
            let follows_comma = std::mem::replace(&mut self.after_comma, !ends_array);
            if ends_array {
                self.form = Form::Ended;
            }
            if std::mem::take(&mut self.passing_over) {
                if ends_array {
                    return self.after_end();
                }
                continue;
            }
            let is_empty = self.buffer[from..end].trim_ascii().is_empty();
            return match () {
                () if is_empty && ends_array && !follows_comma => self.after_end(),
                () if is_empty => Some(Piece::Wrong { line, wrong: Wrong::Empty }),
                () if end - from > self.piece_bytes_max => Some(Piece::Wrong { line, wrong: Wrong::TooLong }),
                () => Some(Piece::Command { line, text: self.buffer[from..end].trim_ascii() }),
            };
        }
    }

    /// Passes over white space before an element, and gives the line that the element begins on.
    fn begin_element(&mut self) -> u64 {
        let blank = self.buffer[self.start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.advance(self.start + blank);
        self.line
    }

    /// The place of the comma or bracket that ends the element.
    fn element_end(&mut self) -> Option<usize> {
        while let Some(byte) = self.buffer.get(self.scanned) {
            let at = self.scanned;
            self.scanned += 1;
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b',' | b']' if self.depth == 0 => return Some(at),
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        None
    }

    fn after_end(&mut self) -> Option<Piece<'_>> {
        let line = self.begin_element();
        if self.start == self.buffer.len() {
            return None;
        }
        self.form = Form::EndedBadly;
        Some(Piece::Wrong { line, wrong: Wrong::AfterEnd })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: u64, text: &str) -> (u64, Result<String, Wrong>) {
        (line, Ok(text.to_owned()))
    }

    fn wrong(line: u64, wrong: Wrong) -> (u64, Result<String, Wrong>) {
        (line, Err(wrong))
    }

    /// The pieces of a text that arrives in parts of so many bytes.
    fn pieces(text: &str, part_bytes: usize, piece_bytes_max: usize) -> Vec<(u64, Result<String, Wrong>)> {
        let mut splitter = Splitter::new(piece_bytes_max);
        let mut found = Vec::new();
        let mut parts = text.as_bytes().chunks(part_bytes);
        loop {
            while let Some(piece) = splitter.next_piece() {
                found.push(match piece {
                    Piece::Command { line, text } => (line, Ok(String::from_utf8_lossy(text).into_owned())),
                    Piece::Wrong { line, wrong } => (line, Err(wrong)),
                });
            }
            if splitter.complete {
                return found;
            }
            match parts.next() {
                Some(part) => splitter.push(part),
                None => splitter.finish(),
            }
        }
    }

    #[test]
    fn lines_and_elements_are_cut_however_they_arrive() {
        let cases = [
            ("", vec![]),
            (" \n\n ", vec![]),
            ("{a}\n{b}", vec![command(1, "{a}"), command(2, "{b}")]),
            ("\n{a}\r\n\r\n  {b} \n\n", vec![command(2, "{a}"), command(4, "{b}")]),
            ("[]", vec![]),
            (" [ ]\n", vec![]),
            ("[{a},{b}]", vec![command(1, "{a}"), command(1, "{b}")]),
            ("[\n  {\"x\":[1,2]},\n\n  {b}\n]\n", vec![command(2, "{\"x\":[1,2]}"), command(4, "{b}")]),
            ("[{\"]\":\"\\\",[\"},1]", vec![command(1, "{\"]\":\"\\\",[\"}"), command(1, "1")]),
            ("[{a},]", vec![command(1, "{a}"), wrong(1, Wrong::Empty)]),
            ("[,{a}]", vec![wrong(1, Wrong::Empty), command(1, "{a}")]),
            ("[{a}]\n{b}\n", vec![command(1, "{a}"), wrong(2, Wrong::AfterEnd)]),
            ("[{a},\n{b}", vec![command(1, "{a}"), wrong(2, Wrong::NoEnd)]),
            ("[", vec![wrong(1, Wrong::NoEnd)]),
        ];
        for (text, expected) in cases {
            for part_bytes in [1, 2, 3, 1000] {
                assert_eq!(pieces(text, part_bytes, 100), expected, "{text:?} in parts of {part_bytes}");
            }
        }
    }

    #[test]
    fn a_batch_has_begun_once_there_will_be_a_piece() {
        for (text, has_begun) in [
            ("", false),
            (" \n", false),
            ("[", true),
            ("[]", false),
            (" [\n] \n", false),
            ("{", true),
            ("\n\nx", true),
            ("[{", true),
            ("[,", true),
            ("[[", true),
            ("[] x", true),
        ] {
            for part_bytes in [1, 1000] {
                let mut splitter = Splitter::new(100);
                for part in text.as_bytes().chunks(part_bytes) {
                    splitter.push(part);
                    splitter.has_begun();
                }
                splitter.finish();
                assert_eq!(splitter.has_begun(), has_begun, "{text:?} in parts of {part_bytes}");
                assert_eq!(splitter.next_piece().is_some(), has_begun, "{text:?} in parts of {part_bytes}");
            }
        }
    }

    #[test]
    fn white_space_before_the_batch_is_not_kept() {
        let mut splitter = Splitter::new(100);
        for part in std::iter::once(&b"["[..]).chain(std::iter::repeat_n(&b" \n"[..], 10_000)) {
            splitter.push(part);
            assert!(!splitter.has_begun() && splitter.buffer.len() <= 3);
        }
        let mut splitter = Splitter::new(100);
        for _ in 0..10_000 {
            splitter.push(b" \n");
            assert!(splitter.next_piece().is_none() && splitter.buffer.len() <= 2);
        }
        splitter.push(b"x\n");
        assert_eq!(splitter.next_piece(), Some(Piece::Command { line: 10_001, text: b"x" }));
    }

    #[test]
    fn a_piece_that_is_too_long_is_told_once_and_the_next_is_whole() {
        let long = "x".repeat(50);
        for part_bytes in [1, 7, 1000] {
            let lines = pieces(&format!("{{a}}\n{long}\n{{b}}\n"), part_bytes, 10);
            assert_eq!(lines, [command(1, "{a}"), wrong(2, Wrong::TooLong), command(3, "{b}")], "{part_bytes}");
            let elements = pieces(&format!("[{{a}},\n{long},\n{{b}}]"), part_bytes, 10);
            assert_eq!(elements, [command(1, "{a}"), wrong(2, Wrong::TooLong), command(3, "{b}")], "{part_bytes}");
            let last = pieces(&format!("[{{a}},\n{long}]"), part_bytes, 10);
            assert_eq!(last, [command(1, "{a}"), wrong(2, Wrong::TooLong)], "{part_bytes}");
        }
    }

    #[test]
    fn no_more_is_held_than_the_piece_that_is_not_complete() {
        let mut splitter = Splitter::new(100);
        for _ in 0..10_000 {
            splitter.push(b"{\"type\":\"x\"}\n");
            while splitter.next_piece().is_some() {}
        }
        splitter.push(&[b'x'; 100_000]);
        while splitter.next_piece().is_some() {}
        splitter.push(b"y");
        assert!(splitter.buffer.len() <= 200, "{}", splitter.buffer.len());
    }
}
