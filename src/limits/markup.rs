//! The bounds of `markup/`: lengths, depths, and when something goes along as a file. Part of the one
//! list in `limits`, whose names these are too.

/// Longest part in code points, tags included: the portal cuts above 20,000 without repairing tags
/// (b24: messenger §6.4), and previews, quotes and edits want room.
pub const MARKUP_PART_CHARS_MAX: usize = 15_000;
/// Most characters that are drawn as one sign and are not parted: more than any emoji has.
pub const MARKUP_SIGN_CHARS_MAX: usize = 16;
/// Longest address that is linked; browsers cut longer ones, and a tag must fit a part.
pub const MARKUP_ADDRESS_BYTES_MAX: usize = 2_000;
/// Longest name that `@Name` finds; the portal's three fields of a name hold 150 characters.
pub const MARKUP_NAME_CHARS_MAX: usize = 200;
/// Deepest nesting that is read as Markdown at all: each further line costs the parser as much as
/// it is deep. Nobody means sixty-four quotes in each other; such a text is shown as it is.
pub const MARKUP_NESTING_READ_MAX: usize = 64;
/// Deepest nesting of lists and quotes that is shown; deeper ones look like the deepest.
pub const MARKUP_DEPTH_MAX: usize = 8;
/// How many times a message's own length the addresses in its Markdown may have: a link over many lines
/// repeats its address in each, and 20 kilobytes became 45 megabytes. Nobody means more than a few.
pub const MARKUP_BACK_ADDRESSES_MAX: usize = 8;
/// Deepest nesting of elements in a preview: more than any text of ours has, and little to open
/// again at the border of a quote.
pub const MARKUP_PREVIEW_DEPTH_MAX: usize = 32;
/// Widest table that the newest client makes of Markdown (b24: messenger §10.6).
pub const MARKUP_PREVIEW_COLUMNS_MAX: usize = 24;
/// Longest title of a column that is repeated in every row; longer ones stand once above the rows,
/// or a table of a few hundred kilobytes could become a message of gigabytes.
pub const MARKUP_TITLE_CHARS_MAX: usize = 100;
/// Rows of a table that a message shows whole, its head besides; a longer one goes along as a file.
pub const ENCLOSE_TABLE_ROWS: usize = 30;
/// Rows that a message shows of a longer one.
pub const ENCLOSE_ROWS_SHOWN: usize = 20;
/// Lines of code that a message shows whole: what fits a screen or two.
pub const ENCLOSE_CODE_LINES: usize = 40;
/// Lines that it shows of more.
pub const ENCLOSE_LINES_SHOWN: usize = 30;
/// Bytes of code that a message shows whole: few long lines are as hard to read as many.
pub const ENCLOSE_CODE_BYTES: usize = 6 * 1024;
/// Bytes that it shows of more.
pub const ENCLOSE_SHOWN_BYTES: usize = 4 * 1024;
