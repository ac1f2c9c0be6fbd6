//! The word that somebody meant who wrote another one.

pub(crate) use crate::nearest::nearest;
