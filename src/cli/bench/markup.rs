//! Markdown to BB-code on one core: how much of a typical chat's text it takes in a second against
//! what the parser alone does with the same text in turns, and how long texts take that were made to
//! take long. Knows nothing of a connector; `bench markup` prints this alone.

use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

use crate::cli::bench::figures;
use crate::cli::bench::line;
use crate::cli::say;
use crate::limits;
use crate::markup;
use crate::markup::Format;
use crate::markup::Mentions;

/// What agents answer, in the two languages of most of our portals.
const ANSWERS: &[&str] = &[
    "Yes, the March report is ready. It covers 214 invoices, three of which are still open: 4711, \
     4718 and 4725. I would ask accounting about the last one, because its due date is in the past \
     and nobody confirmed the payment. Shall I write to them?",
    "Sure! Here's how to restart the service:\n\n1. **Stop** it:\n   ```bash\n   sudo systemctl stop \
     app\n   ```\n2. Check the log (`/var/log/app.log`):\n   - look for `ERROR`\n   - see [the \
     docs](https://docs.example/a_(b))\n3. Start it again.\n\n> **Note:** this takes ~2 minutes.\n\n\
     | Step | Time |\n|------|------|\n| Stop | 10 s |\n| Start | 1:30 |\n\nLet me know if that \
     helps! :)",
    "Добрый день! Договор согласован юристами, замечаний нет. Осталось получить подпись директора и \
     отправить оригинал контрагенту до пятницы, **15 мая**.\n\nЧто я уже сделал:\n\n- проверил \
     реквизиты в карточке клиента;\n- обновил суммы в приложении № 2;\n- поставил задачу на Анну.\n\n\
     Если что-то нужно изменить, напишите мне здесь.",
    "### Итоги недели\n\nЗакрыто 18 обращений из 20, среднее время ответа — *12 минут*. Два оставшихся \
     ждут ответа поставщика, подробности: https://portal.example/crm/deal/4711/.\n\n1. Обращение \
     **№ 311** — возврат, ждём накладную.\n2. Обращение **№ 315** — нет на складе.\n\nСпасибо за \
     помощь!",
];

/// Texts that once took long, or that parsers are known to take long for; each is repeated.
const HOSTILE: &[&str] = &[
    "[",
    "]",
    "*",
    "_",
    ">",
    "> ",
    "|",
    "`",
    "~",
    "- ",
    "1. ",
    "![",
    "[a](",
    "<",
    "&",
    "$",
    "$$",
    "`a",
    "**a",
    "*a_",
    "[^1]",
    "http://",
    "www.",
    "@",
    ":",
    "\\",
    "<b>",
    "<!-- ",
    "-",
    "=",
    "#",
    "a\n",
    "> a\n",
    "- a\n",
    "- a\n  ",
    "|a|b|\n|-|-|\n|",
    "[a]: b\n",
    "[a][",
    "```\n",
    "# ",
    "&#91;",
    "`` ` ",
    "<https://a>",
    "a|",
    "-|\n",
    "*a **b ",
    "x\n\n",
    "[USER=1]",
    "\u{1}",
];
/// Characters of each.
const HOSTILE_CHARS: usize = 50_000;
/// So many of the slowest are named.
const NAMED: usize = 3;

/// How long each of the two is measured in all.
pub(super) fn measure(time: Duration) {
    let one = ANSWERS.join("\n\n");
    say(&format!("\nMarkdown to BB-code, one core; {} answers of a chat\n", ANSWERS.len()));
    compare("each alone", ANSWERS, time);
    let most = limits::DELIVERY_TEXT_BYTES_MAX / (one.len() + 2);
    let long = vec![one.as_str(); most].join("\n\n");
    let named = format!("in one text of {}", figures::megabytes(long.len() as u64));
    compare(&named, &[&long], time);
    let mut times: Vec<(Duration, &str)> =
        HOSTILE.iter().map(|unit| (hostile(unit), *unit)).collect();
    times.sort_unstable();
    let many = format!("{} texts of {HOSTILE_CHARS} hostile characters", times.len());
    let slow = times.iter().rev().take(NAMED);
    let slow = slow.map(|(time, unit)| format!("{} of {unit:?}", figures::millis(*time)));
    line(&many, &format!("most {}", slow.collect::<Vec<_>>().join(", ")), "< 20 ms each");
}

/// The parser alone and the whole way, in turns, so that both have the same machine; the best of
/// each, because it is asked what a text takes, not what else the machine does.
fn compare(what: &str, texts: &[&str], time: Duration) {
    let nobody = Mentions::default();
    let (mut parsed, mut rendered) = (Vec::new(), Vec::new());
    let began = Instant::now();
    while began.elapsed() < time || parsed.is_empty() {
        let start = Instant::now();
        for text in texts {
            black_box(markup::parse_only(black_box(text)));
        }
        let middle = Instant::now();
        for text in texts {
            black_box(markup::render(black_box(text), Format::Markdown, &nobody));
        }
        parsed.push(middle - start);
        rendered.push(middle.elapsed());
    }
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    let rate = |times: &[Duration]| {
        let best = times.iter().min().map_or(f64::INFINITY, Duration::as_secs_f64);
        bytes as f64 / best / 1e6
    };
    let (parsed, rendered) = (rate(&parsed), rate(&rendered));
    let rates = format!("{rendered:.0} MB/s, the parser alone {parsed:.0}");
    line(what, &format!("{rates}: {:.2} of it", rendered / parsed), ">= 0.5");
}

/// The best of some.
fn hostile(unit: &str) -> Duration {
    let text = unit.repeat(HOSTILE_CHARS / unit.chars().count());
    let once = |_| {
        let began = Instant::now();
        black_box(markup::render(black_box(&text), Format::Markdown, &Mentions::default()));
        began.elapsed()
    };
    (0..3).map(once).min().unwrap_or_default()
}
