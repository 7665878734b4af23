//! Stores from outside: folders, tables and packed plates, sound and damaged.

#![allow(clippy::unwrap_used)]

mod damage;
mod formats;
mod prepare;
mod real;
mod sites;
mod stores;
mod support;
