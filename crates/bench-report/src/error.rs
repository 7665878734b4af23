//! What can go wrong while a record is drawn.

/// Failure of a renderer. All of them are pure, so the same record fails in the same way again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two lists of the record that belong together have different lengths.
    #[error("{what} has {found} entries where {expected} are needed")]
    Inconsistent {
        /// The list, in words.
        what: String,
        /// Entries it has.
        found: usize,
        /// Entries it should have.
        expected: usize,
    },
    /// A shape could not be drawn.
    #[error("draw figure `{figure}`: {reason}")]
    Draw {
        /// Id of the figure.
        figure: String,
        /// What the drawing back end said.
        reason: String,
    },
    /// A drawn SVG could not be read back.
    #[error("read the SVG of figure `{figure}`")]
    Svg {
        /// Id of the figure.
        figure: String,
        /// The parser's error.
        source: Box<resvg::usvg::Error>,
    },
    /// An image could not be encoded.
    #[error("encode the image of `{what}`")]
    Png {
        /// Id of the figure or layer.
        what: String,
        /// The encoder's error.
        source: png::EncodingError,
    },
    /// A figure has a size that no image can have.
    #[error("figure `{figure}` would be {width} x {height} pixels")]
    Size {
        /// Id of the figure.
        figure: String,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The page template failed.
    #[error("fill the page template")]
    Template(#[from] minijinja::Error),
    /// The page stays too large whatever is left out.
    #[error("the page has {bytes} bytes, more than the limit of {limit}, even without figures")]
    TooLarge {
        /// Size in bytes.
        bytes: usize,
        /// Limit in bytes.
        limit: usize,
    },
}
