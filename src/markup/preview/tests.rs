//! Tests of the preview: what both clients show of each construct, and that any text gives HTML that
//! is balanced, escaped and bounded.

use super::Client;
use super::message;
use super::preview;
use super::shown;
use crate::markup::Format;
use crate::markup::Mentions;
use crate::markup::render;

/// Elements that a preview may have, and of those the ones without an end.
const ELEMENTS: &str = "a article b blockquote body br code div footer h1 h2 head hr html i li meta \
    ol s span style table td title tr u ul !DOCTYPE";
const EMPTY: &[&str] = &["br", "hr", "meta", "!DOCTYPE"];

/// Panics unless every element ends in its order, is a known one, and has no attribute that acts.
pub(in crate::markup) fn assert_balanced(html: &str) {
    let mut open = Vec::new();
    for piece in html.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or_else(|| panic!("an open < in {html:?}"));
        let (name, rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let known = ELEMENTS.split_whitespace().any(|known| known == name.trim_start_matches('/'));
        assert!(known, "<{tag}> in {html:?}");
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "crossing elements in {html:?}"),
            None if EMPTY.contains(&name) => {}
            None => open.push(name),
        }
        for attribute in rest.split("\" ").filter(|_| name != "meta").filter(|a| !a.is_empty()) {
            let (key, value) = attribute.split_once("=\"").unwrap_or((attribute, ""));
            assert!(["class", "style", "rel", "href", "start", "html"].contains(&key), "{tag}");
            let leads = ["http://", "https://", "mailto:", "tel:"];
            let leads = leads.iter().any(|with| value.to_ascii_lowercase().starts_with(with));
            assert!(key != "href" || leads, "{value} in {html:?}");
        }
        assert!(!text.contains('>') || open.contains(&"style"), "a bare > in {html:?}");
    }
    assert!(open.is_empty(), "{open:?} stay open in {html:?}");
}

