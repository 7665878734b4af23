//! Stores from outside: folders, tables and packed plates, sound and damaged.

#![allow(clippy::unwrap_used)]

mod damage;
mod real;
mod stores;
mod support;
