//! The destinations of one binding key, counted: two bindings that differ in their arguments alone lead to the same place.

use super::{Destination, PackedDestination};
use crate::broker::split_map::FxSplitMap;

/// Up to this many destinations a scan beats a hash map.
const SCANNED_MAX: usize = 16;

/// A set of destinations in which each remembers how many bindings lead to it.
///
/// Direct and topic exchanges have a set for each binding key, and nearly all have one destination.
#[derive(Debug, Default)]
pub(super) enum Destinations {
    #[default]
    None,
    One(PackedDestination, u32),
    /// There were more than one at a time.
    Several(Box<CountedDestinations>),
}

/// Hashed with `FxHash`, unlike what is keyed by a client's bytes: the broker chooses the ids.
#[derive(Debug, Default)]
pub(super) struct CountedDestinations {
    counted: Vec<(PackedDestination, u32)>,
    /// Where each destination stands in `counted`, once there are more than [`SCANNED_MAX`].
    places: Option<FxSplitMap<PackedDestination, usize>>,
}

impl Destinations {
    /// Adds one binding.
    pub(super) fn add(&mut self, destination: Destination) {
        let destination = PackedDestination::from(destination);
        match self {
            Self::None => *self = Self::One(destination, 1),
            Self::One(present, count) if *present == destination => *count += 1,
            Self::One(present, count) => {
                let counted = vec![(*present, *count), (destination, 1)];
                *self = Self::Several(Box::new(CountedDestinations { counted, places: None }));
            }
            Self::Several(several) => several.add(destination),
        }
    }

    /// Removes one binding; the destination goes with the last of its bindings.
    pub(super) fn remove(&mut self, destination: Destination) {
        let destination = PackedDestination::from(destination);
        let is_empty = match self {
            Self::One(present, count) if *present == destination => {
                *count -= 1;
                *count == 0
            }
            Self::Several(several) => {
                several.remove(destination);
                several.counted.is_empty()
            }
            Self::None | Self::One(..) => false,
        };
        if is_empty {
            *self = Self::None;
        }
    }

    /// Whether no binding is left.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// How many destinations there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(..) => 1,
            Self::Several(several) => several.counted.len(),
        }
    }

    /// One of the destinations, by its place; the places change with every removal.
    pub(super) fn nth(&self, at: usize) -> Option<Destination> {
        match self {
            Self::None => None,
            Self::One(destination, _) => (at == 0).then(|| (*destination).into()),
            Self::Several(several) => several.counted.get(at).map(|(destination, _)| (*destination).into()),
        }
    }

    /// Appends all destinations, each once.
    pub(super) fn append_to(&self, destinations: &mut Vec<Destination>) {
        match self {
            Self::None => {}
            Self::One(destination, _) => destinations.push((*destination).into()),
            Self::Several(several) => {
                destinations.extend(several.counted.iter().map(|(destination, _)| Destination::from(*destination)))
            }
        }
    }
}

impl CountedDestinations {
    fn add(&mut self, destination: PackedDestination) {
        if let Some((_, count)) = self.place(destination).and_then(|at| self.counted.get_mut(at)) {
            *count += 1;
            return;
        }
        let at = self.counted.len();
        self.counted.push((destination, 1));
        if let Some(places) = &mut self.places {
            places.insert(destination, at);
        } else if self.counted.len() > SCANNED_MAX {
            let places = self.counted.iter().enumerate().map(|(at, (destination, _))| (*destination, at));
            self.places = Some(places.collect());
        }
    }

    fn remove(&mut self, destination: PackedDestination) {
        let Some(at) = self.place(destination) else { return };
        let Some((_, count)) = self.counted.get_mut(at) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        self.counted.swap_remove(at);
        if let Some(places) = &mut self.places {
            places.remove(&destination);
            // The last one stands in its place now.
            if let Some((moved, _)) = self.counted.get(at) {
                places.insert(*moved, at);
            }
        }
    }

    fn place(&self, destination: PackedDestination) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&destination).copied(),
            None => self.counted.iter().position(|(present, _)| *present == destination),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::ids::{ExchangeId, QueueId};

    fn queue(id: u64) -> Destination {
        Destination::Queue(QueueId(id))
    }

    #[test]
    fn a_set_of_one_is_small() {
        assert_eq!(size_of::<Destinations>(), 16);
        let exchange = Destination::Exchange(ExchangeId(7));
        let mut set = Destinations::default();
        set.add(exchange);
        set.add(queue(7));
        assert_eq!((set.nth(0), set.nth(1)), (Some(exchange), Some(queue(7))));
    }

    #[test]
    fn a_destination_stays_until_its_last_binding_goes() {
        let mut set = Destinations::default();
        set.add(queue(1));
        set.add(queue(1));
        set.remove(queue(1));
        assert_eq!(set.len(), 1);
        set.remove(queue(1));
        assert!(set.is_empty());
    }

    #[test]
    fn many_destinations_can_be_removed_in_any_order() {
        let mut set = Destinations::default();
        for id in 0..1_000 {
            set.add(queue(id));
        }
        for id in (0..1_000).step_by(2) {
            set.remove(queue(id));
        }
        let mut left = Vec::new();
        set.append_to(&mut left);
        left.sort();
        assert_eq!(left, (0..1_000).filter(|id| id % 2 == 1).map(queue).collect::<Vec<_>>());
        for id in 0..1_000 {
            set.remove(queue(id));
        }
        assert!(set.is_empty());
    }
}
