//! An answer to Prometheus, written piece by piece as the socket takes it: what is kept are the numbers, not the text, which is ten times
//! as much.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use hyper::body::{Body, Frame};

use super::family::{Family, MetricRow, Summed};
use super::global::Highest;
use super::text::{self, MetricKind, Name, Number};

/// A piece has about so many bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// Some families, to be written.
pub(super) trait Section: Send {
    /// Writes until `out` has as many bytes as a piece; false when everything is written.
    fn write(&mut self, out: &mut String) -> bool;
}

/// All families of an answer.
#[derive(Default)]
pub(super) struct Scrape {
    sections: VecDeque<Box<dyn Section>>,
}

impl Scrape {
    /// Adds families behind those that are there.
    pub(super) fn add(&mut self, section: impl Section + 'static) {
        self.sections.push_back(Box::new(section));
    }

    /// The next piece; `None` when everything is written.
    fn piece(&mut self) -> Option<String> {
        let mut out = String::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
        while out.len() < PIECE_BYTES
            && let Some(section) = self.sections.front_mut()
        {
            if !section.write(&mut out) {
                self.sections.pop_front();
            }
        }
        (!out.is_empty()).then_some(out)
    }
}

impl Body for Scrape {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.piece().map(|piece| Ok(Frame::data(Bytes::from(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.sections.is_empty()
    }
}

/// Families that are written already: of things of which there are few.
pub(super) struct WrittenMetrics(pub(super) String);

impl Section for WrittenMetrics {
    fn write(&mut self, out: &mut String) -> bool {
        out.push_str(&self.0);
        false
    }
}

/// Families with one sample for each of many things.
pub(super) struct PerObject<T: 'static> {
    prefix: &'static str,
    families: Vec<&'static Family<T>>,
    rows: Arc<Vec<T>>,
    /// The family that comes next.
    family: usize,
    /// The row that comes next; `None` when the head of the family does.
    row: Option<usize>,
}

impl<T: MetricRow> PerObject<T> {
    pub(super) fn new(prefix: &'static str, families: Vec<&'static Family<T>>, rows: impl Into<Arc<Vec<T>>>) -> Self {
        Self { prefix, families, rows: rows.into(), family: 0, row: None }
    }
}

impl<T: MetricRow> Section for PerObject<T> {
    fn write(&mut self, out: &mut String) -> bool {
        while let Some(family) = self.families.get(self.family) {
            let name = Name { prefix: self.prefix, name: family.name };
            let first = self.row.unwrap_or_else(|| {
                text::head(out, name, family.kind, family.help);
                0
            });
            if let Some(of) = family.of {
                for (place, thing) in self.rows.iter().enumerate().skip(first) {
                    if out.len() >= PIECE_BYTES {
                        self.row = Some(place);
                        return true;
                    }
                    text::sample(out, name, |labels| (family.labels)(thing, labels), of(thing));
                }
            }
            (self.family, self.row) = (self.family + 1, None);
        }
        false
    }
}

/// Families with one sample each: the sum of many things.
pub(super) fn sums<T: MetricRow>(
    prefix: &'static str,
    families: &'static [Family<T>],
    rows: impl Iterator<Item = T>,
    highest: &Highest,
) -> WrittenMetrics {
    let mut sums = vec![Number::Count(0); families.len()];
    for row in rows {
        for (sum, family) in sums.iter_mut().zip(families) {
            if let Some(of) = family.of.filter(|_| family.summed == Summed::Sum) {
                *sum = sum.plus(of(&row));
            }
        }
    }
    let mut out = String::new();
    for (sum, family) in sums.into_iter().zip(families).filter(|(_, family)| family.summed != Summed::Absent) {
        let name = Name { prefix, name: family.name };
        text::head(&mut out, name, family.kind, family.help);
        if family.of.is_some() && family.summed == Summed::Sum {
            let sum = match (sum, family.kind) {
                (Number::Count(sum), MetricKind::Counter) => highest.of(family.name, 0, sum).into(),
                (Number::Count(_) | Number::Real(_), _) => sum,
            };
            text::sample(&mut out, name, |_| {}, sum);
        }
    }
    WrittenMetrics(out)
}
