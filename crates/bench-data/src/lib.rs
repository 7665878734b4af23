//! Embedding tables that people bring: reading, checking, writing
