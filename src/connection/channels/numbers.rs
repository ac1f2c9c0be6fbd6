//! The channels of a connection by their numbers.
//!
//! Clients count from 1 and mostly use few: those are found by their place. A client that uses all 2,047 makes it hash for most of them.

use std::iter;

use rustc_hash::FxHashMap;

use crate::connection::channel::Channel;

/// Numbers below this one are places: so many pointers at most that lead nowhere.
const PLACES: u16 = 64;

/// The channels that are open, or wait for the client's answer to their end.
#[derive(Debug, Default)]
pub(super) struct ChannelsByNumber {
    places: Vec<Option<Box<Channel>>>,
    others: FxHashMap<u16, Box<Channel>>,
    count: usize,
}

impl ChannelsByNumber {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    #[inline]
    pub(super) fn get(&self, number: u16) -> Option<&Channel> {
        if number < PLACES {
            self.places.get(usize::from(number))?.as_deref()
        } else {
            self.others.get(&number).map(|channel| &**channel)
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: u16) -> Option<&mut Channel> {
        if number < PLACES {
            self.places.get_mut(usize::from(number))?.as_deref_mut()
        } else {
            self.others.get_mut(&number).map(|channel| &mut **channel)
        }
    }

    /// Puts a channel at its number; the one that was there.
    pub(super) fn insert(&mut self, number: u16, channel: Channel) -> Option<Box<Channel>> {
        let channel = Box::new(channel);
        let before = if number < PLACES {
            let place = usize::from(number);
            if place >= self.places.len() {
                self.places.reserve_exact(place + 1 - self.places.len());
                self.places.resize_with(place + 1, || None);
            }
            self.places.get_mut(place).and_then(|place| place.replace(channel))
        } else {
            self.others.insert(number, channel)
        };
        self.count += usize::from(before.is_none());
        before
    }

    pub(super) fn remove(&mut self, number: u16) -> Option<Box<Channel>> {
        let removed = match self.places.get_mut(usize::from(number)) {
            Some(place) => place.take(),
            None => self.others.remove(&number),
        };
        self.count -= usize::from(removed.is_some());
        removed
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, &Channel)> {
        let places = (0..).zip(&self.places).filter_map(|(number, place)| Some((number, place.as_deref()?)));
        places.chain(self.others.iter().map(|(number, channel)| (*number, &**channel)))
    }
}

impl IntoIterator for ChannelsByNumber {
    type Item = (u16, Box<Channel>);
    type IntoIter = Box<dyn Iterator<Item = Self::Item>>;

    fn into_iter(self) -> Self::IntoIter {
        let places = iter::zip(0.., self.places).filter_map(|(number, place)| Some((number, place?)));
        Box::new(places.chain(self.others))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::broker::ids::ChannelId;

    proptest! {
        #[test]
        fn each_channel_is_found_by_its_number(steps in vec((0..2 * PLACES, any::<bool>()), 0..200)) {
            let (mut channels, mut model) = (ChannelsByNumber::default(), BTreeMap::new());
            for (id, (number, is_opened)) in (0..).zip(steps) {
                let before = if is_opened {
                    (channels.insert(number, Channel::new(ChannelId(id), None)), model.insert(number, id))
                } else {
                    (channels.remove(number), model.remove(&number))
                };
                prop_assert_eq!(before.0.map(|channel| channel.id), before.1.map(ChannelId));
                prop_assert_eq!(channels.get(number).map(|channel| channel.id), model.get(&number).copied().map(ChannelId));
                prop_assert_eq!(channels.get_mut(number).is_some(), model.contains_key(&number));
                prop_assert_eq!(channels.len(), model.len());
            }
            let model: BTreeMap<_, _> = model.into_iter().map(|(number, id)| (number, ChannelId(id))).collect();
            let listed: BTreeMap<_, _> = channels.iter().map(|(number, channel)| (number, channel.id)).collect();
            prop_assert_eq!(&listed, &model);
            let taken: BTreeMap<_, _> = channels.into_iter().map(|(number, channel)| (number, channel.id)).collect();
            prop_assert_eq!(&taken, &model);
        }
    }
}