/// What is read of a message: a line for each line, what stands for blanks as blanks.
pub(in crate::markup) fn visible(part: &str, client: Client) -> String {
    let html = message(part, client);
    assert_balanced(&html);
    let mut out = String::new();
    for (number, piece) in html.split('<').enumerate() {
        let (tag, text) = match number {
            0 => ("", piece),
            _ => piece.split_once('>').unwrap_or_default(),
        };
        let name = tag.trim_start_matches('/').split(' ').next().unwrap_or_default();
        let block = ["br", "hr", "div", "blockquote", "h1", "h2", "ul", "ol", "li", "table", "tr"];
        match name {
            "td" => out.push(' '),
            name if block.contains(&name) => out.push('\n'),
            _ => {}
        }
        out.push_str(text);
    }
    let out = out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let out = out.replace("&#39;", "'").replace("&amp;", "&").replace(['\u{200b}', '\r'], "");
    let lines = out.split('\n').map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn check(client: Client, cases: &[(&str, &str)]) {
    for (part, expected) in cases {
        let html = message(part, client);
        assert_balanced(&html);
        assert_eq!(html.replace("<br>\n", "<br>"), *expected, "{part:?}");
    }
}

#[test]
fn the_classic_client_shows_tags_links_quotes_and_code() {
    let frame = "-".repeat(54);
    let quoted = format!("a\n{frame}\nAnn [today]\nx\n{frame}\nb {frame}");
    let quoted_html = format!("a<blockquote>Ann [today]<br>x</blockquote>b {frame}");
    check(
        Client::Classic,
        &[
            ("a & <b> \"q\" 'p'", "a &amp; &lt;b&gt; &quot;q&quot; &#39;p&#39;"),
            ("a\n\nb", "a<br><br>b"),
            ("[B]x [i]y[/I][/b] [s]z[/s] [u]u[/u]", "<b>x <i>y</i></b> <s>z</s> <u>u</u>"),
            ("[b]over\nlines[/b]", "<b>over<br>lines</b>"),
            ("[b]open, [/i] and [u=1]x[/u]", "[b]open, [/i] and [u=1]x[/u]"),
            ("[b]a[b]b[/b]c[/b]", "<b>a<b>b</b>c</b>"),
            // The client lets tags cross; a browser mends it like this.
            ("[b]a[i]b[/b]c[/i]", "<b>a<i>b</i></b><i>c</i>"),
            (
                "[size=99]x[/size][color=#f00]y[/color]",
                concat!(
                    "<span style=\"font-size: 30px\">x</span>",
                    "<span style=\"color: #f00\">y</span>"
                ),
            ),
            ("[color=red]x[/color]", "[color=red]x[/color]"),
            (
                "[url]https://a.example/?a=1&b=2[/url]",
                concat!(
                    "<a rel=\"noreferrer\" href=\"https://a.example/?a=1&amp;b=2\">",
                    "https://a.example/?a=1&amp;b=2</a>"
                ),
            ),
            (
                "[URL=HTTPS://a.example][b]t[/b][/URL]",
                "<a rel=\"noreferrer\" href=\"HTTPS://a.example\"><b>t</b></a>",
            ),
            ("[url=/x]t[/url] [url=skype:me]u[/url]", "<a>t</a> <a>u</a>"),
            ("[url=javascript:alert(1)]t[/url]", "t"),
            ("[url]javascript:alert(1)[/url]", "javascript:alert(1)"),
            ("[USER=12]Ann [b][/USER]", "<span class=\"user\">Ann [b]</span>"),
            (
                "[user=12 REPLACE]Ann[/user] [user=x]y[/user]",
                "<span class=\"user\">Ann</span> [user=x]y[/user]",
            ),
            ("[user=all]everyone[/user]", "[user=all]everyone[/user]"),
            (
                "[send=/x]a[/send] [put]b[/put] [call=1]c[/call]",
                concat!(
                    "<span class=\"act\">a</span> <span class=\"act\">b</span> ",
                    "<span class=\"act\">c</span>"
                ),
            ),
            ("[chat=5]c[/chat]", "<a>c</a>"),
            (
                "[disk=5] [like]",
                "<span class=\"note\">[File]</span> <span class=\"note\">[like]</span>",
            ),
            ("a[pch=1]x[/pch]b", "ab"),
            (
                "[list][*]x[/list] [h1]y[/h1] [icode]z[/icode]",
                "[list][*]x[/list] [h1]y[/h1] [icode]z[/icode]",
            ),
            (
                "a\n[code]\nx [b]y[/b]\n  z[/code]\n\nb",
                "a<br><div class=\"code\">x [b]y[/b]\n  z</div><br>b",
            ),
            ("[code]x", "[code]x"),
            ("a\n>>b\n>>c\n\nd", "a<blockquote>b<br>c</blockquote><br>d"),
            (">>b\nc >> d", "<blockquote>b</blockquote>c &gt;&gt; d"),
            (">>>>b", "<blockquote>&gt;&gt;b</blockquote>"),
            ("> b\n[b]>>x[/b]", "&gt; b<br><b>&gt;&gt;x</b>"),
            (
                ">>[b]a\n>>b[/b]\n[i]c\n>>d[/i]",
                "<blockquote><b>a<br>b</b></blockquote><i>c</i><blockquote><i>d</i></blockquote>",
            ),
            (&quoted, &quoted_html),
            ("a:) 8) :-/", "a:) 8) :-/"),
            ("a    b\tc  d", "a\u{a0}\u{a0}\u{a0}\u{a0}b\u{a0}\u{a0}\u{a0}\u{a0}c  d"),
            ("**a** `b` # c", "**a** `b` # c"),
        ],
    );
}

#[test]
fn what_the_server_does_first_is_seen() {
    check(
        Client::Classic,
        &[
            ("&amp;lt; &lt; &#91;b]x[/b]", "&amp;lt; &lt; <b>x</b>"),
            ("(C) (R)\u{a0}:f09f9880:", "(c) (r) \u{1f600}"),
            ("[code](C)\u{a0}&lt;[/code]", "<div class=\"code\">(C)\u{a0}&amp;lt;</div>"),
            (" a[br]b#BR#c ", "a<br>b<br>c"),
        ],
    );
}

#[test]
fn a_command_changes_how_a_message_looks() {
    check(
        Client::Classic,
        &[
            ("/metrics are up", "<i>rics are up</i>"),
            ("/loud HEY", "<span class=\"loud\">HEY</span>"),
            ("/me", "<i></i>"),
            ("\u{200b}/metrics", "\u{200b}/metrics"),
            ("see /me", "see /me"),
        ],
    );
}

#[test]
fn the_newest_client_reads_markdown_once_more() {
    check(
        Client::Newest,
        &[
            ("*a* **b** ~~c~~ `d [b]`", "<i>a</i> <b>b</b> <s>c</s> <code>d [b]</code>"),
            ("*\u{200b}a*\u{200b} 2 * 3", "*\u{200b}a*\u{200b} 2 * 3"),
            ("[b]a *b*[/b]", "<b>a <i>b</i></b>"),
            ("# a\n\nb", "<h1>a</h1><br>b"),
            ("### a", "<span style=\"font-size: 16px\"><b>a</b></span>"),
            ("a\n\n---\n\nb", "a<br><br><hr><br>b"),
            (">>a\n>>b\n\nc", "<blockquote><blockquote>a<br>b</blockquote></blockquote><br>c"),
            ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
            ("7. a\n8. b", "<ol start=\"7\"><li>a</li><li>b</li></ol>"),
            (
                "|a|b|\n|-|-|\n|1|2|",
                concat!(
                    "<table><tr><td>a</td><td>b</td></tr>",
                    "<tr><td>1</td><td>2</td></tr></table>"
                ),
            ),
            ("```\nx *y*\n```", "<div class=\"code\">x *y*</div>"),
            ("a\n\n\u{a0}\u{a0}\u{a0}\u{a0}x", "a<br><br><div class=\"code\">x</div>"),
            ("[code]*a*[/code]", "<div class=\"code\">*a*</div>"),
            ("[USER=1]*a*[/USER]", "<span class=\"user\">*a*</span>"),
            ("[user=all]all[/user]", "<span class=\"user\">all</span>"),
            ("[t](https://a.example)", "<a rel=\"noreferrer\" href=\"https://a.example\">t</a>"),
            ("a\\*b <i>c</i>", "a*b <i>c</i>"),
            ("plain\n\n\nas it is", "plain<br><br><br>as it is"),
            ("[h1]x[/h1]", "<h1>x</h1>"),
        ],
    );
}

#[test]
fn a_page_holds_every_part_and_nothing_foreign_acts() {
    let hostile = "</style><script>alert(1)</script> [url=https://a.example/\"onclick=x]t[/url] \
                   [color=#fff;x]c[/color] [url=https://a.example/'><img src=x>]t[/url]";
    for client in [Client::Classic, Client::Newest] {
        let parts = vec![hostile.to_owned(), "second".to_owned()];
        let page = preview(&parts, client);
        assert_balanced(&page);
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("message 2 of 2"));
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert_balanced(&preview(&[], client));
    }
}

