[b]Rust[/b] is named after [url=https://en.wikipedia.org/wiki/Rust_(fungus)]rust fungi[/url], not after the [url=https://en.wikipedia.org/wiki/Rust]oxide[/url]. See also:

• [url]https://en.wikipedia.org/wiki/Rust_(programming_language)[/url]
• [url]https://ru.wikipedia.org/wiki/Rust_(язык_программирования)[/url]
• [url=https://example.org/interview?id=12&lang=en#q3]Graydon Hoare's interview[/url]
• [url]https://www.rust-lang.org/[/url]

​(More at [url]https://blog.rust-lang.org/[/url].) And there is [url=https://this-week-in-rust.org/]This Week in Rust[/url].
