You can read more in the following places:

• [url=https://doc.rust-lang.org/book/]Rust book[/url]
• [url=https://rust-lang.github.io/async-book/]Async book[/url]
• [Tokio tutorial]​([url]https://tokio.rs/tokio/tut[/url]