#[test]
fn a_preview_is_a_few_times_as_long_as_its_text() {
    let head = preview(&[], Client::Classic).len() + 200;
    for unit in [
        "[b]",
        "[b][/b]",
        "[url=",
        "[code]",
        ">>\n\n",
        "[b]\n>>x\n",
        "[",
        "]",
        "[url]x[/url]",
        "'",
        "|",
        "- ",
        "> ",
        "`a`",
        "[/b]",
        "-",
        "\u{a0}",
        "[list][*]",
    ] {
        let text = unit.repeat(15_000 / unit.len());
        let closed = format!("{text}{}", "[/b]".repeat(200));
        for client in [Client::Classic, Client::Newest] {
            for text in [&text, &closed] {
                let page = preview(std::slice::from_ref(text), client);
                let most = head + text.len() * GROWTH_MAX;
                assert!(page.len() <= most, "{unit:?} grew to {}", page.len());
            }
        }
    }
    let row = format!("{}\n{}\n{}", "a|".repeat(24), "-|".repeat(24), "b\n".repeat(5_000));
    let wide = format!("{}\n{}\n{}", "a|".repeat(2_000), "-|".repeat(2_000), "b\n".repeat(3_000));
    for text in [row, wide] {
        let page = preview(std::slice::from_ref(&text), Client::Newest);
        assert!(page.len() <= head + text.len() * GROWTH_MAX, "{}", page.len());
    }
}

/// A quote of one line in 32 elements that all go on costs most.
pub(in crate::markup) const GROWTH_MAX: usize = 400;

#[test]
fn our_own_text_reads_alike_in_both_clients() {
    let nobody = Mentions::default();
    for text in
        ["2 * 3 * 4", "a_b_c", "\\# x", "> q", "**b**", "a | b", "```\n*x*\n```", "- a\n- b"]
    {
        for part in render(text, Format::Markdown, &nobody) {
            let classic = visible(&part, Client::Classic);
            assert_eq!(visible(&part, Client::Newest), classic, "{text:?}");
        }
    }
    assert_eq!(shown("*x*", Client::Classic), "*x*");
}
